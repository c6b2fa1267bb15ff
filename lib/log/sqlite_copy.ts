/** A copy of a log in one file: written, and made a log again. */

import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { makeNew } from "../disk/files.ts";
import { rightsProblem } from "../disk/rights.ts";
import { type Database, migrate, openFile } from "../disk/sqlite.ts";
import { damaged, isFull } from "../disk/sqlite_errors.ts";
import { DiskFull, UsageError } from "../errors.ts";
import { linkAfter, textCrc } from "./chain.ts";
import type { CopyOptions, MovedBatch, Transfer, Watch } from "./log.ts";
import { type RowChange, rowCrc } from "./row_sum.ts";
import { type LogFile, PAGE_SIZE } from "./sqlite_file.ts";
import { fullSlice, texts } from "./sqlite_rows.ts";
import { MIGRATIONS, SQL } from "./sqlite_schema.ts";
import { putBatches, putState } from "./sqlite_transfer.ts";
import { Passage } from "./transfer.ts";

/** Where a log ends, and what it keeps, at this moment. */
type Ends = () => { readonly head: number; readonly tail: number };

/**
 * Writes a copy of a log to a new file, a slice a turn, so that the log goes on; answers the head of
 * the copy. See {@linkcode Powers.copy}.
 */
export function writeCopy(
  log: LogFile,
  ends: Ends,
  target: string,
  options: CopyOptions,
): Promise<number> {
  return written(target, options, async (db) => {
    begin(db, Number(log.reading(() => log.sql.pageSize.get() as Row).page_size));
    const head = await copyBatches(log, ends, db, options);
    // In one turn with the last batches: the copy is the log at this seq.
    db.transaction(() => copyState(log, db, options.values ?? {}));
    return head;
  });
}

/** The same of a log of another engine. */
export function writeCopyOf(
  log: Transfer,
  target: string,
  options: CopyOptions,
): Promise<number> {
  return written(target, options, async (db) => {
    begin(db, PAGE_SIZE);
    const sql = db.prepareAll(SQL);
    const write = (batches: readonly MovedBatch[]) =>
      Promise.resolve(db.transaction(() => putBatches(sql, batches)));
    const start = await new Passage(log, options, 1).catchUp({ write });
    const values = { ...start.values, ...options.values };
    db.transaction(() => putState(sql, { ...start, values }));
    return start.head;
  });
}

/** Makes the file of a copy, which `fill` is given as an empty database. */
async function written(
  target: string,
  { part = `${target}.${randomUUID()}.part`, signal }: CopyOptions,
  fill: (db: Database) => Promise<number>,
): Promise<number> {
  const cannot = `Cannot back up to ${target}`;
  let head = 0;
  try {
    if (fs.existsSync(target)) throw new UsageError(`${cannot}: it exists; choose another name`);
    await makeNew(target, part, async (part) => {
      const db = openFile(part);
      try {
        head = await fill(db);
      } finally {
        db.close();
      }
      signal?.throwIfAborted();
    });
    return head;
  } catch (cause) {
    throw copyError(target, cannot, cause);
  }
}

type Row = Readonly<Record<string, string | number | Uint8Array | null>>;

/** Makes the empty database of a copy; nothing of it counts before the whole is synced. */
function begin(db: Database, pageSize: number): void {
  const pragmas = ["journal_mode = MEMORY", "synchronous = OFF", "foreign_keys = OFF"];
  for (const pragma of [`page_size = ${pageSize}`, ...pragmas, "secure_delete = ON"]) {
    db.pragma(pragma);
  }
  db.transaction(() => migrate(db, MIGRATIONS));
}

