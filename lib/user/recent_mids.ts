/** The messages that were shown last: one that comes a second time was put there by its group. Pure. */

import type { GroupEntry } from "../protocol/batch.ts";

/** Messages that are remembered at least; twice as many at most. */
export const REMEMBERED = 1_024;

/** Remembers by author and message id. */
export class RecentMids {
  #newer = new Map<string, number>();
  #older: ReadonlyMap<string, number> = new Map();

  /** The entries, those marked as forged whose message stood elsewhere before. */
  marked(entries: readonly GroupEntry[]): readonly GroupEntry[] {
    let marked: GroupEntry[] | undefined;
    for (const [i, { author, mid, seq }] of entries.entries()) {
      if (mid === undefined) return entries;
      const key = mid + author;
      const before = this.#newer.get(key) ?? this.#older.get(key);
      if (before === undefined) this.#add(key, seq);
      else if (before !== seq) {
        (marked ??= [...entries])[i] = { ...entries[i], signature: "invalid" };
      }
    }
    return marked ?? entries;
  }

  /** What stood after `seq` did not stand there. */
  forget(seq: number): void {
    const kept = (all: ReadonlyMap<string, number>) =>
      new Map([...all].filter(([, place]) => place <= seq));
    this.#newer = kept(this.#newer);
    this.#older = kept(this.#older);
  }

  #add(key: string, seq: number): void {
    this.#newer.set(key, seq);
    if (this.#newer.size < REMEMBERED) return;
    this.#older = this.#newer;
    this.#newer = new Map();
  }
}
