/** Whether a message is in the log already: exactly, whatever ids its author chose, and at what cost. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Refusal } from "../../lib/errors.ts";
import { DEFAULT_RATES } from "../../lib/group/limits.ts";
import type { ReadBatch } from "../../lib/log/log.ts";
import { RecentMids } from "../../lib/log/recent_mids.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { groupOn, named } from "../support/group.ts";
import { percentile } from "../support/percentile.ts";
import { dice } from "../support/random.ts";
import { ENGINES, logSuite } from "./log_engines.ts";
import { ALICE, append, inFolder, mid, Writer } from "./log_support.ts";

const [alice, bob] = [named("a"), named("b")];

logSuite((logTest) => {
  logTest("finds what is there and nothing else, whatever ids were chosen", async ({ log }) => {
    for (let seed = 1; seed <= 20; seed++) {
      const random = dice(seed);
      const author = `author ${seed}`;
      const places = new Map<string, number>();
      const any = () => mid(random(2) * 30_000 + random(40), random(3));
      const start = await log.read({ last: true, limit: 1 });
      const writer = new Writer(start.length === 0 ? 1 : start[0].first + start[0].count);
      for (let i = 0; i < 60; i++) {
        const wanted = [...new Set(Array.from({ length: 1 + random(4) }, any))].sort();
        // As a group does: one after the other where that is too much at once.
        const lists = await log.find(author, wanted) ? [wanted] : wanted.map((one) => [one]);
        for (const list of lists) {
          const found = await log.find(author, list);
          assert.ok(found, "one alone is always looked for");
          const known = list.filter((one) => places.has(one));
          assert.deepEqual([...found.keys()].sort(), known, `seed ${seed}, step ${i}`);
          for (const one of known) assert.equal(found.get(one)!.seq, places.get(one));
          const fresh = list.filter((one) => !places.has(one));
          if (fresh.length === 0) continue;
          const batch = writer.messages({ author, mids: fresh });
          for (const [k, one] of fresh.entries()) places.set(one, batch.first + k);
          await append(log, batch);
        }
      }
    }
  });
});

test("sqlite log looks into 16 batches that reach over what is wanted, and no more", () =>
  inFolder(async (folder) => {
    const log = await ENGINES.sqlite.make(folder);
    await log.open();
    const writer = new Writer();
    const nested = (n: number) => writer.messages({ mids: [mid(n), mid(50_000 - n)] });
    for (let n = 1; n <= 16; n++) await append(log, nested(n));
    assert.deepEqual(await log.find(ALICE, [mid(100), mid(200)]), new Map());
    await append(log, nested(17));
    assert.equal(await log.find(ALICE, [mid(100), mid(200)]), undefined);
    assert.deepEqual(await log.find(ALICE, [mid(100)]), new Map());
    assert.equal((await log.find(ALICE, [mid(17)]))?.get(mid(17))?.seq, 33);
    // What lies beside them is as good as before, and single ones count for nothing.
    assert.deepEqual(await log.find(ALICE, [mid(60_000), mid(60_001)]), new Map());
    for (let n = 0; n < 50; n++) await append(log, writer.messages({ mids: [mid(70_000 + n)] }));
    assert.equal((await log.find(ALICE, [mid(70_000), mid(70_049), mid(80_000)]))?.size, 2);
    await log.close();
  }));

test("recent mids: those of the batch that was asked for longest ago are forgotten", () => {
  const recent = new RecentMids(4);
  const batch = (first: number, count: number) =>
    recent.add({ first, at: first, mids: Array.from({ length: count }, (_, i) => mid(first + i)) });
  batch(1, 2);
  batch(3, 2);
  assert.deepEqual(recent.get(1)?.mids, [mid(1), mid(2)]);
  batch(5, 1);
  assert.equal(recent.get(3), undefined);
  assert.deepEqual([recent.get(1)?.at, recent.get(5)?.at, recent.size], [1, 5, 3]);
  batch(6, 9);
  assert.deepEqual([recent.get(6), recent.size], [undefined, 0], "longer than all that is kept");
});

for (const [name, engine] of Object.entries(ENGINES)) {
  test(`group on a ${name} log: each message is there once, however its author's ids interleave`, {
    skip: engine.skip,
  }, () =>
    inFolder(async (folder) => {
      await using asked = await groupOn(await engine.make(folder));
      const { ask, group } = asked;
      await ask("join", alice);
      const random = dice(7);
      const now = Date.now();
      const first = new Map<string, number>();
      let refused = 0;
      const send = async (messages: Message[]): Promise<void> => {
        try {
          const { accepted } = await ask("send", alice, { messages });
          const seqs = accepted.flatMap(({ from, count, duplicate = false }) =>
            Array.from({ length: count }, (_, i) => ({ seq: from + i, duplicate }))
          );
          for (const [i, { seq, duplicate }] of seqs.entries()) {
            const [id] = messages[i];
            if (duplicate) assert.equal(seq, first.get(id), "the first place again");
            else assert.equal(first.has(id), false, `twice: ${id}`);
            first.set(id, seq);
          }
        } catch (error) {
          // What the user's side does: one by one.
          if (!(error instanceof Refusal && error.code === "bad_request")) throw error;
          assert.ok(messages.length > 1, error.message);
          refused++;
          for (const message of messages) await send([message]);
        }
      };
      const request = () => {
        const ids = Array.from({ length: 1 + random(5) }, () => mid(now - random(400), random(2)));
        return [...new Set(ids)].sort().map((id): Message => [id, "x"]);
      };
      for (let round = 0; round < 150; round++) {
        // Several at once share a commit.
        await Promise.all(Array.from({ length: 1 + random(4) }, () => send(request())));
      }
      if (name !== "memory") assert.ok(refused > 0, "some were too much at once");
      const kept: string[] = [];
      for (let page: readonly ReadBatch[], after = 0;; after = kept.length + 2) {
        page = await group.log.read({ after });
        if (page.length === 0) break;
        for (const { json } of page) {
          for (const [id] of (JSON.parse(json).messages ?? []) as Message[]) kept.push(id);
        }
      }
      assert.deepEqual(kept.toSorted(), [...first.keys()].sort());
    }));
}

test("a member whose ids lie one around the other holds up nobody", () =>
  inFolder(async (folder) => {
    await using asked = await groupOn(await ENGINES.sqlite.make(folder), { rates: DEFAULT_RATES });
    const { ask } = asked;
    await ask("join", alice);
    await ask("join", bob);
    const now = Date.now();
    await ask("send", bob, { messages: [[mid(now), "x"]] });
    const codes = new Map<string, number>();
    let n = 0;
    const attack = async () => {
      const messages = [mid(now - 59_000, ++n), mid(now - 1, 1e9 - n)].map((id) => [id, "x"]);
      const code = await ask("send", bob, { messages }).then(() => "ok", ({ code }) => code);
      codes.set(code, (codes.get(code) ?? 0) + 1);
    };
    const took: number[] = [];
    for (let round = 0; round < 100; round++) {
      const attacks = Array.from({ length: 20 }, attack);
      const began = performance.now();
      await ask("send", alice, { messages: [[mid(now + round), "hi"]] });
      took.push(performance.now() - began);
      await Promise.all(attacks);
    }
    // 16 in the log and as many that wait for one commit.
    assert.ok(codes.get("ok")! <= 33, JSON.stringify([...codes]));
    assert.ok(codes.get("bad_request")! > 0, JSON.stringify([...codes]));
    const p99 = percentile(took, 0.99);
    assert.ok(p99 < 500, `p99 of another's send: ${p99.toFixed(0)} ms`);
  }));
