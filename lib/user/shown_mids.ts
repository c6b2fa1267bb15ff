/** The messages that were shown last: one that comes a second time was put there by its group. Pure. */

import type { GroupEntry } from "../protocol/batch.ts";

/** Messages that are remembered at least; twice as many, and a batch, at most. */
const REMEMBERED = 1_024;

/** Who sent a batch, and where what was shown of it begins. */
interface Place {
  readonly author: string;
  readonly seq: number;
}

/** Remembers by author and message id. */
export class ShownMids {
  /** By message id; where another author had it first, by author and id. */
  #newer = new Map<string, Place>();
  #older: ReadonlyMap<string, Place> = new Map();

  /** The entries of one batch, those marked as forged whose message stood elsewhere before. */
  marked(entries: readonly GroupEntry[]): readonly GroupEntry[] {
    const [{ author, mid, seq }] = entries;
    if (mid === undefined) return entries;
    const place = { author, seq };
    let marked: GroupEntry[] | undefined;
    for (const [i, entry] of entries.entries()) {
      let key = entry.mid!;
      let before = this.#placeOf(key);
      if (before && before.author !== author) before = this.#placeOf(key = `${author} ${key}`);
      if (before === undefined) this.#newer.set(key, place);
      else (marked ??= [...entries])[i] = { ...entry, signature: "invalid" };
    }
    if (this.#newer.size >= REMEMBERED) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    return marked ?? entries;
  }

  #placeOf(key: string): Place | undefined {
    return this.#newer.get(key) ?? this.#older.get(key);
  }

  /** What stood after `seq`, the end of a batch, did not stand there. */
  forget(seq: number): void {
    const kept = (all: ReadonlyMap<string, Place>) =>
      new Map([...all].filter(([, place]) => place.seq <= seq));
    this.#newer = kept(this.#newer);
    this.#older = kept(this.#older);
  }
}
