import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, Refusal } from "../../lib/errors.ts";
import type { FeedFrame } from "../../lib/protocol/schema.ts";
import { type FeedListener, LiveFeed } from "../../lib/user/feed.ts";

const EPOCH = "00000000-0000-4000-8000-000000000000";

/** A feed, what it asked the group, and a group that answers when it is told. */
function made() {
  const said: string[] = [];
  const answers: { resolve(head: number): void; reject(error: unknown): void }[] = [];
  const feed = new LiveFeed({
    subscribe: () =>
      new Promise((resolve, reject) => {
        said.push("subscribe");
        answers.push({ resolve: (head) => resolve({ epoch: EPOCH, head }), reject });
      }),
    unsubscribe: () => void said.push("unsubscribe"),
  });
  const closed = () => new Closed("closed");
  const subscribe = (signal = new AbortController().signal) => feed.subscribe(signal, closed);
  return { said, answers, feed, subscribe };
}

/** A follower that counts. */
class Ear implements FeedListener {
  frames: FeedFrame[] = [];
  woken = 0;
  take(frame: FeedFrame): void {
    this.frames.push(frame);
  }
  wake(): void {
    this.woken++;
  }
  close(): void {}
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
  const { answers, feed, subscribe } = made();
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
