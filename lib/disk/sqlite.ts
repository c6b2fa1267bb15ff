/** Databases of SQLite: opened in one way, their errors told in one way. Only importer of node:sqlite. */

import { existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { LogFailed } from "../errors.ts";
import { makeFolder, replace, touch } from "./files.ts";
import { damaged, newer, openError, type OpenWords, SQLITE, sqliteCode } from "./sqlite_errors.ts";
import { damagedAt } from "./wal.ts";

/** A prepared statement; which rows it answers, its SQL says. */
export interface Statement {
  run(...values: Value[]): { lastInsertRowid: number | bigint };
  get(...values: Value[]): unknown;
  all(...values: Value[]): unknown;
  iterate(...values: Value[]): unknown;
}

type Value = string | number | Uint8Array | null;

/** Statements by their names. */
export type Statements<Name extends string> = Readonly<Record<Name, Statement>>;

/** What a migration needs of a database. */
type Migratable = Pick<Database, "exec" | "prepare">;

/** Brings a database from one version to the next: SQL, or what runs it. */
export type Migration = string | ((db: Migratable) => void);

/** How a database is opened. */
export interface Opening extends Partial<OpenWords> {
  /**
   * `alone`: held by this process until it ends, however it ends; a commit is on disk when it
   * returns. `shared`: open in several at once; a commit outlasts its process, and comes to the
   * disk with the next checkpoint.
   */
  readonly sharing: keyof typeof PRAGMAS;
  /** `PRAGMA user_version` is how many of these a database went through: append, never edit. */
  readonly migrations: readonly Migration[];
  /** Of a file that is made now, bytes. */
  readonly pageSize?: number;
  /** Set after those of `sharing`. */
  readonly pragmas?: readonly string[];
  /** Look at the write-ahead log before SQLite does: see `wal.ts`. Needs `alone`. */
  readonly walChecked?: boolean;
}

const PRAGMAS = {
  alone: [
    // Before anything is read: with it WAL needs no shared memory, and the first read locks the
    // file until the process ends, however it ends.
    "locking_mode = EXCLUSIVE",
    "journal_mode = WAL",
    "synchronous = FULL",
  ],
  shared: ["busy_timeout = 10000", "journal_mode = WAL", "synchronous = NORMAL"],
} as const;

/**
 * Opens the database `name` in `folder`, both made (modes 0600, 0700) if missing, in its newest
 * version. Answers what `use` makes of it, whose errors are told like those of opening. With
 * `walChecked`, a database that is refused by an error is left as it was, and so is its write-ahead
 * log: what is in it may be in no other file once the database is put back from a copy.
 *
 * @throws {FolderUnusable} held by another process, of a newer version, not writable; {DiskFull};
 * {LogDamaged}; {LogFailed} the disk failed
 */
export function openDatabase<T>(
  folder: string,
  name: string,
  opening: Opening,
  use: (db: Database) => T,
): T {
  const { sharing, migrations, pageSize, pragmas = [], walChecked } = opening;
  const words = {
    cannot: opening.cannot ?? `Cannot open ${folder}`,
    held: opening.held ?? "another process uses it, stop that one or choose another folder",
    wayOut: opening.wayOut,
  };
  const path = join(folder, name);
  const wal = new WalFile(`${path}-wal`);
  let db: Database | undefined;
  let held = false;
  try {
    makeFolder(folder);
    // Never opened where it exists: closing it again would release this process's locks on it.
    touch(path);
    if (walChecked) wal.check();
    db = openFile(path);
    const first = pageSize === undefined ? [] : [`page_size = ${pageSize}`];
    for (const pragma of [...first, ...PRAGMAS[sharing], ...pragmas]) {
      if (sharing === "shared") patiently(() => db!.pragma(pragma));
      else db.pragma(pragma);
    }
    held = true;
    db.transaction(() => {
      const version = migrate(db!, migrations);
      if (version > migrations.length) throw newer(words.cannot, version, migrations.length);
    });
    const used = use(db);
    if (sharing === "alone" && !db.carryOver()) {
      throw new LogFailed(`Cannot write ${path}: the disk failed`);
    }
    return used;
  } catch (error) {
    if (db && held && walChecked) wal.leave(db);
    else db?.close();
    throw openError(path, words, error);
  }
}

/** For how long, and how often, another program is waited for, ms. */
const [PATIENCE, PAUSE] = [10_000, 5];

/** SQLite does not wait by itself where programs make a database at once: each wants its WAL mode. */
function patiently(work: () => unknown): void {
  const end = performance.now() + PATIENCE;
  for (;;) {
    try {
      work();
      return;
    } catch (error) {
      if (sqliteCode(error) !== SQLITE.busy || performance.now() > end) throw error;
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
  }
}

/** Opens a file that is a database, as it is; `version` is not looked at. */
export function openFile(path: string, { readOnly = false } = {}): Database {
  const db = new DatabaseSync(path, { readOnly });
  try {
    return new Database(path, db);
  } catch (error) {
    db.close();
    throw error;
  }
}

/**
 * Brings a database to the newest version; runs inside the caller's transaction.
 *
 * @returns the version it had; greater than their number if it is newer, and then nothing was done
 */
export function migrate(db: Migratable, migrations: readonly Migration[]): number {
  const { user_version: version } = db.prepare("PRAGMA user_version").get() as {
    user_version: number;
  };
  if (version >= migrations.length) return version;
  for (const step of migrations.slice(version)) {
    if (typeof step === "string") db.exec(step);
    else step(db);
  }
  db.exec(`PRAGMA user_version = ${migrations.length}`);
  return version;
}

/** A database that is open. Its errors are SQLite's, where nothing else is said. */
export class Database {
  readonly path: string;
  readonly #db: DatabaseSync;
  readonly #transaction: Statements<"begin" | "commit" | "rollback">;

  constructor(path: string, db: DatabaseSync) {
    this.path = path;
    this.#db = db;
    this.#transaction = this.prepareAll({
      begin: "BEGIN IMMEDIATE",
      commit: "COMMIT",
      rollback: "ROLLBACK",
    });
  }

  exec(sql: string): void {
    this.#db.exec(sql);
  }

  prepare(sql: string): Statement {
    return this.#db.prepare(sql);
  }

  /** Prepares every statement; the schema must be there. */
  prepareAll<Name extends string>(sql: Readonly<Record<Name, string>>): Statements<Name> {
    const prepared = Object.entries<string>(sql).map(([name, text]) => [name, this.prepare(text)]);
    return Object.fromEntries(prepared);
  }

  /** Asks for a pragma, or sets one; the first column of its answer. */
  pragma(text: string): unknown {
    const [row] = this.#db.prepare(`PRAGMA ${text}`).all();
    return row && Object.values(row)[0];
  }

  /**
   * Runs `work` in one transaction: all of it is kept when this returns, nothing when it throws
   * what `work` or SQLite threw.
   *
   * @throws {LogFailed} it could not be undone: what is kept is unknown
   */
  transaction<T>(work: () => T): T {
    const { begin, commit } = this.#transaction;
    try {
      begin.run();
      const result = work();
      commit.run();
      return result;
    } catch (cause) {
      if (this.#undone()) throw cause;
      throw new LogFailed(`Cannot write ${this.path}: what is in it is unknown`, { cause });
    }
  }

  /** What `read` finds, all of one moment, whatever other programs write meanwhile. */
  snapshot<T>(read: () => T): T {
    this.#db.exec("BEGIN");
    try {
      return read();
    } finally {
      this.#undone();
    }
  }

  /**
   * Empties the write-ahead log into the database, as far as there is room: at a start that of an
   * earlier process, on a full disk to give back what it takes. False when the disk failed.
   */
  carryOver(): boolean {
    try {
      this.pragma("wal_checkpoint(TRUNCATE)");
      return true;
    } catch (error) {
      return sqliteCode(error) === SQLITE.full;
    }
  }

  close(): void {
    this.#db.close();
  }

  /** Whether no transaction is left open after an error; some of SQLite's errors end it. */
  #undone(): boolean {
    try {
      this.#transaction.rollback.run();
      return true;
    } catch (error) {
      return error instanceof Error && error.message.includes("no transaction is active");
    }
  }
}

/** The write-ahead log as an earlier process left it, which SQLite removes when it closes. */
class WalFile {
  readonly #path: string;
  #bytes: Uint8Array | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Looks at it before SQLite does, and keeps it. @throws {LogDamaged} */
  check(): void {
    if (!existsSync(this.#path)) return;
    this.#bytes = readFileSync(this.#path);
    const bad = damagedAt(this.#bytes);
    // A process that holds the folder may write just now: then it is another byte a moment later.
    if (bad === undefined || damagedAt(readFileSync(this.#path)) !== bad) return;
    throw damaged(this.#path, 0, undefined, ` from byte ${bad} on`);
  }

  /** Closes its database, which would carry it over, and leaves both as they were. */
  leave(db: Database): void {
    const close = () => {
      if (existsSync(this.#path)) truncateSync(this.#path);
      db.close();
    };
    const bytes = this.#bytes;
    if (bytes) {
      replace(this.#path, (part) => {
        writeFileSync(part, bytes);
        close();
      });
    } else {
      close();
      rmSync(this.#path, { force: true });
    }
  }
}
