/**
 * The one order of a group: decide, append, apply, answer, publish, for one commit at a time.
 *
 * What arrives while a commit runs waits and becomes the next commit, so that one fsync serves
 * all who wait (group commit). The queue is bounded: what does not fit is refused as `busy`.
 */

import { DiskFull, Fenced, LogAway, Refusal } from "../errors.ts";
import type { Commit, Log, MemberRow, Place, Places, ReadBatch, StoredBatch } from "../log/log.ts";
import { MAX_OVER } from "../log/mids.ts";
import { type Batch, encodeEntries } from "../protocol/batch.ts";
import type { Decision } from "./decide/decision.ts";
import { noHolder } from "./role.ts";
import { apply, change, type Changes, type GroupState, place, remember, touched } from "./state.ts";

/** Something to be decided when it is its turn. */
export interface Job<R> {
  /** How much of the queue's bound it takes, bytes. */
  readonly size: number;
  /** Messages that may be in the log already, whose places are looked up before it is decided. */
  readonly messages?: {
    readonly author: string;
    /** Their mids, in lists that are looked up alone; the author's greatest is in the state by now. */
    suspects(state: GroupState): readonly (readonly string[])[];
    /** Called before they are looked up. @throws {Refusal} its author has had its share of that */
    lookUp(): void;
    /** That took so long, ms. */
    lookedUp(ms: number): void;
  };
  /** @throws {Refusal} and nothing changes */
  decide(state: GroupState, seen: Places, now: number): Decision<R>;
}

/** A job in the queue, and how it is answered: one of both, once. */
interface Waiting<R> {
  readonly job: Job<R>;
  resolve(reply: R): void;
  reject(error: unknown): void;
}

const NOWHERE: Places = new Map();

const MAX_QUEUE_JOBS = 10_000;
const MAX_QUEUE_BYTES = 64 * 1_048_576;
/** One commit stops growing here: it holds the event loop, and its answers wait for all of it. */
const MAX_COMMIT_BYTES = 131_072;
const MAX_COMMIT_JOBS = 128;
/** An append that takes longer than this, ms, has its log on a machine that does not answer. */
const STALLS_AFTER = 2_000;
/** Time after which no further job is decided on for one commit, ms. */
const MAX_COMMIT_MS = 8;

export interface WriterOptions {
  readonly log: Log;
  readonly state: GroupState;
  readonly now: () => number;
  /** After each commit, in order: it is what readers see from now on, and who is answered goes by it. */
  committed(read: readonly ReadBatch[]): void;
  /** After its answers: what the live feed gets. */
  tell(batches: readonly Batch[], read: readonly ReadBatch[]): void;
  /** The disk is full, or has room again; called when that changes. */
  full(now: boolean): void;
  /** The log failed for good, or is another server's; nothing is accepted any more. */
  broken(error: unknown): void;
}

/** Decides, appends and applies what is asked of a group. */
export class Writer {
  readonly #options: WriterOptions;
  #queue: Waiting<unknown>[] = [];
  #bytes = 0;
  #running: Promise<void> | undefined;
  #refuse: Refusal | undefined;
  #full = false;
  /** When the append that is under way began, ms by `performance.now()`; Infinity for none. */
  #appending = Infinity;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Decides a job after all that were submitted before; resolves with its reply when it is on disk.
   *
   * @throws {Refusal} its own, `busy`, `disk_full`, `stopping`
   */
  submit<R>(job: Job<R>): Promise<R> {
    if (this.#refuse) return Promise.reject(this.#refuse);
    if (this.#isBusy(job)) {
      return Promise.reject(
        new Refusal("busy", "Cannot accept that now: too much waits to be written, try again", {
          retryAfter: 250,
        }),
      );
    }
    return new Promise<R>((resolve, reject) => {
      this.#queue.push({ job, resolve, reject } as Waiting<unknown>);
      this.#bytes += job.size;
      this.#running ??= this.#run();
    });
  }

  #isBusy({ size }: Job<unknown>): boolean {
    return this.#queue.length >= MAX_QUEUE_JOBS || this.#bytes + size > MAX_QUEUE_BYTES ||
      performance.now() - this.#appending > STALLS_AFTER;
  }