/** Copies the batches up to the head of the moment at which it resolves; answers that head. */
async function copyBatches(
  log: LogFile,
  ends: Ends,
  db: Database,
  { signal, progress }: Watch,
): Promise<number> {
  const add = db.prepare("INSERT OR REPLACE INTO batch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const copy = (from: number, to: number): number => {
    const rows = log.reading(() => fullSlice(log, from, to), from);
    if (rows.length === 0) throw damaged(log.path, from);
    db.transaction(() => {
      for (const { first, count, at, author, lo, hi, hash, crcs, mids, json } of rows) {
        add.run(first, count, at, author, lo, hi, hash, crcs, mids, json);
      }
    });
    return linkAfter(rows[rows.length - 1]).seq + 1;
  };
  let next = 1;
  // What is dropped meanwhile is dropped in the copy, too.
  let kept = ends().tail;
  for (;;) {
    const { head, tail } = ends();
    if (kept < Math.min(tail, next)) kept = copy(kept, Math.min(tail, next) - 1);
    else if (next <= head) next = copy(next, head);
    else return head;
    progress?.(next - 1, head);
    await setImmediate();
    signal?.throwIfAborted();
  }
}

/** Copies all but the batches. `values` are the copy's own. */
function copyState(log: LogFile, db: Database, own: Readonly<Record<string, string>>): void {
  const { sql } = log;
  const copied = (to: string, read: () => unknown) => {
    const add = db.prepare(`INSERT OR REPLACE INTO ${to}`);
    for (const row of log.reading(read) as Row[]) add.run(...Object.values(row));
  };
  copied("author (id, user) VALUES (?, ?)", () => sql.authors.all());
  copied("member (user, json, crc) VALUES (?, ?, ?)", () => texts(log, sql.members));
  copied("value (name, text, crc) VALUES (?, ?, ?)", () => texts(log, sql.values));
  copied("meta (name, value) VALUES (?, ?)", () => sql.metas.all());
  const add = db.prepare("INSERT OR REPLACE INTO value VALUES (?, ?, ?)");
  for (const [name, text] of Object.entries(own)) {
    const former = textOf(db, "SELECT text FROM value WHERE name = ?", name);
    add.run(name, text, textCrc(name, text));
    shiftSum(db, ["value", name, former], ["value", name, text]);
  }
}

/** What a failed copy means; errors of SQLite itself are those of the copy. */
function copyError(target: string, cannot: string, cause: unknown): unknown {
  if (isFull(cause)) return new DiskFull(`${cannot}: the disk is full`, { cause });
  const { code } = cause as { code?: unknown };
  if (code === "EEXIST") {
    return new UsageError(`${cannot}: it exists; choose another name`, { cause });
  }
  if (code === undefined || cause instanceof DOMException) return cause;
  const why = rightsProblem(dirname(target), "write") ??
    "it must be a new file in a folder in which this user can write";
  return new UsageError(`${cannot}: ${why}`, { cause });
}

/**
 * Makes a checked copy the beginning of another history: a new epoch, without the value `name`,
 * whose text it answers; undefined when there is none. What SQLite throws is passed on.
 */
export function renewCopy(file: string, epoch: string, name: string): string | undefined {
  return change(file, (db) => {
    const text = textOf(db, "SELECT text FROM value WHERE name = ?", name);
    const former = textOf(db, "SELECT value AS text FROM meta WHERE name = ?", "epoch");
    db.prepare("DELETE FROM value WHERE name = ?").run(name);
    db.prepare("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)").run(epoch);
    shiftSum(db, ["value", name, text], ["meta", "epoch", former], ["meta", "epoch", epoch]);
    return text;
  });
}

function textOf(db: Database, sql: string, name: string): string | undefined {
  return (db.prepare(sql).get(name) as { text: string } | undefined)?.text;
}

/** Takes rows into the sum, or out of it, which is the same. */
function shiftSum(db: Database, ...rows: readonly RowChange[]): void {
  const row = db.prepare("SELECT value FROM meta WHERE name = 'sum'").get();
  if (!row) return; // of a log that was begun before there was one
  const sum = rows.reduce((sum, row) => sum ^ rowCrc(row), (row as { value: number }).value);
  db.prepare("UPDATE meta SET value = ? WHERE name = 'sum'").run(sum >>> 0);
}

/** Runs `work` in a transaction that is on disk when this returns. */
function change<T>(file: string, work: (db: Database) => T): T {
  const db = openFile(file);
  try {
    db.pragma("synchronous = FULL");
    return db.transaction(() => work(db));
  } finally {
    db.close();
  }
}
