/** A copy of a log in one file: written, opened to be checked, and made a log again. */

import fs from "node:fs";
import { replace } from "../disk/files.ts";
import { type Database, openFile } from "../disk/sqlite.ts";
import { damaged, isFull, SQLITE, sqliteCode } from "../disk/sqlite_errors.ts";
import { DiskFull, UsageError } from "../errors.ts";
import { textCrc } from "./chain.ts";
import { type RowChange, rowCrc } from "./row_sum.ts";
import type { LogFile } from "./sqlite_file.ts";

/** Writes a copy of a log, with values of its own, to a new file; see {@linkcode Powers.copy}. */
export function writeCopy(
  { path, sql }: LogFile,
  target: string,
  values: Readonly<Record<string, string>>,
): void {
  if (fs.existsSync(target)) throw new UsageError(`Cannot back up to ${target}: it exists`);
  try {
    replace(target, (part) => {
      sql.copy.run(part);
      change(part, (db) => {
        const add = db.prepare("INSERT OR REPLACE INTO value VALUES (?, ?, ?)");
        for (const [name, text] of Object.entries(values)) {
          const former = textOf(db, "SELECT text FROM value WHERE name = ?", name);
          add.run(name, text, textCrc(name, text));
          shiftSum(db, ["value", name, former], ["value", name, text]);
        }
      });
    });
  } catch (cause) {
    if (sqliteCode(cause) === SQLITE.corrupt) throw damaged(path, 0, cause);
    if (isFull(cause)) {
      throw new DiskFull(`Cannot back up to ${target}: the disk is full`, { cause });
    }
    const message = `Cannot back up to ${target}: it must be a new file in a folder in which ` +
      "this user can write";
    throw new UsageError(message, { cause });
  }
}

/**
 * Makes a checked copy the beginning of another history: a new epoch, without the value `name`,
 * whose text it answers; undefined when there is none.
 *
 * @throws {LogDamaged} the copy cannot be read
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
