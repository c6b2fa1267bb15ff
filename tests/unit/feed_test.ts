import assert from "node:assert/strict";
import { setImmediate, setTimeout } from "node:timers/promises";
import { test } from "node:test";
import { Feed, type Follower } from "../../lib/group/feed.ts";
import type { ReadBatch } from "../../lib/log/log.ts";
import { decodeFeed, decodeSaid } from "../../lib/protocol/codec.ts";
import { LIVE_BYTES } from "../../lib/protocol/limits.ts";
import type { FeedFrame, Push } from "../../lib/protocol/schema.ts";
import { FeedReader } from "../../lib/session/feed_reader.ts";
import type { Encoded } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";

/** It is so after some turns of the loop: no timer is waited for, however long the turns take. */
async function atOnce(isSo: () => boolean): Promise<void> {
  for (let turns = 0; !isSo(); turns++) {
    assert.ok(turns < 500, "not at once");
    await setImmediate();
  }
}

const EPOCH = "00000000-0000-4000-8000-000000000001";

/** A follower that opens what it can with the keys it was given. */
class Ear implements Follower {
  readonly frames: FeedFrame[] = [];
  /** Packets that none of its keys opens. */
  sealed = 0;
  pushes = 0;
  reads = true;
  readonly #reader = new FeedReader();

  follow(feed: Feed): this {
    const { generation, key } = feed.follow(this);
    this.#reader.add(generation, key);
    return this;
  }

  feed({ bytes }: Encoded): boolean {
    if (!this.reads) return false;
    const plaintext = this.#reader.read(bytes, () => {});
    if (plaintext) this.frames.push(decodeFeed(plaintext));
    else this.sealed++;
    return true;
  }

  push(json: string): boolean {
    const { generation, key } = decodeSaid(new TextEncoder().encode(json)) as Push;
    this.#reader.add(generation, key);
    this.pushes++;
    return true;
  }

  /** The seqs heard, in order; heads as negative numbers. */
  get heard(): number[] {
    return this.frames.flatMap(({ batches, head }) =>
      batches ? batches.map(({ first }) => first) : head === undefined ? [] : [-head]
    );
  }
}

/** A follower that costs next to nothing. */
class Counter implements Follower {
  frames = 0;
  pushes = 0;

  feed(): boolean {
    this.frames++;
    return true;
  }

  push(): boolean {
    this.pushes++;
    return true;
  }
}

/** So many counters and, behind them, one that listens. */
function masses(feed: Feed, n: number): { ear: Ear; counters: Counter[] } {
  const counters = Array.from({ length: n - 1 }, () => new Counter());
  for (const counter of counters) feed.follow(counter);
  return { ear: new Ear().follow(feed), counters };
}

function feedOf(run: (feed: Feed, frames: () => number) => Promise<void> | void): Promise<void> {
  let frames = 0;
  const feed = new Feed({
    epoch: EPOCH,
    encode: (bytes) => {
      frames++;
      return { frames: [bytes], bytes };
    },
    failed: (error) => {
      throw error;
    },
  });
  return Promise.resolve(run(feed, () => frames)).finally(() => feed.close());
}

function batch(first: number, text = "", kind = "message"): ReadBatch {
  const what = kind === "message"
    ? { messages: [["00000000-0000-7000-8000-000000000000", text]] }
    : { body: { role: "member" } };
  const json = JSON.stringify({ first, count: 1, at: 1, kind, author: "~a", name: "a", ...what });
  return { first, count: 1, at: 1, json };
}

function crowd(feed: Feed, n: number): Ear[] {
  return Array.from({ length: n }, () => new Ear().follow(feed));
}

/** Waits until as many were heard; a slice may end behind any follower. */
async function heard(ear: Ear, count: number): Promise<void> {
  await until(() => ear.heard.length >= count, 2_000, `${count} heard`);
}

test("feed: what is published reaches each follower, sealed once", () =>
  feedOf(async (feed, frames) => {
    const [a, b] = crowd(feed, 2);
    feed.entries([batch(1), batch(2)], false);
    await heard(b, 2);
    assert.deepEqual([a.heard, b.heard], [[1, 2], [1, 2]]);
    assert.deepEqual(a.frames[0].from, 1);
    assert.equal(a.frames[0].epoch, EPOCH);
    assert.equal(frames(), 1);
  }));

