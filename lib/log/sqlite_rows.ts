/** Rows of a log's database as they are read back: each of them is what was written, or {LogDamaged}. */

import { setImmediate } from "node:timers/promises";
import type { Statement } from "../disk/sqlite.ts";
import { damaged } from "../disk/sqlite_errors.ts";
import { firstBad, holds, isWhole, type Link, linkAfter, START, textCrc } from "./chain.ts";
import type { Checked, ReadRange, Watch } from "./log.ts";
import { unpackMids } from "./mids.ts";
import { fillPage } from "./page.ts";
import type { LogFile } from "./sqlite_file.ts";
import {
  type BatchRow,
  type FullRow,
  midsOf,
  type TextRow,
  type WholeRow,
} from "./sqlite_schema.ts";

// What is handled between two turns of the event loop, and checked at open.
export const SLICE: ReadRange = { limit: 2_560, bytes: 1_048_576 };
export const ONE_BATCH: ReadRange = { limit: 1 };

/** Batches whose first seq lies in `[from, to]`; what fits the range, at least one where there is one. */
export function slice(file: LogFile, from: number, to: number, range = SLICE): BatchRow[] {
  return checkedPage(file, file.sql.ascending.iterate(from, to), range);
}

/** The same with every column. */
export function fullSlice(file: LogFile, from: number, to: number): FullRow[] {
  return checkedPage<FullRow>(file, file.sql.rows.iterate(from, to), SLICE);
}

/** What fits a range of the batches that a statement answers, ascending. */
export function checkedPage<Row extends BatchRow = BatchRow>(
  file: LogFile,
  rows: unknown,
  range: ReadRange,
): Row[] {
  const page = fillPage(cast<Iterable<Row>>(rows), range);
  if (page.length === 0) return page;
  let link = linkBefore(file, page[0].first);
  for (const row of page) {
    if (!holds(link, row)) throw damaged(file.path, firstBad(link, row) ?? row.first);
    link = linkAfter(row);
  }
  return page;
}

/** The end of the batch before an entry. */
export function linkBefore(file: LogFile, seq: number): Link {
  const row = cast<BatchRow | undefined>(file.sql.previous.get(seq));
  if (!row) return START;
  if (!isWhole(row)) throw damaged(file.path, row.first);
  return linkAfter(row);
}

/** Rows of `member` or `value`. */
export function texts(file: LogFile, statement: Statement): TextRow[] {
  const rows = cast<TextRow[]>(statement.all());
  const bad = rows.find(({ name, text, crc }) =>
    typeof name !== "string" || typeof text !== "string" || textCrc(name, text) !== crc
  );
  if (bad) throw damaged(file.path, 0);
  return rows;
}

/** Reads all that a log with this head and tail holds. */
export async function verify(
  file: LogFile,
  head: number,
  tail: () => number,
  { signal, progress }: Watch = {},
): Promise<Checked> {
  const { members, values, integrity } = file.sql;
  let link = START;
  let batches = 0;
  while (link.seq < head) {
    const rows = wholeSlice(file, link);
    if (rows.length === 0) throw damaged(file.path, link.seq + 1);
    const dropped = rows.find(({ first, json }) => json === null && first >= tail());
    if (dropped) throw damaged(file.path, dropped.first);
    link = linkAfter(rows[rows.length - 1]);
    batches += rows.length;
    progress?.(link.seq, head);
    await setImmediate();
    signal?.throwIfAborted();
  }
  file.reading(() => {
    texts(file, members);
    texts(file, values);
    const [answer] = Object.values(cast<object | undefined>(integrity.get()) ?? {});
    if (answer !== "ok") throw damaged(file.path, 0, answer);
  });
  return { entries: link.seq, batches, head: link.seq };
}

/** A slice of the batches that follow `previous`, all of which is what was written. @throws {LogDamaged} */
export function wholeSlice(file: LogFile, previous: Link): WholeRow[] {
  const from = previous.seq + 1;
  const iterate = () => fillPage(cast<Iterable<WholeRow>>(file.sql.whole.iterate(from)), SLICE);
  const rows = file.reading(iterate, from);
  let link = previous;
  for (const row of rows) {
    const bad = firstBad(link, row) ?? (agrees(row) ? undefined : row.first);
    if (bad !== undefined) throw damaged(file.path, bad);
    link = linkAfter(row);
  }
  return rows;
}

/** Whether the row's columns say what its JSON says. */
function agrees(row: WholeRow): boolean {
  const mids = midsOf(row);
  if (mids.length > 0 ? mids.length !== row.count : row.hi !== null) return false;
  const [lo, hi] = [row.lo, row.hi].map((bytes) => bytes ? unpackMids(bytes)[0] : undefined);
  if (mids[0] !== lo || mids[mids.length - 1] !== hi) return false;
  if (row.json === null) return true;
  const { first, count, at, author } = JSON.parse(row.json);
  return first === row.first && count === row.count && at === row.at && author === row.user;
}

/** `first` of a row, where there is one. */
export function firstOf(row: unknown): number | undefined {
  return cast<{ first?: number | null } | undefined>(row)?.first ?? undefined;
}

/** What the statement's SQL says that it answers. */
export function cast<T>(rows: unknown): T {
  return rows as T;
}
