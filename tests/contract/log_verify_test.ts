/** What a log does that can check all it holds. */

import assert from "node:assert/strict";
import { Closed } from "../../lib/errors.ts";
import { powerSuite } from "./log_engines.ts";
import { ALICE, append, fill, Writer } from "./log_support.ts";

powerSuite("verify", (verifyTest) => {
  verifyTest("verifies what it was given, and nothing else", async ({ log, verify, again }) => {
    assert.deepEqual(await verify(), { entries: 0, batches: 0, head: 0 });
    await log.append(0, { batches: [], members: [{ user: ALICE, json: "1" }], values: { a: "b" } });
    assert.deepEqual(await verify(), { entries: 0, batches: 0, head: 0 });
    await fill(log, [2, 3, 256]);
    await append(log, new Writer(262, 2_000).join());
    const wanted = { entries: 262, batches: 4, head: 262 };
    assert.deepEqual(await verify(), wanted);
    await assert.rejects(append(log, new Writer(9).many(1)));
    assert.deepEqual(await verify(), wanted);
    const { log: same } = await again();
    assert.deepEqual(await same.power("verify")!(), wanted);
  });

  verifyTest("verifies while it is appended to", async ({ log, verify }) => {
    const writer = new Writer();
    for (let i = 0; i < 40; i++) await append(log, writer.many(256));
    const verified = verify();
    await append(log, writer.many(1));
    const { head } = await verified;
    assert.ok(head === 10_240 || head === 10_241, `${head}`);
  });

  verifyTest("tells how far it is, and ends when it is told to", async ({ log, verify }) => {
    await fill(log, Array(20).fill(256));
    const seen: number[] = [];
    await verify({ progress: (done) => seen.push(done) });
    assert.equal(seen.at(-1), 20 * 256);
    const stop = new AbortController();
    const progress = () => stop.abort(new Error("unwanted"));
    await assert.rejects(verify({ signal: stop.signal, progress }), { message: "unwanted" });
  });

  verifyTest("verifies nothing when it is closed", async ({ log, verify }) => {
    await append(log, new Writer().many(1));
    await log.close();
    await assert.rejects(verify(), Closed);
  });
});
