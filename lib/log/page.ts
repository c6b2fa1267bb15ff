/** Which batches one read answers: the limits of a range, the same for every engine. */

import { HASH_UNITS } from "./chain.ts";
import type { ReadRange } from "./log.ts";

interface Extent {
  readonly first: number;
  readonly count: number;
  readonly json: string | null;
}

/**
 * Takes batches from `source` until a limit of the range is reached, and answers them ascending.
 *
 * `source` is in reading order: descending when `range.last` is set. It may hold batches without
 * an entry in `(after, before)`; its end is the range's end in time.
 */
export function fillPage<T extends Extent>(source: Iterable<T>, range: ReadRange): T[] {
  const { limit = 1_000, bytes = Infinity, last = false } = range;
  const page: T[] = [];
  let entries = 0;
  let units = 0;
  for (const batch of source) {
    const inside = entriesInside(batch, range);
    if (inside <= 0) continue;
    units += (batch.json?.length ?? 0) + HASH_UNITS;
    if (page.length > 0 && units > bytes) break;
    page.push(batch);
    entries += inside;
    if (entries >= limit) break;
  }
  return last ? page.reverse() : page;
}

function entriesInside({ first, count }: Extent, { after = 0, before = Infinity }: ReadRange) {
  return Math.min(first + count, before) - Math.max(first, after + 1);
}
