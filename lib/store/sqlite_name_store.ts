/** A registry's names in SQLite, held by one process; many changes share one synced transaction. */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FolderUnusable, LogFailed } from "../errors.ts";
import type { NameStore, TakenName } from "./name_store.ts";

/** `PRAGMA user_version` is how many of these a database went through: append, never edit. */
const MIGRATIONS: readonly ((db: DatabaseSync, now: number) => void)[] = [
  (db) =>
    db.exec(
      "CREATE TABLE taken (name TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID",
    ),
  (db, now) => {
    db.exec("ALTER TABLE taken ADD COLUMN seen INTEGER NOT NULL DEFAULT 0");
    db.prepare("UPDATE taken SET seen = ?").run(now);
  },
];

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
 * @throws {FolderUnusable} held by another process, not writable, or of a newer version
 */
export function sqliteNames(folder: string, options: SqliteNamesOptions = {}): NameStore {
  const file = join(folder, "names.db");
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(file)) writeFileSync(file, "", { flag: "wx", mode: 0o600 });
    db = new DatabaseSync(file);
    db.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
    );
    migrate(db, (options.now ?? Date.now)());
    return new SqliteNames(db, file, options);
  } catch (cause) {
    db?.close();
    const locked = /locked|busy/.test((cause as Error).message);
    const why = locked
      ? "another registry uses it; stop that one, or give this one another --home"
      : (cause as Error).message;
    throw new FolderUnusable(`Cannot use the folder ${folder}: ${why}`, { cause });
  }
}

/** What dies half way leaves the version before. */
function migrate(db: DatabaseSync, now: number): void {
  db.exec("BEGIN IMMEDIATE");
  const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (user_version > MIGRATIONS.length) {
    throw new Error("a newer zgroup wrote it; update this one");
  }
  for (const step of MIGRATIONS.slice(user_version)) step(db, now);
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
}

/** One change of rows, in the order of its coming. */
interface Change {
  readonly rows: readonly (() => void)[];
  resolve(): void;
  reject(error: unknown): void;
}

class SqliteNames implements NameStore {
  readonly #db: DatabaseSync;
  readonly #file: string;
  readonly #options: SqliteNamesOptions;
  readonly #set: ReturnType<DatabaseSync["prepare"]>;
  readonly #see: ReturnType<DatabaseSync["prepare"]>;
  readonly #free: ReturnType<DatabaseSync["prepare"]>;
  #waiting: Change[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the last transaction was, ms by `performance.now()`. */
  #written = -Infinity;
  #open = true;

  constructor(db: DatabaseSync, file: string, options: SqliteNamesOptions) {
    this.#db = db;
    this.#file = file;
    this.#options = options;
    // A commit of which nobody knows whether it came to be is put right by the next taker.
    this.#set = db.prepare("INSERT OR REPLACE INTO taken (name, key, seen) VALUES (?, ?, ?)");
    this.#see = db.prepare("UPDATE taken SET seen = ? WHERE name = ? AND key = ?");
    this.#free = db.prepare("DELETE FROM taken WHERE name = ?");
  }

  all(): readonly TakenName[] {
    const rows = this.#db.prepare("SELECT name, key, seen FROM taken ORDER BY seen").all();
    return rows as unknown as TakenName[];
  }

  add({ name, key, seen }: TakenName): Promise<void> {
    return this.#change([() => this.#set.run(name, key, seen)]);
  }

  see(taken: readonly TakenName[]): Promise<void> {
    return this.#change(taken.map(({ name, key, seen }) => () => this.#see.run(seen, name, key)));
  }

  free(names: readonly string[]): Promise<void> {
    return this.#change(names.map((name) => () => this.#free.run(name)));
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
      this.#write(part);
    } catch (cause) {
      const error = this.#failed("it could not be written", cause);
      for (const { reject } of part) reject(error);
      return;
    }
    this.#written = performance.now();
    for (const { resolve } of part) resolve();
    this.#options.committed?.(rows);
  }

  #write(changes: readonly Change[]): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      for (const { rows } of changes) for (const row of rows) row();
      this.#db.exec("COMMIT");
    } catch (error) {
      try {
        this.#db.exec("ROLLBACK");
      } catch {
        // SQLite itself took it back: there is no transaction any more.
      }
      throw error;
    }
  }

  #failed(why: string, cause?: unknown): LogFailed {
    return new LogFailed(`Cannot keep names in ${this.#file}: ${why}`, { cause });
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    while (this.#waiting.length > 0) this.#flush();
    clearTimeout(this.#timer);
    this.#db.close();
  }
}
