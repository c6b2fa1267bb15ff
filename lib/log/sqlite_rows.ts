/** Rows of a log's database as they are read back: each of them is what was written, or {LogDamaged}. */

import { setImmediate } from "node:timers/promises";
import type { Statement } from "../disk/sqlite.ts";
import { damaged } from "../disk/sqlite_errors.ts";
import { firstBad, type Link, linkAfter, START } from "./chain.ts";
import type { Checked, ReadRange, Watch } from "./log.ts";
import { fillPage } from "./page.ts";
import type { LogFile } from "./sqlite_file.ts";
import type { FullRow } from "./sqlite_schema.ts";
import {
  agrees,
  areTexts,
  type BatchRow,
  endOf,
  SLICE,
  type TextRow,
  unsound,
  type WholeRow,
} from "./stored_rows.ts";

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
  const before = cast<BatchRow | undefined>(file.sql.previous.get(page[0].first));
  const bad = unsound(before, page);
  if (bad !== undefined) throw damaged(file.path, bad);
  return page;
}

/** The end of the batch before an entry. */
export function linkBefore(file: LogFile, seq: number): Link {
  const row = cast<BatchRow | undefined>(file.sql.previous.get(seq));
  const link = endOf(row);
  if (!link) throw damaged(file.path, row!.first);
  return link;
}

/** Rows of `member` or `value`. */
export function texts(file: LogFile, statement: Statement): TextRow[] {
  const rows = cast<TextRow[]>(statement.all());
  if (!areTexts(rows)) throw damaged(file.path, 0);
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

/** `first` of a row, where there is one. */
export function firstOf(row: unknown): number | undefined {
  return cast<{ first?: number | null } | undefined>(row)?.first ?? undefined;
}

/** What the statement's SQL says that it answers. */
export function cast<T>(rows: unknown): T {
  return rows as T;
}