  /** Refuses what comes, finishes what waits. */
  async close(): Promise<void> {
    this.#refuse ??= new Refusal("stopping", "Cannot accept that: the group is stopping");
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      do {
        // One turn, so that all that arrived together shares one commit.
        await new Promise((resolve) => setImmediate(resolve));
        await this.#commit(this.#take());
      } while (this.#queue.length > 0);
    } catch (error) {
      this.#break(error);
    } finally {
      this.#running = undefined;
    }
  }

  #take(): Waiting<unknown>[] {
    let bytes = 0;
    let n = 0;
    const most = Math.min(this.#queue.length, MAX_COMMIT_JOBS);
    while (n < most && (n === 0 || bytes < MAX_COMMIT_BYTES)) bytes += this.#queue[n++].job.size;
    this.#bytes -= bytes;
    if (n === this.#queue.length) {
      const all = this.#queue;
      this.#queue = [];
      return all;
    }
    return this.#queue.splice(0, n);
  }

  #putBack(waiting: readonly Waiting<unknown>[]): void {
    this.#bytes += waiting.reduce((sum, { job }) => sum + job.size, 0);
    this.#queue = [...waiting, ...this.#queue];
  }

  async #commit(taken: readonly Waiting<unknown>[]): Promise<void> {
    const { log, state, committed, tell } = this.#options;
    const { head } = state;
    const end = performance.now() + MAX_COMMIT_MS;
    /** What this commit decides on; what there is no time for is in the next. */
    const waiting: Waiting<unknown>[] = [];
    const undo: (() => void)[] = [];
    const answers: (() => void)[] = [];
    const batches: Batch[] = [];
    const values: Record<string, string | undefined> = {};
    for (const one of taken) {
      if (waiting.length > 0 && performance.now() >= end) break;
      waiting.push(one);
      const { job, resolve, reject } = one;
      try {
        const { placed, changes, reply } = await this.#stage(job, batches, undo);
        Object.assign(values, changes);
        answers.push(() => {
          try {
            resolve(reply(placed));
          } catch (error) {
            reject(error); // It is on disk all the same, and others wait for their answers.
          }
        });
      } catch (error) {
        // Where its messages stand could not be asked: who sent them asks again.
        const refusal = error instanceof LogAway ? noHolder(error) : error;
        answers.push(() => reject(refusal));
      }
    }
    if (waiting.length < taken.length) this.#putBack(taken.slice(waiting.length));
    let read: readonly ReadBatch[] = [];
    if (batches.length > 0 || Object.keys(values).length > 0) {
      try {
        this.#appending = performance.now();
        read = await log.append(head, toCommit(state, batches, values));
        this.#isFull(false);
      } catch (error) {
        for (const step of undo.reverse()) step();
        const refusal = unwritten(error);
        for (const { reject } of waiting) reject(refusal);
        if (error instanceof DiskFull) return this.#isFull(true);
        throw error;
      } finally {
        this.#appending = Infinity;
      }
    }
    if (read.length > 0) committed(read);
    for (const answer of answers) answer();
    if (read.length === 0) return;
    await undefined; // The answers are on their way before the feed is.
    tell(batches, read);
  }

  #isFull(full: boolean): void {
    if (full === this.#full) return;
    this.#full = full;
    this.#options.full(full);
  }

  /** Decides a job and applies what it came to. */
  async #stage<R>({ decide, messages }: Job<R>, batches: Batch[], undo: (() => void)[]) {
    const { state, now } = this.#options;
    const seen = messages ? await this.#places(messages, batches) : NOWHERE;
    const time = now();
    const { drafts, values: changes = {}, reply } = decide(state, seen, time);
    const placed = drafts.map((draft) => {
      const batch = place(state, draft, time);
      undo.push(remember(state, batch));
      apply(state, batch);
      batches.push(batch);
      return batch;
    });
    undo.push(change(state, changes));
    return { placed, changes, reply };
  }

  /** Where messages stand, in the log or among the batches that wait for this very commit. */
  async #places(
    { author, suspects, lookUp, lookedUp }: NonNullable<Job<unknown>["messages"]>,
    batches: readonly Batch[],
  ): Promise<Places> {
    const { state, log } = this.#options;
    if (state.members.has(author) && !state.lastMid.has(author)) {
      const before = await log.lastMid(author) ?? "";
      state.lastMid.set(author, batches.reduce((last, b) => later(last, b, author), before));
    }
    const lists = suspects(state);
    if (lists.length === 0) return NOWHERE;
    lookUp();
    const began = performance.now();
    const own = batches.filter((batch) => batch.author === author && batch.messages);
    const seen = new Map<string, Place>();
    try {
      for (const mids of lists) {
        const found = countOver(own, mids) > MAX_OVER ? undefined : await log.find(author, mids);
        if (!found) throw new Refusal("bad_request", TOO_MANY_OVER);
        for (const [mid, place] of [...found, ...among(own, mids)]) seen.set(mid, place);
      }
      return seen;
    } finally {
      lookedUp(performance.now() - began);
    }
  }

  #break(error: unknown): void {
    this.#refuse = unwritten(error);
    for (const { reject } of this.#queue.splice(0)) reject(this.#refuse);
    this.#options.broken(error);
  }
}

