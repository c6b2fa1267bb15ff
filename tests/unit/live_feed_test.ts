import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, Refusal } from "../../lib/errors.ts";
import type { FeedFrame } from "../../lib/protocol/schema.ts";
import { type FeedListener, LiveFeed } from "../../lib/user/feed.ts";

const EPOCH = "00000000-0000-4000-8000-000000000000";

/** A feed, what it asked the group, and a group that answers when it is told. */
function made() {
  const said: string[] = [];
  const signals: AbortSignal[] = [];
  const answers: { resolve(head: number): void; reject(error: unknown): void }[] = [];
  const feed = new LiveFeed({
    subscribe: (signal) =>
      new Promise((resolve, reject) => {
        said.push("subscribe");
        signals.push(signal);
        answers.push({ resolve: (head) => resolve({ epoch: EPOCH, head }), reject });
      }),
    unsubscribe: () => void said.push("unsubscribe"),
    silent: () => void said.push("silent"),
  });
  const closed = () => new Closed("closed");
  const subscribe = (signal = new AbortController().signal) => feed.subscribe(signal, closed);
  return { said, signals, answers, feed, subscribe };
}

/** A follower that counts. */
class Ear implements FeedListener {
  frames: FeedFrame[] = [];
  claims: unknown[] = [];
  woken = 0;
  closed = 0;
  take(frame: FeedFrame): void {
    this.frames.push(frame);
  }
  vouch(...claim: Parameters<FeedListener["vouch"]>): void {
    this.claims.push(claim);
  }
  wake(): void {
    this.woken++;
  }
  close(): void {
    this.closed++;
  }
}

test("live feed: followers share one subscription and its frames, and the last one ends it", async () => {
  const { said, answers, feed, subscribe } = made();
  const ears = [new Ear(), new Ear()];
  const detach = ears.map((ear) => feed.attach(ear));
  assert.ok(!feed.isFresh);
  const both = [subscribe(), subscribe()];
  assert.deepEqual(said, ["subscribe"]);
  answers[0].resolve(7);
  assert.deepEqual(await Promise.all(both), Array(2).fill({ turn: 1, epoch: EPOCH, head: 7 }));
  assert.ok(feed.isFresh);
  feed.take({ epoch: EPOCH, head: 8 });
  assert.deepEqual(ears.map(({ frames }) => frames.length), [1, 1]);
  detach[0]();
  detach[0]();
  feed.take({ epoch: EPOCH, head: 9 });
  assert.deepEqual(ears.map(({ frames }) => frames.length), [1, 2]);
  assert.deepEqual(said, ["subscribe"]);
  detach[1]();
  assert.deepEqual(said, ["subscribe", "unsubscribe"]);
  assert.ok(!feed.isFresh, "nobody hears it any more");
});

test("live feed: one that is lost stays lost until it is asked for again, whatever comes", async () => {
  const { said, answers, feed, subscribe } = made();
  const ear = new Ear();
  feed.attach(ear);
  const first = subscribe();
  answers[0].resolve(1);
  await first;
  feed.lose();
  assert.equal(ear.woken, 1);
  feed.take({ epoch: EPOCH, head: 2 });
  assert.ok(!feed.isFresh);
  const second = subscribe();
  answers[1].resolve(2);
  assert.equal((await second).turn, 2);
  assert.ok(feed.isFresh);
  assert.deepEqual(said, ["subscribe", "subscribe"]);
});

test("live feed: silence is told once, after 3 s of ticks; a frame ends it", async () => {
  const { said, answers, feed, subscribe } = made();
  const ear = new Ear();
  const detach = feed.attach(ear);
  for (let ticks = 0; ticks < 20; ticks++) feed.tick();
  assert.equal(ear.woken, 0, "nobody has asked for it yet");
  const asked = subscribe();
  answers[0].resolve(1);
  await asked;
  for (let ticks = 0; ticks < 6; ticks++) feed.tick();
  assert.deepEqual([feed.isFresh, ear.woken], [true, 0]);
  for (let ticks = 0; ticks < 20; ticks++) feed.tick();
  assert.deepEqual([feed.isFresh, ear.woken], [false, 1]);
  assert.deepEqual(said, ["subscribe", "silent"]);
  feed.take({ epoch: EPOCH, head: 2 });
  assert.ok(feed.isFresh);
  detach();
});

test("live feed: a refusal goes to all who asked, an end to one of them to that one alone", async () => {
  const { said, answers, feed, subscribe } = made();
  const detach = [feed.attach(new Ear()), feed.attach(new Ear()), feed.attach(new Ear())];
  const stop = new AbortController();
  const [one, two, ended] = [subscribe(), subscribe(), subscribe(stop.signal)];
  stop.abort();
  await assert.rejects(ended, Closed);
  answers[0].reject(new Refusal("not_member", "join first"));
  await assert.rejects(one, { code: "not_member" });
  await assert.rejects(two, { code: "not_member" });
  const again = subscribe();
  answers[1].resolve(1);
  await again;
  for (const end of detach) end();
  assert.deepEqual(said, ["subscribe", "subscribe", "unsubscribe"]);
});

test("live feed: what the group vouches for goes to all who follow, and is no sign of the feed", () => {
  const { feed } = made();
  const [one, other, gone] = [new Ear(), new Ear(), new Ear()];
  const detach = [one, other, gone].map((ear) => feed.attach(ear));
  detach[2]();
  feed.vouch(EPOCH, { seq: 7, hash: "hash" });
  for (const { claims } of [one, other]) {
    assert.deepEqual(claims, [[EPOCH, { seq: 7, hash: "hash" }]]);
  }
  assert.deepEqual([gone.claims, feed.isFresh], [[], false]);
  for (const end of detach) end();
});

test("live feed: when the last follower goes, asking ends, and the next one asks anew", async () => {
  const { said, signals, answers, feed, subscribe } = made();
  const detach = feed.attach(new Ear());
  const asked = subscribe();
  detach();
  assert.ok(signals[0].aborted);
  assert.deepEqual(said, ["subscribe"], "nothing was subscribed to");
  answers[0].reject(new Closed("closed"));
  await assert.rejects(asked, Closed);
  const again = feed.attach(new Ear());
  const second = subscribe();
  assert.ok(!signals[1].aborted);
  answers[1].resolve(3);
  assert.deepEqual(await second, { turn: 1, epoch: EPOCH, head: 3 });
  again();
  assert.deepEqual(said, ["subscribe", "subscribe", "unsubscribe"]);
});

test("live feed: a close ends asking and all who follow, and one who goes in a frame is not missed", async () => {
  const { signals, answers, feed, subscribe } = made();
  const ears = [new Ear(), new Ear()];
  const detach: (() => void)[] = [];
  const leaving = new Ear();
  leaving.take = () => detach[0]();
  detach.push(feed.attach(leaving));
  for (const ear of ears) detach.push(feed.attach(ear));
  feed.take({ epoch: EPOCH, head: 1 });
  feed.take({ epoch: EPOCH, head: 2 });
  assert.deepEqual(ears.map(({ frames }) => frames.length), [2, 2]);
  const asked = subscribe();
  feed.close();
  assert.ok(signals[0].aborted);
  assert.deepEqual([...ears, leaving].map(({ closed }) => closed), [1, 1, 0]);
  answers[0].reject(new Closed("closed"));
  await assert.rejects(asked, Closed);
  for (const end of detach) end();
});
