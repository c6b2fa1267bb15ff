import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import * as fc from "fast-check";
import { Refusal } from "../../lib/errors.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { EPOCH, History, OTHER_EPOCH, signedBy } from "../support/history.ts";
import { midAt, NOW } from "./fixtures.ts";
import { following, told, turns } from "./following.ts";

test("follow: gives the log and then what comes live, each entry whole and once", async () => {
  const log = new History([3, 2]);
  const { reads, feed, entries, next } = following(log, { after: 1 });
  const { value } = await entries.next();
  assert.deepEqual(value, {
    ...{ group: "Lab", epoch: EPOCH, seq: 2, at: 1, kind: "message", author: "~a", name: "a" },
    ...{ mid: log.batches[0].messages![1][0], text: "2", signature: "unsigned" },
  });
  assert.equal(await next(3), "3 4 5");
  const [, former] = log.batches;
  feed.take({ epoch: EPOCH, batches: [former, log.add(2)] });
  assert.equal(await next(2), "6 7");
  assert.equal(reads.length, 1);
  await entries.return(undefined);
});

test("follow: a head that is being taken asks the log nothing, one beyond it does", async () => {
  const log = new History([3]);
  const { reads, feed, entries, next } = following(log);
  assert.equal(await next(2), "1 2");
  feed.take({ epoch: EPOCH, head: 3 });
  assert.equal(await next(1), "3");
  feed.take({ epoch: EPOCH, batches: [log.add(2)] });
  assert.equal(await next(1), "4");
  feed.take({ epoch: EPOCH, head: 5 });
  assert.equal(await next(1), "5");
  assert.equal(reads.length, 1);
  log.add(1);
  feed.take({ epoch: EPOCH, head: 6 });
  assert.equal(await next(1), "6");
  assert.deepEqual(reads, [{ after: 0 }, { after: 5 }]);
  await entries.return(undefined);
});

test("follow: a hole, and more than a slow consumer may leave, are read from the log", async () => {
  const log = new History([1]);
  const { reads, feed, entries, next } = following(log);
  assert.equal(await next(1), "1");
  log.add(2);
  feed.take({ epoch: EPOCH, batches: [log.add(1)] });
  assert.equal(await next(3), "2 3 4");
  const much = "x".repeat(600_000);
  const long = (n: number) => log.add(1, { messages: [[midAt(NOW + n), much]] });
  feed.take({ epoch: EPOCH, batches: [long(5), long(6)] });
  assert.equal(await next(2), "5 6");
  assert.deepEqual(reads, [{ after: 0 }, { after: 1 }, { after: 4 }]);
  await entries.return(undefined);
});

test("follow: another epoch starts over, a refusal is told and thrown", async () => {
  const { failed, notes, alarms, feed, entries, next, group } = following(new History([2]));
  assert.equal(await next(2), "1 2");
  group.epoch = OTHER_EPOCH;
  group.log = new History([1]);
  feed.take({ epoch: OTHER_EPOCH, head: 1 });
  const { value } = await entries.next();
  assert.deepEqual([value.seq, value.epoch, notes], [1, OTHER_EPOCH, ["epoch"]]);
  const refusal = new Refusal("not_member", "join first");
  group.refusal = refusal;
  feed.take({ epoch: OTHER_EPOCH, head: 9 });
  await assert.rejects(entries.next(), refusal);
  assert.deepEqual([failed, alarms], [[refusal], []]);
});

test("follow: what comes live and does not go on from the log is not shown, the log is", async () => {
  const log = new History([2]);
  const { alarms, reads, feed, entries, next } = following(log);
  assert.equal(await next(2), "1 2");
  const forged = log.until(1).add(1, { messages: [[midAt(NOW), "forged"]] });
  // In the place of what the log has shown.
  feed.take({ epoch: EPOCH, batches: [log.until(0).add(2, { at: 2 })] });
  for (const hash of ["B".repeat(43), undefined]) {
    const head = log.head;
    feed.take({ epoch: EPOCH, batches: [{ ...forged, first: head + 1, hash }] });
    log.add(1);
    assert.equal(await next(1), `${head + 1}`);
  }
  assert.deepEqual([alarms, reads.length], [[], 3]);
  await entries.return(undefined);
});

