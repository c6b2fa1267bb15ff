/** What a log does that can become another engine's, and another engine's become it. */

import assert from "node:assert/strict";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { LogDamaged, UsageError } from "../../lib/errors.ts";
import type { Log, LogStart, MovedBatch, Transfer } from "../../lib/log/log.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { writeCopyOf } from "../../lib/log/sqlite_copy.ts";
import { Passage, requireSame } from "../../lib/log/transfer.ts";
import { powerSuite } from "./log_engines.ts";
import { ALICE, BOB, fill, mid, powerOf, Writer } from "./log_support.ts";
import { folders, MOVING, type Room } from "./transfer_support.ts";

const USERS = [ALICE, BOB, "~claimed"];

/** One step of a history. */
type Step =
  | { readonly do: "messages"; readonly count: number; readonly by: number; readonly text: string }
  | { readonly do: "join"; readonly member: number }
  | { readonly do: "gone"; readonly member: number }
  | { readonly do: "value"; readonly name: string; readonly text: string | undefined }
  | { readonly do: "drop"; readonly part: number };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("messages" as const),
    count: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant(256)),
    by: fc.nat(USERS.length - 1),
    text: fc.string({ unit: "grapheme", maxLength: 40 }),
  }),
  fc.record({ do: fc.constant("join" as const), member: fc.nat(USERS.length - 1) }),
  fc.record({ do: fc.constant("gone" as const), member: fc.nat(USERS.length - 1) }),
  fc.record({
    do: fc.constant("value" as const),
    name: fc.constantFrom("topic", "invite 1", "invite 2"),
    text: fc.option(fc.string({ unit: "grapheme", maxLength: 40 }), { nil: undefined }),
  }),
  fc.record({ do: fc.constant("drop" as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
);

/** Writes a history into an empty log. */
async function live(log: Log, steps: readonly Step[]): Promise<void> {
  const writer = new Writer();
  let at = 1_000;
  for (const step of steps) {
    const head = writer.next - 1;
    at += 10;
    if (step.do === "messages") {
      const { count, by, text } = step;
      const batch = writer.many(count, { at, author: USERS[by], text });
      await log.append(head, { batches: [batch] });
    } else if (step.do === "join") {
      const user = USERS[step.member];
      const members = [{ user, json: JSON.stringify({ user, at }) }];
      await log.append(head, { batches: [writer.join({ at, author: user })], members });
    } else if (step.do === "gone") {
      await log.append(head, { batches: [], gone: [USERS[step.member]] });
    } else if (step.do === "value") {
      await log.append(head, { batches: [], values: { [step.name]: step.text } });
    } else await powerOf(log, "drop")({ keepFrom: Math.floor(step.part * writer.next) });
  }
}

/** All that can be asked of a log. */
async function told(log: Log, start: LogStart) {
  const mids = Array.from({ length: start.head }, (_, i) => mid(i + 1));
  const places = [];
  for (const user of USERS) {
    const found = await Promise.all(mids.map((mid) => log.find(user, [mid])));
    places.push([await log.lastMid(user), found.flatMap((places) => [...places ?? []])]);
  }
  const read = await log.read({ limit: 1e6 });
  return { read, places, checked: await powerOf(log, "verify")() };
}

/** Moves a log into an empty one; answers that as it opens again. */
async function moved(from: Log, room: Room): Promise<{ log: Log; start: LogStart }> {
  const [transfer, empty] = [powerOf(from, "transfer"), await room.open()];
  const into = powerOf(empty.log, "transfer");
  const passage = new Passage(transfer);
  const start = await passage.catchUp(into);
  await passage.compare(into);
  await into.become(start);
  await empty.log.close();
  const became = await room.open();
  requireSame(became.start, start);
  return became;
}

for (const [one, from] of Object.entries(MOVING)) {
  for (const [other, to] of Object.entries(MOVING)) {
    const skip = from.skip ?? to.skip ?? false;
    test(
      `${one} log becomes one of ${other}, and is itself again when it comes back`,
      { skip },
      () =>
        fc.assert(
          fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 30 }), (steps) =>
            folders(async (room) => {
              const { log } = await (await room(from)).open();
              await live(log, steps);
              const start = await powerOf(log, "transfer").now();
              const wanted = await told(log, start);
              const there = await moved(log, await room(to));
              assert.deepEqual(await told(there.log, there.start), wanted);
              const back = await moved(there.log, await room(from));
              requireSame(back.start, start);
              assert.deepEqual(await told(back.log, back.start), wanted);
              // It goes on where it was.
              const writer = new Writer(start.head + 1, 1e6);
              await back.log.append(start.head, { batches: [writer.many(3, { at: 1e6 })] });
              assert.equal((await powerOf(back.log, "verify")()).head, start.head + 3);
            })),
          { numRuns: from === to && one === "sqlite" ? 20 : 8, endOnFailure: true },
        ),
    );
  }
}

