/** The mids of batches that were appended or looked into lately, so that a search reads no texts. */

import type { StoredBatch } from "./log.ts";

/** A batch as far as its mids go. */
export type MidsOf = Pick<StoredBatch, "first" | "at" | "mids">;

/** Mids that are kept; beyond, those of the batch that was asked for longest ago are forgotten. */
const MOST = 32_768;

/** Batches by their first seq. Holds some 6 MB at most. */
export class RecentMids {
  readonly #most: number;
  readonly #batches = new Map<number, MidsOf>();
  #size = 0;

  constructor(most: number = MOST) {
    this.#most = most;
  }

  /** Mids that are kept. */
  get size(): number {
    return this.#size;
  }

  /** Keeps a batch that is not kept yet, and answers what it keeps. */
  add({ first, at, mids }: MidsOf): MidsOf {
    const batch = { first, at, mids };
    this.#batches.set(first, batch);
    this.#size += mids.length;
    for (const [oldest, { mids }] of this.#batches) {
      if (this.#size <= this.#most) break;
      this.#batches.delete(oldest);
      this.#size -= mids.length;
    }
    return batch;
  }

  get(first: number): MidsOf | undefined {
    const batch = this.#batches.get(first);
    if (!batch) return undefined;
    this.#batches.delete(first);
    this.#batches.set(first, batch);
    return batch;
  }
}
