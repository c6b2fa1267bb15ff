/** Moves all that one log is into another, whatever their engines, and proves that it is the same. */

import { Buffer } from "node:buffer";
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { LogDamaged } from "../errors.ts";
import type { LogStart, MovedBatch, Transfer, Watch } from "./log.ts";

/** What takes a log in. */
export type Sink = Pick<Transfer, "write">;

/** One log on its way into another, which may go on meanwhile. Its end is `Transfer.become`. */
export class Passage {
  readonly #from: Transfer;
  readonly #watch: Watch;
  /** What is taken in ends before this seq; of that, what was compared. */
  #next = 1;
  #compared = 1;
  /** Up to here content was dropped when it was taken in. */
  #tail = 1;
  #total = 0;
  readonly #steps: 1 | 2;

  /** @param steps 2 where what is taken in is compared, too */
  constructor(from: Transfer, watch: Watch = {}, steps: 1 | 2 = 2) {
    this.#from = from;
    this.#watch = watch;
    this.#steps = steps;
  }

  /** Takes in what came meanwhile, until that is the log as it was at one moment, which is answered. */
  async catchUp(to: Sink): Promise<LogStart> {
    for (let start = await this.#from.now();;) {
      this.#total = start.head;
      await this.#takeIn(to, start);
      const now = await this.#from.now();
      // What was read behind a tail that moved may have its content, or be without.
      if (now.tail === start.tail) return start;
      start = now;
    }
  }

  async #takeIn(to: Sink, { head, tail }: LogStart): Promise<void> {
    // What was dropped meanwhile is dropped here, too.
    const redone = Math.min(tail, this.#next);
    for (let seq = this.#tail; seq < redone;) seq = await this.#slice(to, seq, redone - 1);
    if (this.#tail < redone) this.#compared = Math.min(this.#compared, this.#tail);
    this.#tail = tail;
    while (this.#next <= head) {
      this.#next = await this.#slice(to, this.#next, head);
      this.#tell();
    }
  }

  /** Takes in some of the batches that begin in `[from, last]`; answers where the next one does. */
  async #slice(to: Sink, from: number, last: number): Promise<number> {
    const batches = (await this.#from.read(from)).filter(({ first }) => first <= last);
    const next = following(batches);
    if (batches[0]?.first !== from || next === undefined) throw gap(from);
    await to.write(batches);
    await setImmediate(); // Others are served, whatever the engines are.
    this.#watch.signal?.throwIfAborted();
    return next;
  }

  /**
   * Reads back what was taken in, beside what it was taken from.
   *
   * @throws {LogDamaged} with the first seq that is not the same
   */
  async compare(to: Pick<Transfer, "read">): Promise<void> {
    const last = this.#next - 1;
    const [source, copies] = [this.#from, to].map((log) => each(log, this.#compared, last));
    for await (const copy of copies) {
      const { value: batch } = await source.next();
      const isKept = copy.first >= this.#tail;
      if (!batch || isKept !== (copy.json !== null) || !isSame(batch, copy)) throw gap(copy.first);
      this.#compared = copy.first + copy.count;
      if (this.#compared % TOLD_EVERY < copy.count) this.#tell();
    }
    if (this.#compared !== this.#next) throw gap(this.#compared);
  }

  #tell(): void {
    const done = Math.floor((this.#next - 1 + this.#compared - 1) / this.#steps);
    this.#watch.progress?.(done, this.#total);
    this.#watch.signal?.throwIfAborted();
  }
}

/** Entries between two looks whether somebody still waits. */
const TOLD_EVERY = 2_560;

/** The batches that begin in `[from, last]`. */
async function* each(log: Pick<Transfer, "read">, from: number, last: number) {
  for (let seq: number | undefined = from; seq !== undefined && seq <= last;) {
    const batches: readonly MovedBatch[] = await log.read(seq);
    await setImmediate();
    for (const batch of batches) if (batch.first <= last) yield batch;
    seq = following(batches);
  }
}

/** Where the next batch begins; undefined behind none. */
function following(batches: readonly MovedBatch[]): number | undefined {
  const last = batches.at(-1);
  return last && last.first + last.count;
}

/** Whether two batches are one. Their JSON is, where their hashes are. */
function isSame(a: MovedBatch, b: MovedBatch): boolean {
  return a.first === b.first && a.count === b.count && a.at === b.at && a.author === b.author &&
    Buffer.compare(a.hash, b.hash) === 0 && Buffer.compare(a.crcs, b.crcs) === 0 &&
    isDeepStrictEqual(a.mids, b.mids);
}

/** @throws {LogDamaged} a log that opened is not what another one was */
export function requireSame(log: LogStart, other: LogStart): void {
  if (isDeepStrictEqual(sorted(log), sorted(other))) return;
  const what = Object.keys(sorted(log)).filter((name) => {
    const key = name as keyof LogStart;
    return !isDeepStrictEqual(sorted(log)[key], sorted(other)[key]);
  });
  const message = `Cannot trust the copy: its ${what.join(", ")} is not what was copied`;
  throw new LogDamaged("copy", 0, message);
}

function sorted({ members, values, ...rest }: LogStart): LogStart {
  const byUser = members.map(({ user, json }) => ({ user, json }))
    .sort((a, b) => a.user < b.user ? -1 : 1);
  return { ...rest, members: byUser, values: { ...values } };
}

function gap(seq: number): LogDamaged {
  return new LogDamaged("copy", seq, `Cannot trust entry ${seq} of the copy: it is not the same`);
}
