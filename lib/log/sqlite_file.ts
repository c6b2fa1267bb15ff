/** The database beneath a log: when it may be used, and what a failed write means. */

import fs from "node:fs";
import { dirname, join } from "node:path";
import { type Database, openDatabase, type Opening, type Statements } from "../disk/sqlite.ts";
import { isFull, readError, sqliteCode } from "../disk/sqlite_errors.ts";
import { Closed, DiskFull, LogFailed, UsageError } from "../errors.ts";
import type { Owner } from "./sqlite_owner.ts";
import { MIGRATIONS, SQL } from "./sqlite_schema.ts";

/** What is asked of a log. */
export interface SqliteOptions {
  /**
   * Bytes that the database may grow to, in whole pages; without it the disk is the bound. When it
   * is reached, `append` throws {@linkcode DiskFull} until `drop` has made room inside.
   */
  readonly maxBytes?: number;
  /** Whose log it is; without it nothing but the log itself is looked at. */
  readonly owner?: Owner;
}

/** How often the room on the disk is looked at, ms. */
const LOOK_EVERY = 100;
/** A write-ahead log may take this much, and the database the same again, bytes. */
const LITTLE_ROOM = 128 * 1_048_576;

/** Of a log's database, bytes: a request of 256 messages fills 5 to 35 of these, each two writes. */
export const PAGE_SIZE = 8192;

const OPENING: Opening = {
  sharing: "alone",
  migrations: MIGRATIONS,
  walChecked: true,
  pageSize: PAGE_SIZE,
  pragmas: [
    // A checkpoint stalls the commit that causes it; SQLite's 1,000 pages stall too often.
    "wal_autocheckpoint = 2000",
    "journal_size_limit = 67108864",
    // What is dropped is overwritten, not only unlinked.
    "secure_delete = ON",
  ],
};

/** The file of the log in `folder`, which is made (mode 0700) if missing and belongs to one process. */
export function logFile(folder: string, { maxBytes }: SqliteOptions): LogFile {
  return new LogFile(
    join(folder, "log.db"),
    (use) =>
      openDatabase(folder, "log.db", OPENING, (db) => {
        if (maxBytes !== undefined) {
          db.pragma(`max_page_count = ${Math.floor(maxBytes / Number(db.pragma("page_size")))}`);
        }
        return use(db);
      }),
  );
}

/** Opens a database and answers what `use` makes of it; where that throws, it is as it was. */
type Open = <T>(use: (db: Database) => T) => T;

/** A database file with a log in it; in use between `open` and `close`. */
export class LogFile {
  readonly path: string;
  readonly #open: Open;
  #db: Database | undefined;
  #sql: Statements<keyof typeof SQL> | undefined;
  #closed = false;
  #failed?: LogFailed;
  /** When the room on the disk was looked at. */
  #looked = -Infinity;

  constructor(path: string, open: Open) {
    this.path = path;
    this.#open = open;
  }

  /** Every statement, prepared. @throws {Closed} before `open` and after `close` */
  get sql(): Statements<keyof typeof SQL> {
    return this.#sql ?? this.#unusable();
  }

  /**
   * Opens it and answers what `trust` makes of what is in it; where that throws, nothing was changed.
   * Throws what both throw, and `open` of the constructor; {Closed}; {UsageError} it is open.
   */
  open<T>(trust: () => T): T {
    if (this.#closed) throw new Closed(`Cannot open the log ${this.path}: it was closed`);
    if (this.#db) throw new UsageError(`Cannot open the log ${this.path}: it is open`);
    try {
      return this.#open((db) => {
        this.#db = db;
        this.#sql = this.reading(() => db.prepareAll(SQL));
        return trust();
      });
    } catch (error) {
      this.#db = this.#sql = undefined;
      this.#closed = true;
      throw error;
    }
  }

  /**
   * Runs `work` in one transaction: all of it is on disk afterwards, or this throws.
   *
   * @throws {DiskFull} nothing was kept; {LogFailed} unknown what was kept, and from then on always
   */
  transaction(action: string, work: () => void): void {
    const db = this.#db ?? this.#unusable();
    if (this.#failed) throw this.#failed;
    try {
      db.transaction(work);
    } catch (cause) {
      if (sqliteCode(cause) === 0 && !(cause instanceof LogFailed)) throw cause;
      if (isFull(cause) && db.carryOver()) {
        throw new DiskFull(`Cannot ${action}: the disk is full`, { cause });
      }
      // What is on disk is unknown now, and a second fsync may say yes without writing.
      throw this.#fail(action, cause);
    }
    this.#spareRoom(db);
  }

  /** Runs `work`, whose errors of SQLite become {LogDamaged} at `seq` or {LogFailed}. */
  reading<T>(work: () => T, seq = 0): T {
    try {
      return work();
    } catch (error) {
      throw readError(this.path, seq, error);
    }
  }

  close(): void {
    this.#closed = true;
    this.#sql = undefined;
    this.#db?.close();
    this.#db = undefined;
  }

  #unusable(): never {
    const why = this.#closed ? "was closed" : "was not opened";
    throw new Closed(`Cannot use the log ${this.path}: it ${why}`);
  }

  #fail(action: string, cause?: unknown): LogFailed {
    const message = `Cannot ${action}: ${this.path} could not be written`;
    return this.#failed = new LogFailed(message, { cause });
  }

  /**
   * On a disk with little room, carries the write-ahead log over before it takes what the database
   * needs for that: once nothing is left, neither could shrink.
   */
  #spareRoom(db: Database) {
    const now = performance.now();
    if (now - this.#looked < LOOK_EVERY) return;
    this.#looked = now;
    if (roomFor(this.path) < LITTLE_ROOM && !db.carryOver()) this.#fail("carry over");
  }
}

/** Bytes that can still be written where a file is; Infinity where the system does not tell. */
function roomFor(path: string): number {
  try {
    const { bavail, bsize } = fs.statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}