test("feed: who unfollows hears nothing more, and the others keep their key", () =>
  feedOf(async (feed) => {
    const [a, b] = crowd(feed, 2);
    feed.unfollow(a);
    feed.entries([batch(1)], false);
    await heard(b, 1);
    assert.deepEqual([a.heard, b.heard, b.pushes], [[], [1], 0]);
  }));

test("feed: after a removal a former key opens nothing, and each who stays has another", () =>
  feedOf(async (feed) => {
    const [gone, ...others] = crowd(feed, 4);
    feed.entries([batch(1)], false);
    await heard(others[2], 1);
    feed.out([gone], true);
    // The wire still shows all to who is out.
    others[0].feed = (message) => gone.feed(message) && Ear.prototype.feed.call(others[0], message);
    feed.entries([batch(2)], false);
    await heard(others[2], 2);
    assert.deepEqual([gone.heard, gone.sealed], [[1], 1]);
    for (const other of others) assert.deepEqual([other.heard, other.pushes], [[1, 2], 1]);
  }));

test("feed: removals while a crowd is written to leave nobody without a key", () =>
  feedOf(async (feed) => {
    const ears = crowd(feed, 3_000);
    const gone: Ear[] = [];
    for (let seq = 1; seq <= 40; seq++) {
      feed.entries([batch(seq, "x".repeat(300))], false);
      if (seq % 4 === 0) {
        const ear = ears.pop()!;
        gone.push(ear);
        feed.out([ear], true);
      }
      await setImmediate();
    }
    await until(() => ears.every((ear) => ear.heard.at(-1) === 40), 5_000, "all heard");
    const wanted = Array.from({ length: 40 }, (_, i) => i + 1);
    for (const ear of ears) assert.deepEqual([ear.heard, ear.sealed], [wanted, 0]);
    gone.forEach((ear, i) => assert.ok((ear.heard.at(-1) ?? 0) <= 4 * (i + 1)));
  }));

test("feed: those who leave a crowd of their own will share one turn of the key", () =>
  feedOf(async (feed) => {
    const ears = crowd(feed, 200);
    feed.out([ears.pop()!], true); // The key turned just now.
    await atOnce(() => ears.at(-1)!.pushes === 1);
    await setImmediate();
    const leaving = ears.splice(0, 20);
    for (const ear of leaving) feed.out([ear], false);
    feed.entries([batch(1)], false);
    await heard(ears.at(-1)!, 1);
    assert.deepEqual([ears[0].pushes, ears[0].heard, leaving[0].heard], [1, [1], []]);
    await until(() => ears[0].pushes === 2, 3_000, "the key turned");
    feed.entries([batch(2)], false);
    await until(() => ears.every(({ heard }) => heard.length === 2), 1_000, "all heard");
    assert.ok(ears.every(({ pushes, sealed }) => pushes === 2 && sealed === 0));
  }));

test("feed: comings and goings in a crowd are heard together, a message brings them at once", () =>
  feedOf(async (feed, frames) => {
    const ears = crowd(feed, 2_000);
    for (let seq = 1; seq <= 50; seq++) feed.entries([batch(seq, "", "join")], true);
    await setTimeout(20); // Timers that fall due sooner have fired by then.
    assert.equal(frames(), 0);
    feed.entries([batch(51)], false);
    await atOnce(() => ears[1_999].heard.length === 51);
    assert.equal(frames(), 1);
    for (let seq = 52; seq <= 60; seq++) feed.entries([batch(seq, "", "leave")], true);
    await until(() => ears[1_999].heard.length === 60, 1_500, "heard without a message, too");
    assert.equal(frames(), 2);
  }));

test("feed: few followers hear comings and goings at once", () =>
  feedOf((feed) => {
    const [ear] = crowd(feed, 50); // The first is written to before this returns.
    feed.entries([batch(1, "", "join")], true);
    assert.deepEqual(ear.heard, [1]);
  }));

