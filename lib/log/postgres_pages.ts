/** Batches and small rows as they are read back from PostgreSQL: what was written, or {LogDamaged}. */

import { damaged } from "../disk/sqlite_errors.ts";
import { firstBad, hashText, type Link, linkAfter, START } from "./chain.ts";
import type { Checked, LogStart, MemberRow, ReadRange, Watch } from "./log.ts";
import { fillPage } from "./page.ts";
import { type Connection, type Parameter, Refused } from "./postgres_connection.ts";
import { type LogRow, type PageRow, SQL } from "./postgres_sql.ts";
import { RowSum } from "./row_sum.ts";
import {
  agrees,
  areTexts,
  type BatchRow,
  endOf,
  SLICE,
  type TextRow,
  unsound,
} from "./stored_rows.ts";

/** A log as far as its rows go. */
export interface LogRows {
  /** The group's number. */
  readonly grp: number;
  readonly epoch: string;
  /** Where it is, for sentences. */
  readonly shown: string;
}

/** A row of a page, with what all of `batch` says. */
export type FoundRow = BatchRow & Pick<PageRow, "lo" | "hi" | "author">;

/** A page, checked, and what the log was at its moment. */
export interface Page {
  readonly rows: readonly FoundRow[];
  readonly head: number;
  readonly tail: number;
}

/** SQLSTATE of pages that are not what was written. */
const CORRUPT = /^XX00[12]$/;

/** Bytes that a page is read to where no number is asked for, and at most at once. */
const MOST_BYTES = 16 * 1_048_576;

/** The batches of a range, ascending. Throws {LogDamaged} and what `query` throws. */
export async function readPage(
  connection: Connection,
  log: LogRows,
  range: ReadRange,
): Promise<Page> {
  const { last = false, limit = 1_000, bytes = Infinity, since, until } = range;
  let { after = 0, before = Infinity } = range;
  let source: FoundRow[] = [];
  let earliest: FoundRow | undefined;
  for (;;) {
    const answer = await pageOf(connection, log, last ? SQL.newest : SQL.oldest, [
      Math.min(bytes, MOST_BYTES),
      whole(after),
      before === Infinity ? null : whole(Math.ceil(before)),
      since === undefined ? null : whole(Math.ceil(since)),
      until === undefined ? null : whole(until),
      whole(limit),
    ]);
    const { rows, previous, head, tail } = answer;
    if (last || source.length === 0) earliest = previous;
    source = last ? [...rows, ...source] : [...source, ...rows];
    const page = fillPage(last ? source.toReversed() : source, range);
    if (answer.cut && page.length === source.length && rows.length > 0) {
      if (last) before = rows[0].first;
      else after = linkAfter(rows[rows.length - 1]).seq;
      continue;
    }
    const at = source.indexOf(page[0]);
    mustFollow(log, at > 0 ? source[at - 1] : earliest, page);
    return { rows: page, head, tail };
  }
}

/** Batches that begin in `[from, to]`, dropped or not; what fits `range`, at least one. */
export async function readSlice(
  connection: Connection,
  log: LogRows,
  from: number,
  to: number,
  range: ReadRange = SLICE,
): Promise<Page> {
  const until = Math.min(to, from + range.limit! - 1);
  const parameters = [range.bytes ?? MOST_BYTES, from, until];
  const { rows, previous, head, tail } = await pageOf(connection, log, SQL.slice, parameters);
  const page = fillPage(rows, range);
  mustFollow(log, previous, page);
  return { rows: page, head, tail };
}

/**
 * Batches that begin at `from` or behind it, dropped or not; as many as fit a slice. All of each is
 * what was written.
 */
export async function readWhole(
  connection: Connection,
  log: LogRows,
  from: number,
): Promise<Page> {
  const parameters = [SLICE.bytes!, from, from + SLICE.limit! - 1];
  const { rows, previous, head, tail } = await pageOf(connection, log, SQL.slice, parameters);
  const page = fillPage(rows, SLICE);
  let link = endOf(previous);
  if (!link) throw damaged(log.shown, previous!.first);
  for (const row of page) {
    // Of a log that is on its way here the tail is not known yet.
    const bad = badSeq(link, row, Infinity);
    if (bad !== undefined) throw damaged(log.shown, bad);
    link = linkAfter(row);
  }
  return { rows: page, head, tail };
}

async function pageOf(
  connection: Connection,
  log: LogRows,
  statement: string,
  parameters: readonly Parameter[],
) {
  const rows = await asked<PageRow>(connection, log, statement, parameters);
  if (rows.length === 0) throw damaged(log.shown, 0);
  const [{ head, tail, cut }] = rows;
  const found = rows.filter(({ first }) => first !== null) as (PageRow & FoundRow)[];
  return {
    rows: found.filter(({ previous }) => !previous),
    previous: found.find(({ previous }) => previous),
    head,
    tail,
    cut,
  };
}

