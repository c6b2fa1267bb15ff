/** The log's file: WAL, synced at each commit, held by one process. Only importer of node:sqlite. */

import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Closed, DiskFull, FolderUnusable, LogFailed, UsageError } from "../errors.ts";
import type { Log } from "./log.ts";
import { migrate, MIGRATIONS } from "./migrations.ts";
import { addValues, writeCopy } from "./sqlite_copy.ts";
import {
  copyError,
  damagedWal,
  openError,
  readError,
  SQLITE,
  sqliteCode,
} from "./sqlite_errors.ts";
import { type LogFile, SqliteLog } from "./sqlite_log.ts";
import { PRAGMAS, prepareAll, type Statements } from "./sqlite_statements.ts";
import { damagedAt } from "./wal.ts";

/** Bounds of a log. */
export interface SqliteOptions {
  /**
   * Bytes that the database may grow to, in whole pages; without it the disk is the bound. When it
   * is reached, `append` throws {@linkcode DiskFull} until `drop` has made room inside.
   */
  readonly maxBytes?: number;
}

/** How often the room on the disk is looked at, ms. */
const LOOK_EVERY = 100;
/** A write-ahead log may take this much, and the database the same again, bytes. */
const LITTLE_ROOM = 128 * 1_048_576;

/** The log in `folder`, which is made (mode 0700) if missing and belongs to one process. */
export function sqliteLog(folder: string, options: SqliteOptions = {}): Log {
  return new SqliteLog(new SqliteFile(folder, options));
}

class SqliteFile implements LogFile {
  readonly path: string;
  readonly #folder: string;
  readonly #maxBytes?: number;
  #db?: DatabaseSync;
  #sql?: Statements<StatementSync>;
  #closed = false;
  #failed?: LogFailed;
  /** When the room on the disk was looked at. */
  #looked = -Infinity;

  constructor(folder: string, { maxBytes }: SqliteOptions) {
    this.#folder = folder;
    if (maxBytes !== undefined) this.#maxBytes = maxBytes;
    this.path = join(folder, "log.db");
  }

  get sql(): Statements<StatementSync> {
    if (this.#sql) return this.#sql;
    const why = this.#closed ? "was closed" : "was not opened";
    throw new Closed(`Cannot use the log in ${this.#folder}: it ${why}`);
  }

  open() {
    if (this.#closed) throw new Closed(`Cannot open the log in ${this.#folder}: it was closed`);
    if (this.#db) throw new UsageError(`Cannot open the log in ${this.#folder}: it is open`);
    try {
      this.#make();
      this.#checkWal();
      const db = this.#db = new DatabaseSync(this.path);
      for (const pragma of PRAGMAS) db.prepare(`PRAGMA ${pragma}`).all();
      if (!this.#carryOver()) throw new LogFailed(`Cannot write ${this.path}: the disk failed`);
      this.#migrate(db);
      this.#bound(db);
      this.#sql = prepareAll(db);
    } catch (error) {
      this.close();
      throw openError(this.#folder, this.path, error);
    }
  }

  transaction(action: string, work: () => void) {
    const { begin, commit } = this.sql;
    if (this.#failed) throw this.#failed;
    try {
      begin.run();
      work();
      commit.run();
    } catch (cause) {
      const code = sqliteCode(cause);
      const undone = this.#undone();
      if (undone && code === 0) throw cause;
      if (undone && code === SQLITE.full && this.#carryOver()) {
        throw new DiskFull(`Cannot ${action}: the disk is full`, { cause });
      }
      // What is on disk is unknown now, and a second fsync may say yes without writing.
      throw this.#fail(action, cause);
    }
    this.#spareRoom();
  }

  #fail(action: string, cause?: unknown): LogFailed {
    const message = `Cannot ${action}: ${this.path} could not be written`;
    return this.#failed = new LogFailed(message, { cause });
  }

  /**
   * On a disk with little room, carries the write-ahead log over before it takes what the database
   * needs for that: once nothing is left, neither could shrink.
   */
  #spareRoom() {
    const now = performance.now();
    if (now - this.#looked < LOOK_EVERY) return;
    this.#looked = now;
    if (roomIn(this.#folder) < LITTLE_ROOM && !this.#carryOver()) this.#fail("carry over");
  }

  reading<T>(work: () => T, seq = 0): T {
    try {
      return work();
    } catch (error) {
      throw readError(this.path, seq, error);
    }
  }

  size(): number {
    return [this.path, `${this.path}-wal`]
      .map((file) => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0)
      .reduce((sum, size) => sum + size);
  }

  copy(file: string, values: Readonly<Record<string, string>>) {
    const { copy } = this.sql;
    if (fs.existsSync(file)) throw new UsageError(`Cannot back up to ${file}: it exists`);
    try {
      writeCopy(file, (part) => {
        copy.run(part);
        addValues(part, values);
      });
    } catch (error) {
      throw copyError(this.path, file, error);
    }
  }

  close() {
    this.#closed = true;
    this.#sql = undefined;
    this.#db?.close();
    this.#db = undefined;
  }

  #make() {
    fs.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    // Never opened where it exists: closing it again would release this process's locks on it.
    if (!fs.existsSync(this.path)) fs.writeFileSync(this.path, "", { flag: "wx", mode: 0o600 });
  }

  /** Before SQLite opens it: whatever it does not understand there, it removes when it closes. */
  #checkWal() {
    const wal = `${this.path}-wal`;
    if (!fs.existsSync(wal)) return;
    const bad = damagedAt(fs.readFileSync(wal));
    // A process that holds the folder may write just now: then it is another byte a moment later.
    if (bad === undefined || damagedAt(fs.readFileSync(wal)) !== bad) return;
    throw damagedWal(wal, bad);
  }

  /**
   * Empties the write-ahead log, as far as there is room: at the start that of an earlier process
   * (see `wal.ts`), on a full disk to give back what it takes. False when the disk failed.
   */
  #carryOver(): boolean {
    try {
      this.#db?.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all();
      return true;
    } catch (error) {
      return sqliteCode(error) === SQLITE.full;
    }
  }

  #migrate(db: DatabaseSync) {
    db.exec("BEGIN IMMEDIATE");
    const version = migrate(db);
    if (version > MIGRATIONS.length) {
      throw new FolderUnusable(
        `Cannot open ${this.#folder}: its format is ${version}, this version of zgroup knows ` +
          `up to ${MIGRATIONS.length}`,
      );
    }
    if (version === 0) {
      const set = db.prepare("INSERT INTO meta VALUES (?, ?)");
      set.run("epoch", randomUUID());
      set.run("tail", 1);
    }
    db.exec("COMMIT");
  }

  #bound(db: DatabaseSync) {
    if (this.#maxBytes === undefined) return;
    const { page_size } = db.prepare("PRAGMA page_size").get() as { page_size: number };
    db.prepare(`PRAGMA max_page_count = ${Math.floor(this.#maxBytes / page_size)}`).get();
  }

  /** Whether no transaction is left open after an error; some of SQLite's errors end it. */
  #undone(): boolean {
    try {
      this.sql.rollback.run();
      return true;
    } catch (error) {
      return error instanceof Error && error.message.includes("no transaction is active");
    }
  }
}

/** Bytes that can still be written to the disk of a folder; Infinity where the system does not tell. */
function roomIn(folder: string): number {
  try {
    const { bavail, bsize } = fs.statfsSync(folder);
    return bavail * bsize;
  } catch {
    return Infinity;
  }
}