test("feed: what comes while a crowd is written to is merged into frames of 64 KiB", () =>
  feedOf(async (feed, frames) => {
    const { ear } = masses(feed, 100_000);
    const text = "x".repeat(1_000);
    for (let seq = 1; seq <= 300; seq++) feed.entries([batch(seq, text)], false);
    await until(() => ear.heard.length === 300, 10_000, "all heard");
    assert.deepEqual(ear.heard, Array.from({ length: 300 }, (_, i) => i + 1));
    // One for the first, and one for each 64 KiB of the rest.
    assert.equal(frames(), 7);
    for (const { batches } of ear.frames) assert.ok(JSON.stringify(batches).length <= LIVE_BYTES);
  }));

test("feed: where too much waits, followers are told the head instead", () =>
  feedOf(async (feed) => {
    const { ear } = masses(feed, 100_000);
    const text = "x".repeat(60_000);
    const many = Array.from({ length: 149 }, (_, i) => batch(i + 2, text));
    feed.entries([batch(1)], false);
    feed.entries(many, false);
    await until(() => ear.heard.length === 2, 20_000, "the head");
    feed.entries([batch(151)], false);
    await until(() => ear.heard.length === 3, 20_000, "what comes next");
    assert.deepEqual(ear.heard, [1, -150, 151]);
    // One after the other makes a hole, which what comes next shows as well.
    for (const [i, one] of many.entries()) feed.entries([{ ...one, first: i + 152 }], false);
    await until(() => ear.frames.at(-1)?.from === 300, 20_000, "the newest");
    assert.ok(ear.frames.length < 20);
  }));

test("feed: a head tells no more than what went before it, and is left out behind a frame", () =>
  feedOf(async (feed, frames) => {
    const ear = crowd(feed, 100).at(-1)!;
    feed.head(7);
    await heard(ear, 1);
    assert.deepEqual(ear.heard, [-7]);
    await setImmediate();
    feed.entries([batch(8, "", "join")], true);
    feed.head(8);
    await heard(ear, 2);
    await setImmediate();
    assert.deepEqual(ear.heard, [-7, 8]);
    feed.head(8);
    assert.equal(frames(), 2);
  }));

test("feed: a head that says nothing new goes to many every other second alone", () =>
  feedOf(async (feed) => {
    for (const [size, told] of [[500, [-7, -7, -8]], [501, [-7, -8]]] as const) {
      const { ear } = masses(feed, size - feed.followers);
      for (const head of [7, 7, 8]) {
        feed.head(head);
        await until(() => ear.heard.length > 0, 2_000, "a head");
        await setImmediate();
      }
      await heard(ear, told.length);
      assert.deepEqual(ear.heard, told);
      feed.head(size);
      await heard(ear, told.length + 1);
    }
  }));

test("feed: what waits for others in a great crowd is not hurried by a head, nor told twice", () =>
  feedOf(async (feed, frames) => {
    const { ear } = masses(feed, 2_000);
    const began = performance.now();
    feed.entries([batch(1)], false);
    await heard(ear, 1);
    feed.entries([batch(2, "", "join")], true);
    /** Says the head again and again until so long after the beginning, ms. */
    const heads = (ms: number) =>
      until(
        () => {
          feed.head(2);
          return performance.now() - began > ms;
        },
        5_000,
        `${ms} ms`,
      );
    await heads(600); // Behind the time for which a frame with batches is head enough.
    assert.equal(frames(), 1);
    await heard(ear, 2);
    await heads(1_450);
    assert.deepEqual(ear.heard, [1, 2]);
  }));

