/**
 * Rows of a database with a log in it, as they are read back, and what each of them must be.
 *
 * Pure, and shared by the engines that keep rows.
 */

import { firstBad, holds, isWhole, type Link, linkAfter, midsIn, START, textCrc } from "./chain.ts";
import type { SealedBatch } from "./chain.ts";
import type { ReadRange } from "./log.ts";
import { unpackMids } from "./mids.ts";

/** What is handled between two turns of the event loop, and checked at open. */
export const SLICE: ReadRange = { limit: 2_560, bytes: 1_048_576 };
export const ONE_BATCH: ReadRange = { limit: 1 };
/** Batches of an author with mids of the same two minutes; where there are more, none is found. */
export const MAX_NEAR = 262_144;

/** A row of `batch`. */
export interface BatchRow extends SealedBatch {
  /** The mids of a dropped batch that had some. */
  readonly mids: Uint8Array | null;
}

/** A row of `batch` with all that {@linkcode Powers.verify} compares. */
export interface WholeRow extends BatchRow {
  readonly lo: Uint8Array | null;
  readonly hi: Uint8Array | null;
  readonly user: string;
}

/** Where one author's batch lies among the mids. */
export interface SpanRow {
  readonly first: number;
  readonly lo: Uint8Array;
  readonly hi: Uint8Array;
}

/** A row of `member` or `value`. */
export interface TextRow {
  readonly name: string;
  readonly text: string;
  readonly crc: number;
}

/** The mids of a batch, dropped or not. */
export function midsOf({ json, mids }: BatchRow): string[] {
  return json === null ? unpackMids(mids ?? new Uint8Array()) : midsIn(json);
}

/** The end of a log whose newest batch is this; undefined where that is no batch. */
export function endOf(batch: SealedBatch | undefined): Link | undefined {
  if (!batch) return START;
  return isWhole(batch) ? linkAfter(batch) : undefined;
}

/** The first seq of a page that does not follow `before`, or is not what was hashed. */
export function unsound(before: SealedBatch | undefined, page: readonly SealedBatch[]) {
  let link = endOf(before);
  if (!link) return before!.first;
  for (const row of page) {
    if (!holds(link, row)) return firstBad(link, row) ?? row.first;
    link = linkAfter(row);
  }
  return undefined;
}

/** Whether each row of `member` or `value` is what was written. */
export function areTexts(rows: readonly TextRow[]): boolean {
  return rows.every(({ name, text, crc }) =>
    typeof name === "string" && typeof text === "string" && textCrc(name, text) === crc
  );
}

/** Whether the row's columns say what its JSON says. */
export function agrees(row: WholeRow): boolean {
  const mids = midsOf(row);
  if (mids.length > 0 ? mids.length !== row.count : row.hi !== null) return false;
  const [lo, hi] = [row.lo, row.hi].map((bytes) => bytes ? unpackMids(bytes)[0] : undefined);
  if (mids[0] !== lo || mids[mids.length - 1] !== hi) return false;
  if (row.json === null) return true;
  const { first, count, at, author } = JSON.parse(row.json);
  return first === row.first && count === row.count && at === row.at && author === row.user;
}

/** Whether a batch of several mids can hold one of the wanted. */
export function mayHold({ lo, hi }: SpanRow, wanted: readonly string[]): boolean {
  const [first, last] = [...unpackMids(lo), ...unpackMids(hi)];
  return wanted.some((mid) => first <= mid && mid <= last);
}
