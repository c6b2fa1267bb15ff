/** Every statement of the SQLite engine, and the rows they answer. */

import { midsIn, type SealedBatch } from "./chain.ts";
import { unpackMids } from "./mids.ts";

/** Set in this order when a database is opened. */
export const PRAGMAS = [
  // A file that is made now: a request of 256 messages fills 5 to 35 of these, each two writes.
  "page_size = 8192",
  // Before anything is read: with it WAL needs no shared memory, and the first read locks the file
  // until the process ends, however it ends.
  "locking_mode = EXCLUSIVE",
  "journal_mode = WAL",
  "synchronous = FULL",
  // A checkpoint stalls the commit that causes it; SQLite's 1,000 pages stall too often.
  "wal_autocheckpoint = 2000",
  "journal_size_limit = 67108864",
  // What drop() removes is overwritten, not only unlinked.
  "secure_delete = ON",
];

const BATCH = "first, count, at, hash, crcs, mids, json";

const SQL = {
  begin: "BEGIN IMMEDIATE",
  commit: "COMMIT",
  rollback: "ROLLBACK",
  meta: "SELECT value FROM meta WHERE name = ?",
  setMeta: "INSERT OR REPLACE INTO meta VALUES (?, ?)",
  authors: "SELECT id, user FROM author NOT INDEXED",
  authorsOfIndex: "SELECT id, user FROM author INDEXED BY sqlite_autoindex_author_1",
  author: "SELECT id FROM author WHERE user = ?",
  // Answered from the index alone.
  lastMid: `SELECT hi FROM batch WHERE author = ? AND hi IS NOT NULL ORDER BY hi DESC LIMIT 1`,
  addAuthor: "INSERT INTO author (user) VALUES (?)",
  members: "SELECT user AS name, json AS text, crc FROM member",
  setMember: "INSERT OR REPLACE INTO member VALUES (?, ?, ?)",
  removeMember: "DELETE FROM member WHERE user = ?",
  values: "SELECT name, text, crc FROM value",
  setValue: "INSERT OR REPLACE INTO value VALUES (?, ?, ?)",
  removeValue: "DELETE FROM value WHERE name = ?",
  add: `INSERT INTO batch (first, count, at, author, lo, hi, hash, crcs, json)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  newest: `SELECT ${BATCH} FROM batch ORDER BY first DESC`,
  // Answered from the index alone, which another page holds than the rows.
  newestOfIndex: "SELECT first FROM batch INDEXED BY batch_at ORDER BY at DESC, first DESC LIMIT 1",
  previous: `SELECT ${BATCH} FROM batch WHERE first < ? ORDER BY first DESC LIMIT 1`,
  ascending: `SELECT ${BATCH} FROM batch WHERE first BETWEEN ? AND ? ORDER BY first`,
  descending: `SELECT ${BATCH} FROM batch WHERE first BETWEEN ? AND ? ORDER BY first DESC`,
  holding: "SELECT max(first) AS first FROM batch WHERE first <= ?",
  since: "SELECT first FROM batch WHERE at >= ? ORDER BY at, first LIMIT 1",
  until: "SELECT first FROM batch WHERE at <= ? ORDER BY at DESC, first DESC LIMIT 1",
  // Answered from the index alone.
  near: `SELECT first, lo, hi FROM batch
    WHERE author = ? AND hi >= ? AND hi <= ? AND lo <= ? ORDER BY hi`,
  drop: "UPDATE batch SET json = NULL, mids = ? WHERE first = ?",
  whole: `SELECT ${BATCH}, lo, hi, user FROM batch JOIN author ON author.id = author
    WHERE first >= ? ORDER BY first`,
  integrity: "PRAGMA integrity_check(1)",
  copy: "VACUUM INTO ?",
};

/** A prepared statement; which rows it answers, its SQL says. */
export interface Statement {
  run(...values: Value[]): { lastInsertRowid: number | bigint };
  get(...values: Value[]): unknown;
  all(...values: Value[]): unknown;
  iterate(...values: Value[]): unknown;
}

type Value = string | number | Uint8Array | null;

/** All statements, prepared. */
export type Statements<S> = Readonly<Record<keyof typeof SQL, S>>;

/** Prepares every statement; the schema must be there. */
export function prepareAll<S>(db: { prepare(sql: string): S }): Statements<S> {
  const prepared = Object.entries(SQL).map(([name, sql]) => [name, db.prepare(sql)]);
  return Object.fromEntries(prepared);
}

/** A row of `batch`. */
export interface BatchRow extends SealedBatch {
  /** The mids of a dropped batch that had some. */
  readonly mids: Uint8Array | null;
}

/** A row of `batch` with all that {@linkcode Log.verify} compares. */
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

/** A row of `author`. */
export interface AuthorRow {
  readonly id: number;
  readonly user: string;
}

/** The mids of a batch, dropped or not. */
export function midsOf({ json, mids }: BatchRow): string[] {
  return json === null ? unpackMids(mids ?? new Uint8Array()) : midsIn(json);
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
