import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, Refusal } from "../../lib/errors.ts";
import type { Batch } from "../../lib/protocol/batch.ts";
import type { Page } from "../../lib/protocol/schema.ts";
import { LiveFeed } from "../../lib/user/feed.ts";
import { follow, type FollowOptions } from "../../lib/user/follow.ts";
import type { Link } from "../../lib/user/link.ts";

const EPOCH = "00000000-0000-4000-8000-000000000000";

/** Batch of messages `first` to `first + count - 1`, of a dialect. */
function batchOf(first: number, count: number, text = ""): Batch {
  const messages = Array.from(
    { length: count },
    (_, i) => ["mid", text || `${first + i}`] as const,
  );
  return { first, count, at: 1, kind: "message", author: "~a", name: "a", messages };
}

/** A group that has these batches, and whoever follows it. */
function made(log: Batch[], options: Pick<FollowOptions, "after"> = {}) {
  const reads: object[] = [];
  const failed: unknown[] = [];
  const group: { epoch: string; refusal?: Refusal } = { epoch: EPOCH };
  const head = () => Math.max(0, ...log.map(({ first, count }) => first + count - 1));
  const feed = new LiveFeed({
    subscribe: () => Promise.resolve({ epoch: group.epoch, head: head() }),
    unsubscribe: () => {},
  });
  const ask = (_: string, range: { after?: number }): Promise<Page> => {
    reads.push(range);
    if (group.refusal) return Promise.reject(group.refusal);
    const after = range.after ?? 0;
    const batches = log.filter(({ first, count }) => first + count - 1 > after);
    return Promise.resolve({ epoch: group.epoch, head: head(), tail: 1, more: false, batches });
  };
  const link = {
    ...{ feed, ask, know: () => {}, closedError: () => new Closed("closed") },
    ...{ target: { id: "id", name: "Lab" }, signal: new AbortController().signal },
  } as unknown as Link;
  const note = () => {};
  const failing = (error: unknown) => void failed.push(error);
  const entries = follow(() => ({ link, note, failed: failing, ...options }));
  const next = async (count: number) => {
    const seqs: number[] = [];
    while (seqs.length < count) seqs.push((await entries.next()).value.seq);
    return seqs;
  };
  return { log, reads, failed, feed, entries, next, group };
}

test("follow: gives the log and then what comes live, each entry whole and once", async () => {
  const { log, reads, feed, entries, next } = made([batchOf(1, 3), batchOf(4, 2)], { after: 1 });
  const { value } = await entries.next();
  assert.deepEqual(value, {
    ...{ group: "Lab", epoch: EPOCH, seq: 2, at: 1, kind: "message", author: "~a", name: "a" },
    ...{ mid: "mid", text: "2", signature: "unsigned" },
  });
  assert.deepEqual(await next(3), [3, 4, 5]);
  log.push(batchOf(6, 2));
  feed.take({ epoch: EPOCH, batches: [batchOf(4, 4)] });
  assert.deepEqual(await next(2), [6, 7]);
  assert.equal(reads.length, 1);
  await entries.return(undefined);
});

test("follow: a head that is being taken asks the log nothing, one beyond it does", async () => {
  const { log, reads, feed, entries, next } = made([batchOf(1, 3)]);
  assert.deepEqual(await next(2), [1, 2]);
  feed.take({ epoch: EPOCH, head: 3 });
  assert.deepEqual(await next(1), [3]);
  feed.take({ epoch: EPOCH, batches: [batchOf(4, 2)] });
  assert.deepEqual(await next(1), [4]);
  feed.take({ epoch: EPOCH, head: 5 });
  assert.deepEqual(await next(1), [5]);
  assert.equal(reads.length, 1);
  log.push(batchOf(4, 2), batchOf(6, 1));
  feed.take({ epoch: EPOCH, head: 6 });
  assert.deepEqual(await next(1), [6]);
  assert.deepEqual(reads, [{ after: 0 }, { after: 5 }]);
  await entries.return(undefined);
});

test("follow: a hole, and more than a slow consumer may leave, are read from the log", async () => {
  const { log, reads, feed, entries, next } = made([batchOf(1, 1)]);
  assert.deepEqual(await next(1), [1]);
  log.push(batchOf(2, 2), batchOf(4, 1));
  feed.take({ epoch: EPOCH, batches: [batchOf(4, 1)] });
  assert.deepEqual(await next(3), [2, 3, 4]);
  const much = "x".repeat(600_000);
  log.push(batchOf(5, 1, much), batchOf(6, 1, much));
  feed.take({ epoch: EPOCH, batches: log.slice(-2) });
  assert.deepEqual(await next(2), [5, 6]);
  assert.deepEqual(reads, [{ after: 0 }, { after: 1 }, { after: 4 }]);
  await entries.return(undefined);
});

test("follow: another epoch starts over, a refusal is told and thrown", async () => {
  const { log, failed, feed, entries, next, group } = made([batchOf(1, 2)]);
  assert.deepEqual(await next(2), [1, 2]);
  const other = "11111111-1111-4111-8111-111111111111";
  group.epoch = other;
  log.splice(0, 1, batchOf(1, 1));
  feed.take({ epoch: other, head: 1 });
  const { value } = await entries.next();
  assert.deepEqual([value.seq, value.epoch], [1, other]);
  const refusal = new Refusal("not_member", "join first");
  group.refusal = refusal;
  feed.take({ epoch: other, head: 9 });
  await assert.rejects(entries.next(), refusal);
  assert.deepEqual(failed, [refusal]);
});
