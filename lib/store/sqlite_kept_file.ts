/** `messages.db`: what was read of each group. Open in several programs at once. */

import { existsSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { type Database, openDatabase, type Opening, type Statements } from "../disk/sqlite.ts";
import type { OpenWords } from "../disk/sqlite_errors.ts";
import type { GroupEntry } from "../protocol/batch.ts";
import type { KeptRange } from "./kept_store.ts";

/** What is kept at most. */
export interface KeptBounds {
  /** Of each group, entries. */
  readonly entries: number;
  /** Of each group, bytes of their JSON. */
  readonly bytes: number;
  /** Of all groups, bytes of the file. */
  readonly file: number;
}

const MIGRATIONS = [
  `CREATE TABLE shelf (
    id INTEGER PRIMARY KEY, known TEXT NOT NULL UNIQUE, epoch TEXT NOT NULL, used INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE kept (
    shelf INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, size INTEGER NOT NULL,
    entry TEXT NOT NULL, sum INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX kept_once ON kept (shelf, seq);
  CREATE INDEX kept_size ON kept (shelf, seq, size);`,
];

const SQL = {
  shelf: "SELECT id, epoch FROM shelf WHERE known = ?",
  shelve: `INSERT INTO shelf (known, epoch, used) VALUES (?, ?, ?)
    ON CONFLICT (known) DO UPDATE SET epoch = excluded.epoch, used = excluded.used
    RETURNING id, epoch`,
  // What is there as it is costs no write.
  put: `INSERT INTO kept (shelf, seq, at, size, entry, sum) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (shelf, seq) DO UPDATE SET at = excluded.at, size = excluded.size,
      entry = excluded.entry, sum = excluded.sum WHERE sum <> excluded.sum`,
  add: `INSERT INTO kept (shelf, seq, at, size, entry, sum) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (shelf, seq) DO NOTHING`,
  first: `SELECT * FROM kept WHERE shelf = ? AND seq > ? AND seq < ? AND at >= ? AND at <= ?
    ORDER BY seq LIMIT ?`,
  last: `SELECT * FROM kept WHERE shelf = ? AND seq > ? AND seq < ? AND at >= ? AND at <= ?
    ORDER BY seq DESC LIMIT ?`,
  total: "SELECT count(*) AS entries, total(size) AS bytes FROM kept WHERE shelf = ?",
  beyond: "SELECT seq FROM kept WHERE shelf = ? ORDER BY seq DESC LIMIT 1 OFFSET ?",
  sizes: "SELECT seq, size FROM kept WHERE shelf = ? ORDER BY seq DESC",
  cut: "DELETE FROM kept WHERE shelf = ? AND seq <= ?",
  empty: "DELETE FROM kept WHERE shelf = ?",
  oldest: "SELECT known FROM shelf WHERE known <> ? ORDER BY used LIMIT 1",
  forget: "DELETE FROM shelf WHERE known = ?",
} as const;

interface Shelf {
  readonly id: number;
  readonly epoch: string;
}
interface Row {
  readonly seq: number;
  readonly at: number;
  readonly entry: string;
  readonly sum: number;
}

/** Where a home keeps it. */
export function keptPath(folder: string): string {
  return join(folder, "messages.db");
}

/** What its name ends in, and that of the files beside it. */
export const KEPT_FILES = ["", "-wal", "-shm"];

/** How the sentences about it begin, and what to do. */
export function keptWords(folder: string): OpenWords {
  return {
    cannot: `Cannot use ${keptPath(folder)}`,
    held: "another program writes to it, try again",
    wayOut: "the next command sets it aside and begins anew; the groups have the messages",
  };
}

/** A database that is open. What goes wrong is thrown as it comes. */
export class KeptFile {
  readonly #db: Database;
  readonly #sql: Statements<keyof typeof SQL>;
  readonly #bounds: KeptBounds;

  /** Opens that of a folder, made (mode 0600) if missing. Throws as {@linkcode openDatabase} does. */
  static open(folder: string, bounds: KeptBounds): KeptFile {
    const opening: Opening = {
      sharing: "shared",
      migrations: MIGRATIONS,
      // Nobody waits for a copy; and what is removed is gone from the disk.
      pragmas: ["busy_timeout = 250", "secure_delete = ON"],
      ...keptWords(folder),
    };
    return openDatabase(folder, "messages.db", opening, (db) => new KeptFile(db, bounds));
  }

  private constructor(db: Database, bounds: KeptBounds) {
    this.#db = db;
    this.#sql = db.prepareAll(SQL);
    this.#bounds = bounds;
  }

  /** Keeps entries of one group and epoch, ascending, in one transaction. */
  put(group: string, entries: readonly GroupEntry[]): void {
    const [{ epoch }] = entries;
    this.#db.transaction(() => {
      const known = this.#sql.shelf.get(group) as Shelf | undefined;
      const { id } = this.#sql.shelve.get(group, epoch, Date.now()) as Shelf;
      if (known && known.epoch !== epoch) this.#sql.empty.run(id);
      for (const { group: _, epoch, ...entry } of entries) {
        const text = JSON.stringify(entry);
        const sum = sumOf(group, epoch, text);
        // What is not verified does not take the place of what was.
        const put = this.#sql[entry.signature === "invalid" ? "add" : "put"];
        put.run(id, entry.seq, entry.at, text.length, text, sum);
      }
      this.#cut(id);
      this.#makeRoom(group);
    });
  }

  /** The oldest entries of a group go, so that it keeps within its bounds. */
  #cut(shelf: number): void {
    const most = this.#bounds;
    const total = this.#sql.total.get(shelf) as { entries: number; bytes: number };
    if (total.entries <= most.entries && total.bytes <= most.bytes) return;
    const tooMany = this.#sql.beyond.get(shelf, most.entries) as { seq: number } | undefined;
    let end = tooMany?.seq ?? 0;
    if (total.bytes > most.bytes) {
      let bytes = 0;
      const sizes = this.#sql.sizes.all(shelf) as { seq: number; size: number }[];
      end = Math.max(end, sizes.find(({ size }) => (bytes += size) > most.bytes)!.seq);
    }
    this.#sql.cut.run(shelf, end);
  }

  /** The groups that nothing was kept of for the longest time go, so that the file stays in its. */
  #makeRoom(group: string): void {
    const size = this.#db.pragma("page_size") as number;
    const used = () => {
      const [all, free] = [this.#db.pragma("page_count"), this.#db.pragma("freelist_count")];
      return ((all as number) - (free as number)) * size;
    };
    while (used() > this.#bounds.file) {
      const oldest = this.#sql.oldest.get(group) as { known: string } | undefined;
      if (!oldest) return;
      this.#remove(oldest.known);
    }
  }

  /** Entries of a range, ascending; without those that are not as they were written. */
  read(group: { readonly id: string; readonly name: string }, range: KeptRange): GroupEntry[] {
    const { since, until, after, before, limit, last } = range;
    const bounds = [after ?? 0, before ?? MOST, since ?? -MOST, until ?? MOST, limit ?? -1];
    return this.#db.snapshot(() => {
      const shelf = this.#sql.shelf.get(group.id) as Shelf | undefined;
      if (!shelf) return [];
      const { id, epoch } = shelf;
      const rows = this.#sql[last ? "last" : "first"].all(id, ...bounds) as Row[];
      const whole = rows.filter(({ entry, sum }) => sum === sumOf(group.id, epoch, entry));
      if (last) whole.reverse();
      return whole.map(({ entry }) => ({ group: group.name, epoch, ...JSON.parse(entry) }));
    });
  }

  forget(group: string): void {
    this.#db.transaction(() => this.#remove(group));
    this.#db.carryOver();
  }

  #remove(group: string): void {
    const shelf = this.#sql.shelf.get(group) as Shelf | undefined;
    if (!shelf) return;
    this.#sql.empty.run(shelf.id);
    this.#sql.forget.run(group);
  }

  close(): void {
    this.#db.close();
  }
}

const MOST = Number.MAX_SAFE_INTEGER;

// Stored: do not change.
function sumOf(group: string, epoch: string, entry: string): number {
  return crc32(`${group} ${epoch} ${entry}`);
}

/** A file's identity: another program may have put another one in its place. */
export function fileId(folder: string): number | undefined {
  return statSync(keptPath(folder), { throwIfNoEntry: false })?.ino;
}

/** Whether anything is kept. */
export function hasKept(folder: string): boolean {
  return existsSync(keptPath(folder));
}

/** Sets a damaged file aside, in the place of one that was set aside before. */
export function setKeptAside(folder: string): void {
  for (const end of KEPT_FILES) {
    const path = keptPath(folder) + end;
    if (existsSync(path)) renameSync(path, `${keptPath(folder)}.damaged${end}`);
    else rmSync(`${keptPath(folder)}.damaged${end}`, { force: true });
  }
}
