/** What a registry keeps, in SQLite, held by one process; many changes share one synced transaction. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import {
  type Database,
  type Migration,
  openDatabase,
  openFile,
  type Opening,
  type Statements,
} from "../disk/sqlite.ts";
import { damaged, openError, type OpenWords, SQLITE, sqliteCode } from "../disk/sqlite_errors.ts";
import { LogFailed } from "../errors.ts";
import type { KeylessPlace, NameStore, TakenName } from "./name_store.ts";

/** The schema of `names.db`: append to the list, never edit what stands in it. */
const migrations = (now: () => number): readonly Migration[] => [
  "CREATE TABLE taken (name TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID",
  (db) => {
    db.exec("ALTER TABLE taken ADD COLUMN seen INTEGER NOT NULL DEFAULT 0");
    db.prepare("UPDATE taken SET seen = ?").run(now());
  },
  "CREATE TABLE place (name TEXT NOT NULL UNIQUE, address TEXT NOT NULL UNIQUE, " +
  "origin TEXT NOT NULL, probed INTEGER NOT NULL) STRICT",
];

const SQL = {
  all: "SELECT name, key, seen FROM taken ORDER BY seen",
  // A commit of which nobody knows whether it came to be is put right by the next taker.
  set: "INSERT OR REPLACE INTO taken (name, key, seen) VALUES (?, ?, ?)",
  see: "UPDATE taken SET seen = ? WHERE name = ? AND key = ?",
  free: "DELETE FROM taken WHERE name = ?",
  places: "SELECT name, address, origin, probed FROM place ORDER BY rowid",
  keepPlace: "INSERT OR REPLACE INTO place (name, address, origin, probed) VALUES (?, ?, ?, ?)",
  dropPlace: "DELETE FROM place WHERE name = ?",
} as const;

/** For how long changes are collected, ms. */
const COLLECT = 20;
/** Most rows changed by one transaction; the loop is held for some ms by so many. */
const MOST_ROWS = 1_000;

export interface SqliteNamesOptions {
  /** The date, ms since 1970; default `Date.now`. */
  readonly now?: () => number;
  /** Called after each transaction with the number of its rows. */
  committed?(rows: number): void;
}

/**
 * The names kept in `folder`, which is made (mode 0700) if missing.
 *
 * @throws {FolderUnusable} held by another process, not writable, or of a newer version;
 * {DiskFull}; {LogDamaged}; {LogFailed}
 */
export function sqliteNames(folder: string, options: SqliteNamesOptions = {}): NameStore {
  const opening: Opening = {
    sharing: "alone",
    migrations: migrations(options.now ?? Date.now),
    ...wordsFor(folder),
  };
  return openDatabase(folder, "names.db", opening, (db) => new SqliteNames(db, options));
}

/** Looks at the names in a folder without changing them, unless a registry has them. @throws {LogDamaged} */
export function lookAtNames(folder: string): void {
  const path = join(folder, "names.db");
  if (!existsSync(path)) return;
  let db: Database | undefined;
  try {
    db = openFile(path, { readOnly: true });
    if (db.pragma("quick_check(1)") !== "ok") throw damaged(path, 0, undefined, "", WAY_OUT);
  } catch (error) {
    if (sqliteCode(error) !== SQLITE.busy) throw openError(path, wordsFor(folder), error);
  } finally {
    db?.close();
  }
}

const WAY_OUT = "put a copy of it back, or move it away: then every name is free to be taken again";

function wordsFor(folder: string): OpenWords {
  return {
    cannot: `Cannot use the folder ${folder}`,
    held: "another registry uses it; stop that one, or give this one another --home",
    wayOut: WAY_OUT,
  };
}

/** One change of rows, in the order of its coming. */
interface Change {
  readonly rows: readonly (() => void)[];
  resolve(): void;
  reject(error: unknown): void;
}

class SqliteNames implements NameStore {
  readonly #db: Database;
  readonly #options: SqliteNamesOptions;
  readonly #sql: Statements<keyof typeof SQL>;
  #waiting: Change[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last transaction was, ms by `performance.now()`. */
  #written = -Infinity;
  #open = true;

  constructor(db: Database, options: SqliteNamesOptions) {
    this.#db = db;
    this.#options = options;
    this.#sql = db.prepareAll(SQL);
  }

  all(): readonly TakenName[] {
    return this.#sql.all.all() as TakenName[];
  }

  add({ name, key, seen }: TakenName): Promise<void> {
    return this.#change([() => this.#sql.set.run(name, key, seen)]);
  }

  see(taken: readonly TakenName[]): Promise<void> {
    const { see } = this.#sql;
    return this.#change(taken.map(({ name, key, seen }) => () => see.run(seen, name, key)));
  }

  free(names: readonly string[]): Promise<void> {
    return this.#change(names.map((name) => () => this.#sql.free.run(name)));
  }

  places(): readonly KeylessPlace[] {
    const rows = this.#sql.places.all() as (Omit<KeylessPlace, "probed"> & { probed: number })[];
    return rows.map((row) => ({ ...row, probed: row.probed === 1 }));
  }

  keepPlace({ name, address, origin, probed }: KeylessPlace): Promise<void> {
    const { keepPlace } = this.#sql;
    return this.#change([() => keepPlace.run(name, address, origin, probed ? 1 : 0)]);
  }

  dropPlaces(names: readonly string[]): Promise<void> {
    return this.#change(names.map((name) => () => this.#sql.dropPlace.run(name)));
  }

  #change(rows: readonly (() => void)[]): Promise<void> {
    if (!this.#open) return Promise.reject(this.#failed("the registry is closed"));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ rows, resolve, reject });
      // The first after a pause need not wait for others.
      const wait = Math.max(0, this.#written + COLLECT - performance.now());
      this.#timer ??= setTimeout(() => this.#flush(), wait);
    });
  }

  /** One transaction; what is left has the next one. */
  #flush(): void {
    let rows = 0;
    const part: Change[] = [];
    for (const change of this.#waiting) {
      if (part.length > 0 && rows + change.rows.length > MOST_ROWS) break;
      part.push(change);
      rows += change.rows.length;
    }
    this.#waiting = this.#waiting.slice(part.length);
    this.#timer = this.#waiting.length > 0 ? setTimeout(() => this.#flush(), 0) : undefined;
    try {
      this.#db.transaction(() => {
        for (const { rows } of part) for (const row of rows) row();
      });
    } catch (cause) {
      const error = this.#failed("it could not be written", cause);
      for (const { reject } of part) reject(error);
      return;
    }
    this.#written = performance.now();
    for (const { resolve } of part) resolve();
    this.#options.committed?.(rows);
  }

  #failed(why: string, cause?: unknown): LogFailed {
    return new LogFailed(`Cannot keep names in ${this.#db.path}: ${why}`, { cause });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    while (this.#waiting.length > 0) this.#flush();
    clearTimeout(this.#timer);
    this.#db.close();
  }
}