/** Runs a statement that only looks. @throws {LogDamaged} the server finds what it keeps damaged */
export async function asked<Row>(
  connection: Connection,
  log: LogRows,
  statement: string,
  parameters: readonly Parameter[] = [],
): Promise<Row[]> {
  try {
    return await connection.query<Row>(statement, [log.grp, ...parameters]);
  } catch (error) {
    if (error instanceof Refused && CORRUPT.test(error.code)) throw damaged(log.shown, 0, error);
    throw error;
  }
}

function mustFollow({ shown }: LogRows, before: BatchRow | undefined, page: readonly BatchRow[]) {
  const bad = page.length === 0 ? undefined : unsound(before, page);
  if (bad !== undefined) throw damaged(shown, bad);
}

function whole(value: number): number {
  return Math.trunc(Math.max(-1, Math.min(value, Number.MAX_SAFE_INTEGER - 1)));
}

/** What a log is at one moment, and what proves it. */
export interface Standing {
  readonly start: LogStart;
  readonly row: LogRow;
  readonly link: Link;
  readonly sum: RowSum;
}

/** Reads what a start needs, all of one moment. Throws {LogDamaged} and what `query` throws. */
export async function readStanding(connection: Connection, log: LogRows): Promise<Standing> {
  await connection.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  const [row] = await asked<LogRow>(connection, log, SQL.log);
  const { rows } = await readPage(connection, log, { ...SLICE, last: true });
  const [ofIndex] = await asked<{ first: number }>(connection, log, SQL.newestOfIndex);
  const members = await texts(connection, log, SQL.members);
  const values = await texts(connection, log, SQL.values);
  await connection.query("COMMIT");
  const newest = rows[rows.length - 1];
  const link = newest ? linkAfter(newest) : START;
  const { seq, at } = link;
  const hash = hashText(link.hash);
  const { tail } = row;
  const sum = new RowSum();
  sum.apply([["meta", "epoch", log.epoch], ["meta", "tail", String(tail)]]);
  sum.apply(members.map(({ name, text }) => ["member", name, text]));
  sum.apply(values.map(({ name, text }) => ["value", name, text]));
  const whole = ofIndex?.first === newest?.first && row.head === seq &&
    hashText(row.hash) === hash && tail >= 1 && tail <= seq + 1 && row.sum === sum.value;
  if (!whole) throw damaged(log.shown, 0);
  const start = {
    epoch: log.epoch,
    head: seq,
    at,
    hash,
    tail,
    members: members.map(({ name: user, text: json }): MemberRow => ({ user, json })),
    values: Object.fromEntries(values.map(({ name, text }) => [name, text])),
  };
  return { start, row, link, sum };
}

/** Rows of `member` or `value`, whose texts are kept as JSON: a text may hold what a column cannot. */
async function texts(connection: Connection, log: LogRows, statement: string): Promise<TextRow[]> {
  const rows = await asked<TextRow>(connection, log, statement);
  try {
    const texts = rows.map((row) => ({ ...row, text: JSON.parse(row.text) }));
    if (areTexts(texts)) return texts;
  } catch {
    // It is not even JSON.
  }
  throw damaged(log.shown, 0);
}

/** Reads all that the log holds, a slice at a time. Throws {LogDamaged} and what `query` throws. */
export async function verifyAll(
  log: LogRows,
  ask: <T>(work: (connection: Connection) => Promise<T>) => Promise<T>,
  { signal, progress }: Watch = {},
): Promise<Checked> {
  const { head } = await ask((connection) => readSlice(connection, log, 0, 0));
  let link: Link = START;
  let batches = 0;
  while (link.seq < head) {
    const from = link.seq + 1;
    const { rows, tail } = await ask((connection) => readSlice(connection, log, from, head));
    if (rows.length === 0) throw damaged(log.shown, from);
    for (const row of rows) {
      const bad = badSeq(link, row, tail);
      if (bad !== undefined) throw damaged(log.shown, bad);
      link = linkAfter(row);
      batches++;
    }
    progress?.(link.seq, head);
    signal?.throwIfAborted();
  }
  await ask((connection) => readStanding(connection, log));
  return { entries: link.seq, batches, head: link.seq };
}

function badSeq(link: Link, row: FoundRow, tail: number): number | undefined {
  const bad = firstBad(link, row);
  if (bad !== undefined) return bad;
  if (!agrees({ ...row, user: row.author })) return row.first;
  return row.json === null && row.first >= tail ? row.first : undefined;
}
