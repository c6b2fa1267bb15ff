/** Which batches one read answers: the limits of a range, the same for every engine. */

import { HASH_UNITS, type SealedBatch } from "./chain.ts";
import type { ReadRange } from "./log.ts";

type Extent = Pick<SealedBatch, "first" | "count" | "json">;

/**
 * Takes batches from `source` until a limit of the range is reached, and answers them ascending.
 *
 * `source` is in reading order: descending when `range.last` is set. It may hold batches without
 * an entry in `(after, before)`; its end is the range's end in time.
 */
export function fillPage<T extends Extent>(source: Iterable<T>, range: ReadRange): T[] {
  const { after = 0, before = Infinity, limit = 1_000, bytes = Infinity, last = false } = range;
  const page: T[] = [];
  let entries = 0;
  let units = 0;
  for (const batch of source) {
    const { first, count, json } = batch;
    const inside = Math.min(first + count, before) - Math.max(first, after + 1);
    if (inside <= 0) continue;
    units += (json?.length ?? 0) + HASH_UNITS;
    if (page.length > 0 && units > bytes) break;
    page.push(batch);
    entries += inside;
    if (entries >= limit) break;
  }
  return last ? page.reverse() : page;
}
