/** A copy of a log in one file, as `Log.backup` makes it: read, checked, and made a log again. */

import fs from "node:fs";
import process from "node:process";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Closed, FolderUnusable, LogDamaged, UsageError } from "../errors.ts";
import { textCrc } from "./chain.ts";
import type { Log } from "./log.ts";
import { MIGRATIONS } from "./migrations.ts";
import { type RowChange, rowCrc } from "./row_sum.ts";
import { readError } from "./sqlite_errors.ts";
import { type LogFile, SqliteLog } from "./sqlite_log.ts";
import { prepareAll, type Statements } from "./sqlite_statements.ts";

/** The copy in `file`, to be read and verified; nothing is ever written to it. */
export function sqliteCopy(file: string): Log {
  return new SqliteLog(new CopyFile(file));
}

/**
 * Makes a checked copy the beginning of another history: a new epoch, without the value `name`,
 * whose text it answers; undefined when there is none.
 *
 * @throws {LogDamaged} the copy cannot be read
 */
export function renewCopy(file: string, epoch: string, name: string): string | undefined {
  return changing(file, (db) => {
    const text = textOf(db, "SELECT text FROM value WHERE name = ?", name);
    const former = textOf(db, "SELECT value AS text FROM meta WHERE name = ?", "epoch");
    db.prepare("DELETE FROM value WHERE name = ?").run(name);
    db.prepare("INSERT OR REPLACE INTO meta VALUES ('epoch', ?)").run(epoch);
    shiftSum(db, ["value", name, text], ["meta", "epoch", former], ["meta", "epoch", epoch]);
    return text;
  });
}

/** Adds values to a copy. */
export function addValues(file: string, values: Readonly<Record<string, string>>): void {
  changing(file, (db) => {
    const add = db.prepare("INSERT OR REPLACE INTO value VALUES (?, ?, ?)");
    for (const [name, text] of Object.entries(values)) {
      const former = textOf(db, "SELECT text FROM value WHERE name = ?", name);
      add.run(name, text, textCrc(name, text));
      shiftSum(db, ["value", name, former], ["value", name, text]);
    }
  });
}

function textOf(db: DatabaseSync, sql: string, name: string): string | undefined {
  return (db.prepare(sql).get(name) as { text: string } | undefined)?.text;
}

/** Takes rows into the sum, or out of it, which is the same. */
function shiftSum(db: DatabaseSync, ...rows: readonly RowChange[]): void {
  const row = db.prepare("SELECT value FROM meta WHERE name = 'sum'").get();
  if (!row) return; // of a log that was begun before there was one
  const sum = rows.reduce(
    (sum, [table, key, text]) => text === undefined ? sum : sum ^ rowCrc(table, key, text),
    (row as { value: number }).value,
  );
  db.prepare("UPDATE meta SET value = ? WHERE name = 'sum'").run(sum >>> 0);
}

/** Runs `work` in a transaction that is on disk when this returns. */
function changing<T>(file: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(file);
  try {
    db.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
    const result = work(db);
    db.exec("COMMIT");
    return result;
  } finally {
    db.close();
  }
}

class CopyFile implements LogFile {
  readonly path: string;
  #db?: DatabaseSync;
  #sql?: Statements<StatementSync>;

  constructor(path: string) {
    this.path = path;
  }

  get sql(): Statements<StatementSync> {
    if (this.#sql) return this.#sql;
    throw new Closed(`Cannot use the copy ${this.path}: it is not open`);
  }

  open(): void {
    if (!fs.existsSync(this.path)) {
      throw new UsageError(`Cannot open ${this.path}: there is no such file`);
    }
    try {
      const db = this.#db = new DatabaseSync(this.path, { readOnly: true });
      const row = db.prepare("PRAGMA user_version").get();
      const { user_version: version } = row as { user_version: number };
      if (version > MIGRATIONS.length) {
        const message = `Cannot open ${this.path}: its format is ${version}, this version of ` +
          `zgroup knows up to ${MIGRATIONS.length}`;
        throw new FolderUnusable(message);
      }
      this.#sql = prepareAll(db);
    } catch (error) {
      this.close();
      if (error instanceof FolderUnusable) throw error;
      throw notACopy(this.path, error);
    }
  }

  reading<T>(work: () => T, seq = 0): T {
    try {
      return work();
    } catch (error) {
      throw readError(this.path, seq, error);
    }
  }

  size(): number {
    return fs.statSync(this.path, { throwIfNoEntry: false })?.size ?? 0;
  }

  transaction(action: string): void {
    throw new UsageError(`Cannot ${action}: ${this.path} is a copy, it is only read`);
  }

  copy(): void {
    this.transaction("back up");
  }

  close(): void {
    this.#sql = undefined;
    this.#db?.close();
    this.#db = undefined;
  }
}

function notACopy(file: string, cause: unknown): unknown {
  const error = readError(file, 0, cause);
  if (error instanceof LogDamaged) return error;
  return new UsageError(`Cannot open ${file}: it is no copy of a group's log`, { cause });
}

/** Writes a copy by `work`, which is given the name of a file beside the target, and syncs it. */
export function writeCopy(file: string, work: (part: string) => void): void {
  const part = `${file}.${process.pid}.part`;
  try {
    fs.writeFileSync(part, "", { mode: 0o600 });
    work(part);
    const written = fs.openSync(part, "r+");
    fs.fsyncSync(written);
    fs.closeSync(written);
    fs.renameSync(part, file);
  } catch (error) {
    fs.rmSync(part, { force: true });
    throw error;
  }
}
