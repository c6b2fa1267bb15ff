/** Which messages count as forged because they were shown before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { GroupEntry } from "../../lib/protocol/batch.ts";
import { ShownMids } from "../../lib/user/shown_mids.ts";

const entry = (seq: number, author: string, mid: string) =>
  ({ seq, author, mid, signature: "valid" }) as GroupEntry;

/** What is said of entries, each shown as a batch of its own. */
function said(shown: ShownMids, ...entries: readonly GroupEntry[]): string[] {
  return entries.map((one) => shown.marked([one])[0].signature!);
}

test("shown mids: a message is forged the second time, whoever else has its id, and before whom", () => {
  const [valid, invalid] = ["valid", "invalid"];
  const shown = new ShownMids();
  assert.deepEqual(said(shown, entry(1, "bob", "m"), entry(2, "alice", "m")), [valid, valid]);
  assert.deepEqual(said(shown, entry(3, "alice", "m"), entry(4, "bob", "m")), [invalid, invalid]);
  shown.forget(1);
  assert.deepEqual(said(shown, entry(2, "alice", "m"), entry(3, "bob", "m")), [valid, invalid]);
});