test("follow: an entry forged with the right hash is taken back, told, and given as it is", async () => {
  const log = new History([2]);
  const { alarms, feed, entries, next } = following(log);
  assert.equal(await next(2), "1 2");
  const join = { kind: "join", messages: undefined, body: { role: "admin" } } as const;
  feed.take({ epoch: EPOCH, batches: [log.until(1).add(1, join)] });
  assert.equal((await entries.next()).value.kind, "join");
  log.add(1);
  feed.take({ epoch: EPOCH, batches: [log.add(1)] });
  const { value } = await entries.next();
  assert.deepEqual([value.seq, value.kind, value.signature], [3, "message", "unsigned"]);
  assert.equal(await next(1), "4");
  assert.deepEqual(alarms, ["corrected  3"]);
  // The true one comes after it, under the same seq.
  const forged = log.until(3).add(1, { ...join, at: 2 });
  feed.take({ epoch: EPOCH, batches: [forged, log.add(1)] });
  assert.equal((await entries.next()).value.kind, "join");
  assert.equal((await entries.next()).value.kind, "message");
  assert.deepEqual(alarms, ["corrected  3", "corrected  5"]);
  await entries.return(undefined);
});

test("follow: who is shown others live than the log holds is told at the next ping", async () => {
  const log = new History([2]);
  const { alarms, feed, group, entries, next } = following(log);
  assert.equal(await next(2), "1 2");
  const own = log.until(1);
  const [first] = log.batches[0].messages!;
  feed.take({ epoch: EPOCH, batches: [own.add(1, { messages: [first] })] });
  assert.equal(await next(1), "3!", "it was there before");
  log.add(1);
  group.hash = log.hash;
  feed.vouch(EPOCH, { seq: 3, hash: log.hash });
  assert.equal(await next(1), "3");
  assert.deepEqual(alarms, ["corrected  3"]);
  feed.take({ epoch: EPOCH, batches: [log.add(1)] });
  assert.equal(await next(1), "4");
  await entries.return(undefined);
});

test("follow: a log that does not go on from what it was counts as not verified", async () => {
  const log = new History([2, 1]);
  const { alarms, feed, group, entries, next } = following(log);
  assert.equal(await next(3), "1 2 3");
  group.log = log.until(1);
  group.log.add(2, { at: 2 });
  group.log.add(1);
  feed.take({ epoch: EPOCH, head: 5 });
  assert.equal(await next(2), "4! 5!");
  feed.take({ epoch: EPOCH, batches: [group.log.add(2)] });
  assert.equal(await next(2), "6! 7!");
  feed.vouch(EPOCH, { seq: 7, hash: "C".repeat(43) });
  feed.take({ epoch: EPOCH, batches: [group.log.add(1)] });
  assert.equal(await next(1), "8!");
  assert.deepEqual(alarms, ["forked  4"]);
  await entries.return(undefined);
});

test("follow: a page that does not go on in itself, and another hash in a ping, are a fork", async () => {
  const log = new History([1, 1, 1]);
  log.batches[1] = { ...log.batches[1], name: "b" };
  const page = following(log);
  assert.equal(await page.next(3), "1 2! 3!");
  assert.deepEqual(page.alarms, ["forked  2"]);
  await page.entries.return(undefined);

  const pinged = following(new History([1, 1]));
  assert.equal(await pinged.next(2), "1 2");
  pinged.feed.vouch(EPOCH, { seq: 2, hash: "B".repeat(43) });
  pinged.feed.take({ epoch: EPOCH, batches: [pinged.group.log.add(1)] });
  assert.equal(await pinged.next(1), "3!");
  assert.deepEqual(pinged.alarms, ["forked  2"]);
  await pinged.entries.return(undefined);

  // Said before it was reached: compared when it is.
  const early = following(new History([1]));
  assert.equal(await early.next(1), "1");
  early.feed.vouch(EPOCH, { seq: 2, hash: "B".repeat(43) });
  early.feed.take({ epoch: EPOCH, batches: [early.group.log.add(1)] });
  assert.equal(await early.next(1), "2!");
  assert.deepEqual(early.alarms, ["forked  2"]);
  await early.entries.return(undefined);
});

test("follow: a log that ends before what was shown is told, and gone on with", async () => {
  for (const how of ["session", "feed", "page"]) {
    const log = new History([2, 2, 2]);
    const { alarms, feed, group, entries, next } = following(log);
    assert.equal(await next(6), "1 2 3 4 5 6", how);
    group.log = log.until(2);
    const soon = next(1);
    if (how === "session") feed.lose();
    feed.take({ epoch: EPOCH, head: how === "page" ? 9 : 4 });
    await turn();
    if (how === "feed") {
      assert.deepEqual(alarms, [], "one may be late");
      feed.take({ epoch: EPOCH, head: 4 });
    }
    await turns(() => alarms.length > 0, "alarms");
    assert.deepEqual(alarms, ["rolled_back  6 4"], how);
    feed.take({ epoch: EPOCH, batches: [group.log.add(1)] });
    assert.equal(await soon, "5!", how);
    await entries.return(undefined);
  }
});