/** What those are told whose work was not written, or not as far as is known here. */
function unwritten(cause: unknown): Refusal {
  if (cause instanceof DiskFull) {
    return new Refusal("disk_full", "Cannot write: the group's disk is full, try again later", {
      retryAfter: 2_000,
      cause,
    });
  }
  if (cause instanceof Fenced) return noHolder(cause);
  return new Refusal("stopping", "Cannot write: the group's log failed and it is stopping");
}

/** The greater of a mid and an author's last in a batch. */
function later(last: string, { author, messages }: Batch, wanted: string): string {
  const own = author === wanted ? messages?.at(-1)?.[0] ?? "" : "";
  return own > last ? own : last;
}

const TOO_MANY_OVER =
  "Cannot send: too many other requests of yours hold ids between the first and the last of these; " +
  "send the messages one by one";

/** How many of an author's batches reach over some id of a list that is longer than one. */
function countOver(batches: readonly Batch[], mids: readonly string[]): number {
  const [low, high] = [mids[0], mids[mids.length - 1]];
  return batches.filter(({ messages = [] }) =>
    mids.length > 1 && messages.length > 1 &&
    messages[0][0] <= high && messages[messages.length - 1][0] >= low
  ).length;
}

/** Places of mids among their author's batches that wait for this very commit. */
function among(batches: readonly Batch[], mids: readonly string[]): [string, Place][] {
  const wanted = new Set(mids);
  return batches
    .flatMap(({ first, at, messages }) =>
      messages!.map(([mid], i): [string, Place] => [mid, { seq: first + i, at }])
    )
    .filter(([mid]) => wanted.has(mid));
}

function toCommit(state: GroupState, batches: readonly Batch[], changes: Changes): Commit {
  const users = new Set<string>();
  const values = { ...changes };
  const stored: StoredBatch[] = batches.map((batch) => {
    const change = touched(batch);
    for (const user of change.users) users.add(user);
    for (const name of change.values) values[name] = state.values.get(name);
    const { first, count, at, author, messages } = batch;
    const mids = messages ? messages.map(([mid]) => mid) : [];
    const { json, texts } = encodeEntries(batch);
    return { first, count, at, author, mids, json, ...(messages ? { texts } : {}) };
  });
  const members: MemberRow[] = [];
  const gone: string[] = [];
  for (const user of users) {
    const member = state.members.get(user);
    if (member) members.push({ user, json: JSON.stringify(member) });
    else gone.push(user);
  }
  return { batches: stored, members, gone, values };
}
