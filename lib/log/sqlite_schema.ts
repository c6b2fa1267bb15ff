/** The schema of `log.db`, every statement, and the rows they answer. */

import { randomUUID } from "node:crypto";
import type { Migration } from "../disk/sqlite.ts";
import type { BatchRow } from "./stored_rows.ts";

// Small columns stand before `json`, which flows over into pages of its own.
const VERSION_1 =
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE author (id INTEGER PRIMARY KEY, user TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE batch (
    first INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    author INTEGER NOT NULL REFERENCES author (id),
    lo BLOB,
    hi BLOB,
    hash BLOB NOT NULL,
    crcs BLOB NOT NULL,
    mids BLOB,
    json TEXT
  ) STRICT;
  CREATE INDEX batch_at ON batch (at);
  CREATE INDEX batch_mid ON batch (author, hi, lo) WHERE hi IS NOT NULL;
  CREATE TABLE member (user TEXT PRIMARY KEY, json TEXT NOT NULL, crc INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE value (name TEXT PRIMARY KEY, text TEXT NOT NULL, crc INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;`;

/** `PRAGMA user_version` is how many of these a database went through: append, never edit. */
export const MIGRATIONS: readonly Migration[] = [
  (db) => {
    db.exec(VERSION_1);
    const set = db.prepare("INSERT INTO meta VALUES (?, ?)");
    set.run("epoch", randomUUID());
    set.run("tail", 1);
  },
];

const BATCH = "first, count, at, hash, crcs, mids, json";
const COLUMNS = "first, count, at, author, lo, hi, hash, crcs, mids, json";

/** Every statement. */
export const SQL = {
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
  firstAuthor: "SELECT user FROM batch JOIN author ON author.id = author WHERE first = 1",
  ascending: `SELECT ${BATCH} FROM batch WHERE first BETWEEN ? AND ? ORDER BY first`,
  descending: `SELECT ${BATCH} FROM batch WHERE first BETWEEN ? AND ? ORDER BY first DESC`,
  holding: "SELECT max(first) AS first FROM batch WHERE first <= ?",
  since: "SELECT first FROM batch WHERE at >= ? ORDER BY at, first LIMIT 1",
  until: "SELECT first FROM batch WHERE at <= ? ORDER BY at DESC, first DESC LIMIT 1",
  // Answered from the index alone: whether so many batches, and more, have their last mid there.
  crowded: `SELECT first FROM batch INDEXED BY batch_mid
    WHERE author = ? AND hi >= ? AND hi <= ? ORDER BY hi LIMIT 1 OFFSET ?`,
  // The same: batches of several mids that reach over some of those between.
  over: `SELECT first, lo, hi FROM batch INDEXED BY batch_mid
    WHERE author = ? AND hi >= ? AND hi <= ? AND lo <= ? AND lo < hi LIMIT ?`,
  single: "SELECT first FROM batch INDEXED BY batch_mid WHERE author = ? AND hi = ? AND lo = hi",
  put: `INSERT OR REPLACE INTO batch (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  drop: "UPDATE batch SET json = NULL, mids = ? WHERE first = ?",
  whole: `SELECT ${BATCH}, lo, hi, user FROM batch JOIN author ON author.id = author
    WHERE first >= ? ORDER BY first`,
  integrity: "PRAGMA integrity_check(1)",
  pageSize: "PRAGMA page_size",
  metas: "SELECT name, value FROM meta",
  rows: `SELECT ${COLUMNS} FROM batch WHERE first BETWEEN ? AND ? ORDER BY first`,
} as const;

/** Every column of `batch`, in the order of the table. */
export interface FullRow extends BatchRow {
  readonly author: number;
  readonly lo: Uint8Array | null;
  readonly hi: Uint8Array | null;
}

/** A row of `author`. */
export interface AuthorRow {
  readonly id: number;
  readonly user: string;
}