powerSuite("transfer", (transferTest) => {
  transferTest("hands over what is appended and dropped meanwhile", async ({ log, transfer }) => {
    await folders(async (room) => {
      await fill(log, Array(60).fill(256));
      const { sqlite, postgres } = MOVING;
      const other = log.engine === "sqlite" && !postgres.skip ? postgres : sqlite;
      const { log: empty } = await (await room(other)).open();
      const into = powerOf(empty, "transfer");
      const writer = new Writer(60 * 256 + 1, 9_000);
      let slices = 0;
      const to: Transfer = {
        ...into,
        async write(batches) {
          await into.write(batches);
          if (++slices === 3) {
            await log.append(writer.next - 1, { batches: [writer.many(256)] });
            await powerOf(log, "drop")({ keepFrom: 20 * 256 });
          }
        },
      };
      const passage = new Passage(transfer);
      await passage.catchUp(to);
      await passage.compare(to);
      await powerOf(log, "drop")({ keepFrom: 30 * 256 });
      await log.append(writer.next - 1, { batches: [writer.many(2)] });
      const start = await passage.catchUp(to);
      await passage.compare(to);
      assert.deepEqual([start.head, start.tail], [61 * 256 + 2, 30 * 256 - 255]);
      const batches: MovedBatch[] = [];
      for (let seq = 1; seq <= start.head;) {
        batches.push(...await into.read(seq));
        const { first, count } = batches.at(-1)!;
        seq = first + count;
      }
      const kept = batches.filter(({ json }) => json !== null).map(({ first }) => first);
      assert.equal(kept[0], start.tail);
      assert.equal(batches.length - kept.length, 29);
    });
  });

  transferTest("is copied to a file of SQLite, with values of the copy's own", async (opened) => {
    const { log, transfer, folder } = opened;
    const file = join(folder, "copy.db");
    await fill(log, [4, 256, 3]);
    const members = [{ user: ALICE, json: "1" }];
    await log.append(263, { batches: [], members, values: { a: "b" } });
    await powerOf(log, "drop")({ keepFrom: 5 });
    const head = await writeCopyOf(transfer, file, { values: { a: "other", key: "k" } });
    assert.equal(head, 263);
    await assert.rejects(writeCopyOf(transfer, file, {}), /it exists/);
    mkdirSync(join(folder, "copy"));
    renameSync(file, join(folder, "copy", "log.db"));
    const copy = sqliteLog(join(folder, "copy"));
    try {
      const start = await copy.open();
      requireSame(start, { ...await transfer.now(), values: { a: "other", key: "k" } });
      assert.equal((await powerOf(copy, "verify")()).head, 263);
      assert.deepEqual(await copy.read({}), await log.read({}));
    } finally {
      await copy.close();
    }
  });

  transferTest("takes nothing in where there is a log", async ({ log, transfer }) => {
    await fill(log, [3]);
    const batches = await transfer.read(1);
    await assert.rejects(transfer.write(batches), UsageError);
    await assert.rejects(transfer.become(await transfer.now()), UsageError);
  });

  transferTest("tells how far it is, and ends where nobody wants it", async ({ log, transfer }) => {
    await folders(async (room) => {
      await fill(log, Array(60).fill(256));
      const into = powerOf((await (await room(MOVING.sqlite)).open()).log, "transfer");
      const seen: number[] = [];
      const stop = new AbortController();
      const progress = (done: number, total: number) => {
        seen.push(done);
        assert.equal(total, 60 * 256);
        if (done > total * 0.7) stop.abort(new Error("unwanted"));
      };
      const passage = new Passage(transfer, { progress, signal: stop.signal });
      await passage.catchUp(into);
      await assert.rejects(passage.compare(into), { message: "unwanted" });
      assert.ok(seen.length > 4, `${seen}`);
      assert.deepEqual(seen, seen.toSorted((a, b) => a - b));
    });
  });

  for (
    const [what, changed] of Object.entries<(batch: MovedBatch) => MovedBatch>({
      "an entry's author": (batch) => ({ ...batch, author: BOB }),
      "a checksum": (batch) => ({ ...batch, crcs: batch.crcs.map((byte) => byte ^ 1) }),
      "a hash": (batch) => ({ ...batch, hash: batch.hash.map((byte) => byte ^ 1) }),
      "content that was dropped": (batch) => ({ ...batch, json: '{"messages":[["a","b"]]}' }),
      "content that is missing": (batch) => ({ ...batch, json: null }),
      "a mid": (batch) => ({ ...batch, mids: [mid(999), ...batch.mids.slice(1)] }),
    })
  ) {
    transferTest(`notices ${what} that is not the same`, async ({ log, transfer }) => {
      await fill(log, [4, 4, 4]);
      await powerOf(log, "drop")({ keepFrom: 9 });
      const passage = new Passage(transfer);
      const taken: MovedBatch[] = [];
      await passage.catchUp({
        write: (batches) => Promise.resolve(void taken.push(...batches)),
      });
      const read = (from: number) => Promise.resolve(taken.filter(({ first }) => first >= from));
      await passage.compare({ read });
      const again = new Passage(transfer);
      await again.catchUp({ write: () => Promise.resolve() });
      const at = what.endsWith("missing") ? 2 : 1;
      taken[at] = changed(taken[at]);
      await assert.rejects(again.compare({ read }), (error: unknown) => {
        assert.ok(error instanceof LogDamaged);
        assert.equal(error.seq, taken[at].first);
        return true;
      });
    });
  }
});