test("follow: a server that is a moment behind is no log that was put back", async () => {
  const log = new History([2, 2, 2]);
  const { alarms, reads, feed, group, entries, next } = following(log);
  assert.equal(await next(6), "1 2 3 4 5 6");
  const behind = { epoch: EPOCH, head: 4 };
  // It answers `read` once it has what was there when it was asked; all else at once.
  group.head = behind.head;
  group.delay = () => {
    if (reads.length > 1) group.head = undefined;
    return Promise.resolve();
  };
  const soon = next(1);
  feed.lose();
  await turns(() => reads.length === 2, "the log is looked into");
  const looks = [
    () => feed.vouch(EPOCH, { seq: 4, hash: log.until(2).hash }),
    () => [feed.take(behind), feed.take(behind)],
  ];
  for (const [i, look] of looks.entries()) {
    look();
    await turns(() => reads.length === 3 + i, "it is looked into again");
  }
  feed.take({ epoch: EPOCH, batches: [log.add(1)] });
  assert.equal(await soon, "7");
  assert.deepEqual(alarms, []);
  await entries.return(undefined);
});

test("follow: a message that comes a second time under another seq counts as forged", async () => {
  const log = new History();
  const one = [midAt(NOW), "yes"] as const;
  const signed = signedBy(newSigningKey(), "id", [one]);
  log.add(1, signed);
  log.add(1, { author: "~b", messages: [one] });
  log.add(1, signed);
  const { feed, entries, alarms, next } = following(log);
  const seen = [];
  for (let i = 0; i < 3; i++) seen.push((await entries.next()).value.signature);
  assert.deepEqual(seen, ["valid", "unsigned", "invalid"]);
  feed.take({ epoch: EPOCH, batches: [log.add(1, signed)] });
  assert.equal(await next(1), "4!");
  assert.deepEqual(alarms, []);
  await entries.return(undefined);
});

test("follow: goes on from a proof, from within a batch, and from a cursor without one", async () => {
  const log = new History([2, 3, 2]);
  const proof = { base: log.end(0), tip: log.end(0) };
  for (const cursor of [2, 3, 4, 5]) {
    const own = following(log, { after: cursor, epoch: EPOCH, proof });
    assert.equal(await own.next(7 - cursor), [3, 4, 5, 6, 7].slice(cursor - 2).join(" "));
    assert.deepEqual([own.alarms, own.reads], [[], [{ after: 2 }]]);
    assert.deepEqual(own.checked.at(-1), { base: log.end(2), tip: log.end(2) });
    await own.entries.return(undefined);
    const without = following(log, { after: cursor, epoch: EPOCH });
    assert.equal(await without.next(7 - cursor), [3, 4, 5, 6, 7].slice(cursor - 2).join(" "));
    assert.deepEqual([without.alarms, without.reads], [[], [{ after: cursor }]]);
    await without.entries.return(undefined);
  }
  // At its end, what a ping says is where it begins.
  const end = following(log, { after: 7, epoch: EPOCH });
  end.group.hash = log.hash;
  const soon = end.next(1);
  await turns(() => end.checked.length > 0, "end.checked");
  end.feed.take({ epoch: EPOCH, batches: [log.add(1)] });
  assert.equal(await soon, "8");
  assert.deepEqual([end.alarms, end.reads], [[], [{ after: 7 }]]);
  await end.entries.return(undefined);
});

test("follow: a history that is another one after a restart is told, wherever the fork is", async () => {
  const log = new History([2, 3, 2]);
  const fork = (from: number) => {
    const other = log.until(from);
    for (const { count } of log.batches.slice(from)) other.add(count, { at: 2 });
    return other;
  };
  const proof = { base: log.end(1), tip: log.end(1) };
  const before = following(fork(1), { after: 5, epoch: EPOCH, proof });
  assert.equal(await before.next(2), "6! 7!");
  assert.deepEqual(before.alarms, ["forked  6"]);
  await before.entries.return(undefined);
  // Nothing came since: it asks for the hash.
  const same = following(fork(0), {
    ...{ after: 7, epoch: EPOCH, proof: { base: log.end(2), tip: log.end(2) } },
  });
  same.group.hash = same.group.log.hash;
  const soon = same.next(1);
  await turns(() => same.alarms.length > 0, "same.alarms");
  same.feed.take({ epoch: EPOCH, batches: [same.group.log.add(1)] });
  assert.equal(await soon, "8!");
  assert.deepEqual(same.alarms, ["forked  7"]);
  await same.entries.return(undefined);
  // What came live, and was never in the log.
  const live = following(fork(2), {
    ...{ after: 7, epoch: EPOCH, proof: { base: log.end(1), tip: log.end(2) } },
  });
  assert.equal(await live.next(2), "6 7");
  assert.deepEqual(live.alarms, ["corrected  6"]);
  await live.entries.return(undefined);
});

