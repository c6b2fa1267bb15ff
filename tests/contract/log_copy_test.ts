/** What a log does that can write a copy of itself to a file. */

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Closed, UsageError } from "../../lib/errors.ts";
import { ALICE, append, fill, powerOf, powerSuite, Writer } from "./log_support.ts";

powerSuite("copy", (copyTest) => {
  copyTest("copies a log that goes on, with values of the copy's own", async (opened) => {
    const { log, copy, folder, ofCopy } = opened;
    const file = join(folder, "copy.db");
    await fill(log, [4, 256, 3]);
    const members = [{ user: ALICE, json: "1" }];
    await log.append(263, { batches: [], members, values: { a: "b" } });
    await powerOf(log, "drop")({ keepFrom: 5 });
    const read = await log.read({});
    assert.deepEqual(await copy(file, { values: { a: "other", key: "k" } }), { head: 263 });
    await append(log, new Writer(264, 9_000).many(1));
    assert.equal((await powerOf(log, "verify")()).head, 264);
    if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);
    const { log: other, start } = await ofCopy(file);
    assert.deepEqual([start.epoch, start.head, start.tail], [opened.start.epoch, 263, 5]);
    assert.deepEqual([start.members, start.values], [members, { a: "other", key: "k" }]);
    assert.deepEqual(await other.read({}), read);
    assert.equal((await powerOf(other, "verify")()).head, 263);
  });

  copyTest("copies to a new file only, and leaves no other", async ({ log, copy, folder }) => {
    await append(log, new Writer().many(1));
    const before = readdirSync(folder).sort();
    await assert.rejects(copy(join(folder, "none", "copy.db")), UsageError);
    assert.deepEqual(readdirSync(folder).sort(), before);
    const file = join(folder, "copy.db");
    writeFileSync(file, "mine");
    await assert.rejects(copy(file), { name: "UsageError", message: /it exists/ });
    assert.equal(readFileSync(file, "utf8"), "mine");
    assert.deepEqual(readdirSync(folder).sort(), [...before, "copy.db"].sort());
  });

  copyTest("copies nothing when it is closed", async ({ log, copy, folder }) => {
    await log.close();
    await assert.rejects(copy(join(folder, "copy.db")), Closed);
  });
});
