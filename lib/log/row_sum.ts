/**
 * One sum over the small rows of a database (meta, authors, members, values): a row that is lost,
 * added or put back is noticed like one that is changed. Batches are chained instead.
 *
 * Pure. Stored: do not change.
 */

import { crc32 } from "node:zlib";

/** A small row: its table, its key, and what it says; undefined for one that is removed. */
export type RowChange = readonly [table: string, key: string, text: string | undefined];

/** What one row adds to the sum; nothing where it is removed. */
export function rowCrc([table, key, text]: RowChange): number {
  return text === undefined ? 0 : crc32(`${table}\n${key}\n${text}`);
}

/** Rows of these are added and never changed, so that what each adds to the sum is not kept. */
const ONLY_ADDED: ReadonlySet<string> = new Set(["author"]);

/** The sum of all rows: the XOR of their checksums. */
export class RowSum {
  readonly #crcs = new Map<string, number>();
  #sum = 0;

  /** A whole number, at least 0 and below 2^32. */
  get value(): number {
    return this.#sum >>> 0;
  }

  /** The sum as it will be after the changes, none of which is made yet. */
  after(changes: readonly RowChange[]): number {
    const last = new Map(changes.map((change) => [keyOf(change), change]));
    let sum = this.#sum;
    for (const [key, change] of last) sum ^= (this.#crcs.get(key) ?? 0) ^ rowCrc(change);
    return sum >>> 0;
  }

  /** Makes the changes. */
  apply(changes: readonly RowChange[]): void {
    for (const change of changes) {
      const key = keyOf(change);
      this.#sum ^= (this.#crcs.get(key) ?? 0) ^ rowCrc(change);
      if (ONLY_ADDED.has(change[0])) continue;
      if (change[2] === undefined) this.#crcs.delete(key);
      else this.#crcs.set(key, rowCrc(change));
    }
  }
}

function keyOf([table, key]: RowChange): string {
  return `${table}\n${key}`;
}
