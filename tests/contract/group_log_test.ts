/** What a group makes of a log that drops, is full, or has no room for the first entry. */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { test } from "node:test";
import { DiskFull } from "../../lib/errors.ts";
import { GroupServer, type GroupServerOptions } from "../../lib/group/server.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { groupOn, named } from "../support/group.ts";
import { ENGINES } from "./log_engines.ts";
import { inFolder, mid } from "./log_support.ts";

interface Page {
  readonly head: number;
  readonly tail: number;
  readonly more: boolean;
  readonly batches: readonly { readonly first: number; readonly count: number }[];
}

for (const [name, engine] of Object.entries(ENGINES)) {
  test(
    `group on a ${name} log: no page begins above the tail that it tells, while old entries go`,
    { skip: engine.skip },
    () =>
      inFolder(async (folder) => {
        const alice = named("a");
        await using asked = await groupOn(await engine.make(folder), { keep: { entries: 1_000 } });
        const { ask, group } = asked;
        await ask("join", alice);
        const now = Date.now();
        for (let i = 0; i < 120; i++) {
          const messages = Array.from({ length: 256 }, (_, k): Message => [
            mid(now + i, k),
            "x".repeat(40),
          ]);
          await ask("send", alice, { messages });
        }
        const read = async (fields: object): Promise<Page> =>
          JSON.parse(await ask("read", alice, { limit: 300, last: false, ...fields }));
        let dropping = true;
        const dropped = group.prune().finally(() => dropping = false);
        const tails = new Set<number>();
        while (dropping) {
          const pages = [read({ after: 0 }), read({ after: 0, before: group.head, last: true })];
          const [{ tail, batches }, newest] = await Promise.all(pages);
          tails.add(tail);
          assert.ok(batches[0].first <= tail, `begins at ${batches[0].first}, the tail is ${tail}`);
          assert.equal(newest.more, newest.batches[0].first > newest.tail);
          await setImmediate();
        }
        await dropped;
        const { tail, batches } = await read({ after: 0 });
        assert.deepEqual([batches[0].first, group.head - tail < 1_300], [tail, true]);
        if (name === "sqlite") assert.ok(tails.size > 5, `read meanwhile: ${[...tails]}`);
      }),
  );
}

test("a group does not come up when there is no room for its first entry, and does when there is", () =>
  inFolder(async (folder) => {
    const key = newSigningKey();
    // Longer than what is free in the pages that there are.
    const name = "L".repeat(20_000);
    const maxBytes = 40 * 8_192;
    const options = (log: GroupServerOptions["log"]): GroupServerOptions => ({
      transport: zmtpTransport(),
      address: "127.0.0.1:0",
      log,
      identity: { id: "g", name, key: key.publicKey, nonce: "n", founder: "", access: "open" },
      key,
      pins: new Map(),
      logger: { info: () => {}, warn: () => {} },
    });
    const full = sqliteLog(folder, { maxBytes });
    await full.open();
    for (let i = 0; i < 200; i++) {
      try {
        await full.append(0, { batches: [], values: { [`v${i}`]: "x".repeat(8_000) } });
      } catch (error) {
        assert.ok(error instanceof DiskFull, String(error));
        break;
      }
    }
    await full.close();
    await assert.rejects(
      GroupServer.start(options(sqliteLog(folder, { maxBytes }))),
      (error) => error instanceof DiskFull && /make room, then start it again$/.test(error.message),
    );
    await using server = await GroupServer.start(options(sqliteLog(folder)));
    const [founded] = await server.group.log.read({});
    assert.equal(JSON.parse(founded.json).kind, "founded");
    assert.equal(server.group.head, 1);
  }));

test("invites that count no more are swept out of the log at the next start", () =>
  inFolder(async (folder) => {
    const alice = named("a");
    {
      await using asked = await groupOn(sqliteLog(folder), { now: () => 1_000 });
      const { ask } = asked;
      await ask("join", alice);
      const terms = { uses: 1, role: "member" };
      await ask("invite", alice, { ...terms, for: 500, token: "expires by then" });
      await ask("invite", alice, { ...terms, for: 5_000, token: "still counts" });
    }
    {
      await using asked = await groupOn(sqliteLog(folder), { now: () => 2_000 });
      assert.equal(asked.group.state.values.invites, 1);
      await asked.ask("join", named("b"), { invite: "still counts" });
    }
    const log = sqliteLog(folder);
    const { values } = await log.open();
    assert.deepEqual(Object.keys(values), []);
    await log.close();
  }));