test("feed: hints are dropped when there are too many, of one or of all", () =>
  feedOf(async (feed, frames) => {
    const [ear] = crowd(feed, 1_000);
    const settled = async () => {
      for (let before = -1; before !== frames();) {
        before = frames();
        await setImmediate();
      }
    };
    const begin = performance.now();
    const back = () => Math.ceil((performance.now() - begin) / 1_000);
    for (let i = 0; i < 50; i++) {
      feed.typing("~one", "One");
      await settled();
    }
    // A burst of four, and one a second that came back meanwhile.
    assert.ok(frames() >= 4 && frames() <= 4 + back(), String(frames()));
    for (let i = 0; i < 500; i++) {
      feed.typing(`~user${i}`, "Any");
      await settled();
    }
    // A burst of 20,000 writes, and 10,000 a second.
    assert.ok(frames() >= 20 && frames() <= 20 + 10 * back(), String(frames()));
    assert.deepEqual(ear.frames[0].typing, { user: "~one", name: "One" });
  }));

test("feed: a follower that fails is put out alone", async () => {
  const failures: unknown[] = [];
  const feed = new Feed({
    epoch: EPOCH,
    encode: (bytes) => ({ frames: [bytes], bytes }),
    failed: (error) => failures.push(error),
  });
  const [bad, good] = crowd(feed, 2);
  bad.feed = () => {
    throw new Error("broken");
  };
  feed.entries([batch(1)], false);
  await heard(good, 1);
  feed.entries([batch(2)], false);
  await heard(good, 2);
  assert.deepEqual(good.heard, [1, 2]);
  assert.equal(failures.length, 1);
  assert.equal(feed.followers, 1);
  feed.close();
  feed.entries([batch(3)], false);
  assert.deepEqual(good.heard, [1, 2]);
});

test("feed: the loop is not held while a crowd is written to", () =>
  feedOf(async (feed) => {
    const { ear, counters } = masses(feed, 300_000);
    let turns = 0;
    feed.entries([batch(1)], false);
    while (ear.heard.length === 0) {
      await setImmediate();
      turns++;
    }
    assert.equal(counters.every(({ frames }) => frames === 1), true);
    assert.ok(turns > 3, `${turns} turns`);
  }));

test("feed: who follows again hears each frame once, with the key that it has", () =>
  feedOf(async (feed) => {
    const ear = new Ear().follow(feed).follow(feed);
    assert.equal(feed.followers, 1);
    feed.entries([batch(1)], false);
    await heard(ear, 1);
    assert.deepEqual([ear.heard, ear.sealed], [[1], 0]);
  }));

test("feed: who comes while others are told hears what comes after, in order", () =>
  feedOf(async (feed) => {
    const [early] = crowd(feed, 1);
    feed.entries([batch(1)], false);
    const late = new Ear().follow(feed);
    feed.entries([batch(2)], false);
    feed.entries([batch(3)], false);
    await until(() => late.heard.at(-1) === 3 && early.heard.length === 3, 2_000, "all heard");
    assert.deepEqual(early.heard, [1, 2, 3]);
    assert.deepEqual(late.heard.filter((seq) => seq > 1), [2, 3]);
  }));

test("feed: when the last one is put out the key turns, though nobody is there to be told", () =>
  feedOf((feed) => {
    const ear = new Ear();
    const before = feed.follow(ear);
    feed.out([ear], true);
    const after = feed.follow(new Ear());
    assert.deepEqual([feed.followers, after.generation], [1, before.generation + 1]);
    assert.notEqual(after.key, before.key);
    assert.equal(ear.pushes, 0);
  }));

test("feed: nothing is made for nobody", () =>
  feedOf(async (feed, frames) => {
    feed.entries([batch(1)], false);
    feed.typing("a", "Ada");
    feed.head(1);
    await setImmediate();
    assert.equal(frames(), 0);
    // What came before is not told to who comes.
    const ear = new Ear().follow(feed);
    feed.entries([batch(2)], false);
    await heard(ear, 1);
    assert.deepEqual(ear.heard, [2]);
  }));

test("feed: nothing goes out once it is closed, not even what waited", () =>
  feedOf(async (feed, frames) => {
    const { ear } = masses(feed, 60);
    feed.entries([batch(1, "", "join")], true); // Waits for others.
    feed.close();
    feed.entries([batch(2)], false);
    feed.head(2);
    feed.typing("a", "Ada");
    feed.out([ear], true);
    await setTimeout(60);
    assert.deepEqual([feed.followers, frames(), ear.heard, ear.pushes], [0, 0, [], 0]);
    feed.close();
  }));
