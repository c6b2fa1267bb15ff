/** A group that serves a history to one who follows, without a network. */

import { setImmediate as turn } from "node:timers/promises";
import { Closed, type Refusal } from "../../lib/errors.ts";
import type { Batch, GroupEntry } from "../../lib/protocol/batch.ts";
import type { Page } from "../../lib/protocol/schema.ts";
import { LiveFeed } from "../../lib/user/feed.ts";
import { follow, type FollowOptions } from "../../lib/user/follow.ts";
import type { Link } from "../../lib/user/link.ts";
import { EPOCH, type History } from "../support/history.ts";

/** A group with this history, and one who follows it. */
export function following(log: History, options: Partial<FollowOptions> = {}) {
  const reads: object[] = [];
  const failed: unknown[] = [];
  const alarms: string[] = [];
  const notes: string[] = [];
  const rests: number[] = [];
  const checked: unknown[] = [];
  const group = {
    log,
    epoch: EPOCH,
    tail: 1,
    /** Entries up to it are gone, whatever `tail` says. */
    dropped: 0,
    /** Batches of a page. */
    limit: Infinity,
    refusal: undefined as Refusal | undefined,
    /** What `ping` says; nothing where undefined. */
    hash: undefined as string | undefined,
    head: undefined as number | undefined,
    /** Awaited before each answer. */
    delay: () => Promise.resolve(),
  };
  const head = () => group.head ?? group.log.head;
  const feed = new LiveFeed({
    subscribe: async () => {
      await group.delay();
      return { epoch: group.epoch, head: head() };
    },
    unsubscribe: () => {},
  });
  const ask = async (_: string, range: { after?: number; since?: number }): Promise<Page> => {
    reads.push(range);
    await group.delay();
    if (group.refusal) throw group.refusal;
    const after = Math.max(range.after ?? 0, group.dropped);
    const all = group.log.batches.filter(({ first, count }) => first + count - 1 > after);
    const batches = all.slice(0, group.limit).map((batch) => cut(batch, range.after ?? 0));
    const more = batches.length < all.length;
    return { epoch: group.epoch, head: head(), tail: group.tail, more, batches };
  };
  const link = {
    ...{ feed, ask, know: () => {}, closedError: () => new Closed("closed") },
    ...{ target: { id: "id", name: "Lab" }, signal: new AbortController().signal },
    ping: async () => {
      await group.delay();
      if (group.hash) feed.vouch(group.epoch, { seq: head(), hash: group.hash });
    },
    alarm: (why: string, epoch: string, seq: number, at?: number) =>
      void alarms.push([why, epoch === EPOCH ? "" : "other", seq, at].join(" ").trim()),
  } as unknown as Link;
  const entries = follow(() => ({
    link,
    note: ({ type }) => void notes.push(type),
    failed: (error) => void failed.push(error),
    rest: (attempt) => (rests.push(attempt), turn()),
    checked: (_, proof) => void checked.push(proof),
    ...options,
  }));
  /** The seqs of the next entries, those that are not verified with a `!`. */
  const next = async (count: number) => {
    const seqs: string[] = [];
    while (seqs.length < count) {
      const asked = entries.next();
      let there = false;
      asked.finally(() => there = true).catch(() => {});
      await turns(() => there, `entry ${count} after ${seqs}`);
      seqs.push(told((await asked).value));
    }
    return seqs.join(" ");
  };
  return { group, reads, failed, alarms, notes, rests, checked, feed, entries, next };
}

/** Turns of the loop until it is so; at most 50,000. */
export async function turns(isSo: () => boolean, what: string): Promise<void> {
  for (let i = 0; !isSo(); i++) {
    if (i === 50_000) throw new Error(`waited in vain for ${what}`);
    await turn();
  }
}

/** `7`, `7!` where it is not verified. */
export function told({ seq, signature }: GroupEntry): string {
  return `${seq}${signature === "invalid" ? "!" : ""}`;
}

function cut(batch: Batch, after: number): Batch {
  const gone = after + 1 - batch.first;
  if (gone <= 0) return batch;
  const { hash: _, ...rest } = batch;
  const messages = batch.messages?.slice(gone);
  return { ...rest, first: after + 1, count: batch.count - gone, messages };
}
