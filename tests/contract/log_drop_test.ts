/** What a log does that can drop the content of old entries. */

import assert from "node:assert/strict";
import { Closed } from "../../lib/errors.ts";
import { powerSuite } from "./log_engines.ts";
import { ALICE, append, BOB, fill, firsts, mid, powerOf, Writer } from "./log_support.ts";

powerSuite("drop", (dropTest) => {
  dropTest("drops nothing where there is nothing", async ({ drop }) => {
    assert.equal(await drop({ keepFrom: 5, olderThan: 5 }), 1);
  });

  dropTest("drops by seq and by age, and never the newest batch", async ({ log, drop }) => {
    await fill(log, [4, 1, 5, 2]);
    assert.equal(await drop({}), 1);
    assert.equal(await drop({ keepFrom: 4 }), 1);
    assert.equal(await drop({ keepFrom: 5 }), 5);
    assert.equal(await drop({ keepFrom: 2 }), 5, "never back");
    assert.deepEqual(await firsts(log, {}), [5, 6, 11]);
    assert.equal(await drop({ olderThan: 1_020 }), 6);
    assert.equal(await drop({ keepFrom: 11, olderThan: 1_000 }), 11);
    assert.equal(await drop({ keepFrom: 99, olderThan: 9_999 }), 11);
    assert.deepEqual(await firsts(log, { after: 2, since: 1_000 }), [11]);
    assert.deepEqual(await firsts(log, { before: 11, last: true }), []);
    assert.deepEqual(await firsts(log, { until: 1_010 }), []);
  });

  dropTest("keeps mids, places and the chain of what it dropped", async ({ log, drop }) => {
    const batches = await fill(log, [300, 1, 256, 2]);
    await append(log, new Writer(560, 2_000).join());
    assert.equal(await drop({ keepFrom: 560 }), 560);
    for (const { author, mids, first, at } of batches) {
      const places = mids.map((mid, i) => [mid, { seq: first + i, at }] as const);
      assert.deepEqual(await log.find(author, mids), new Map(places));
    }
    const verify = powerOf(log, "verify");
    assert.deepEqual(await verify(), { entries: 560, batches: 5, head: 560 });
    await append(log, new Writer(561, 2_000).many(1));
    assert.equal((await verify()).head, 561);
  });

  dropTest("drops a time that many batches share as a whole", async ({ log, drop }) => {
    const writer = new Writer();
    await append(log, ...[5, 5, 7, 7, 7, 9].map((at) => writer.many(1, { at })));
    assert.equal(await drop({ olderThan: 7 }), 3);
  });

  dropTest("remembers what was dropped", async ({ log, drop, again }) => {
    await fill(log, [4, 1, 5]);
    await append(log, new Writer(11, 2_000).many(1, { author: BOB }));
    await drop({ keepFrom: 99 });
    const { log: same, start } = await again();
    assert.deepEqual([start.head, start.tail], [11, 11]);
    assert.equal(await same.lastMid(ALICE), mid(10));
    assert.equal(await same.lastMid(BOB), mid(11));
    assert.deepEqual(await same.find(ALICE, [mid(2)]), new Map([[mid(2), { seq: 2, at: 1_000 }]]));
    assert.deepEqual(await firsts(same, {}), [11]);
  });

  dropTest("drops nothing when it is closed", async ({ log, drop }) => {
    await append(log, new Writer().many(1));
    await log.close();
    await assert.rejects(drop({}), Closed);
  });
});