test("follow: entries that are dropped are skipped, also while the group has not said so", async () => {
  const log = new History([2, 2, 2, 2]);
  const { alarms, rests, group, entries, next } = following(log);
  group.dropped = 4;
  const soon = next(1);
  await turns(() => rests.length >= 3, "rests");
  group.tail = 5;
  assert.equal(await soon, "5");
  assert.deepEqual(alarms, []);
  assert.equal(await next(3), "6 7 8");
  // All that is left is dropped, too.
  group.dropped = 8;
  const none = following(log, { after: 2 });
  none.group.dropped = 8;
  const later = none.next(1);
  await turns(() => none.rests.length >= 3, "none.rests");
  none.group.tail = 9;
  const looks = none.reads.length;
  await turns(() => none.reads.length > looks, "another look");
  none.feed.take({ epoch: EPOCH, batches: [log.add(1)] });
  assert.equal(await later, "9");
  assert.deepEqual(none.alarms, []);
  await none.entries.return(undefined);
  await entries.return(undefined);
});

test("follow: a group that withholds entries is asked ever more seldom, told, and gone on with", async () => {
  const log = new History([2, 2, 2]);
  const { alarms, rests, reads, feed, group, entries, next } = following(log);
  group.dropped = 4;
  assert.equal(await next(2), "5 6");
  assert.deepEqual(alarms, ["withheld  1"]);
  assert.deepEqual(rests, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.ok(reads.length <= 10, `${reads.length} reads`);
  // A head that it never has: one rest a look.
  group.head = 1_000;
  const soon = next(1);
  feed.take({ epoch: EPOCH, head: 1_000 });
  await turns(() => rests.length >= 50, "rests");
  assert.ok(reads.length <= 52, `${reads.length} reads`);
  group.head = undefined;
  log.add(1);
  assert.equal(await soon, "7");
  await entries.return(undefined);
});

/** What may happen on the way from an honest group to a follower. */
const STEPS = ["append", "frame", "lost", "again", "beat", "late beat", "ping", "reset"] as const;

test("follow: each entry once and in order, however pages, frames, losses and returns mix", async () => {
  const step = fc.record({
    what: fc.constantFrom(...STEPS, "append", "frame"),
    size: fc.integer({ min: 1, max: 5 }),
    turns: fc.integer({ min: 0, max: 3 }),
    taken: fc.integer({ min: 0, max: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 5 }),
      fc.integer({ min: 1, max: 4 }),
      fc.nat({ max: 12 }),
      async (steps, sizes, limit, cursor) => {
        const log = new History(sizes);
        const after = Math.min(cursor, log.head);
        const { alarms, feed, group, entries } = following(log, { after, epoch: EPOCH });
        group.limit = limit;
        group.delay = () => turn();
        const heard: string[] = [];
        const heads = [log.head];
        const frames: ReturnType<History["add"]>[] = [];
        let may = 0;
        let more = () => {};
        const listening = (async () => {
          for await (const entry of entries) {
            heard.push(told(entry));
            while (may-- <= 0) await new Promise<void>((resolve) => more = resolve);
          }
        })();
        const take = (count: number) => {
          may = Math.max(may, 0) + count;
          more();
        };
        for (const { what, size, turns, taken } of steps) {
          if (what === "append") {
            frames.push(log.add(size));
            heads.push(log.head);
          } else if (what === "frame" || what === "again") {
            const batches = frames.slice(0, size);
            if (what === "frame") frames.splice(0, size);
            if (batches.length > 0) feed.take({ epoch: EPOCH, batches });
          } else if (what === "lost") frames.splice(0, size);
          else if (what === "beat") feed.take({ epoch: EPOCH, head: log.head });
          else if (what === "late beat") {
            feed.take({ epoch: EPOCH, head: heads.at(-size) ?? 0 });
          } else if (what === "ping") feed.vouch(EPOCH, { seq: log.head, hash: log.hash });
          else feed.lose();
          take(taken);
          for (let i = 0; i < turns; i++) await turn();
        }
        const wanted = Array.from({ length: log.head - after }, (_, i) => `${after + 1 + i}`);
        take(1_000);
        for (let i = 0; heard.length < wanted.length && i < 1_000; i++) {
          feed.take({ epoch: EPOCH, head: log.head });
          await turn();
        }
        assert.deepEqual(heard, wanted);
        assert.deepEqual(alarms, []);
        const stop = entries.return(undefined);
        feed.close();
        await Promise.all([stop, listening]);
      },
    ),
    { numRuns: 300 },
  );
});
