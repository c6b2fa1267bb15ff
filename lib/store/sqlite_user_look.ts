/** Looks at a user's folder without changing it, and takes out of a damaged one what can be read. */

import { type Database, openFile } from "../disk/sqlite.ts";
import { damaged, newer, openError, SQLITE, sqliteCode } from "../disk/sqlite_errors.ts";
import type { Message } from "../protocol/schema.ts";
import { copyIn } from "./known_file.ts";
import { queuedOf } from "./queued_record.ts";
import {
  type FolderRow,
  type GroupRow,
  groupSum,
  MIGRATIONS,
  type OutboxRow,
  type PinRow,
  pinSum,
  SUMS_SINCE,
  toGroup,
  type WaitingRow,
  waitingSum,
} from "./sqlite_user_schema.ts";
import { SQL, SqliteStore } from "./sqlite_user_store.ts";
import { isEmpty, missing, storePath, wordsFor } from "./user_folder.ts";
import type { FoundStore, StoredGroup } from "./user_store.ts";

/**
 * What is in a folder, without changing it; undefined where nothing was kept yet.
 *
 * @param owner the user id of the folder's key; absent: whoever's it is
 * @throws what {@linkcode sqliteStore} throws, and {LogDamaged} for all that waits to be sent, too
 */
export function lookAtStore(folder: string, owner = ""): FoundStore | undefined {
  const copy = copyIn(folder);
  const queued = queuedOf(folder, owner);
  if (isEmpty(folder)) {
    if (copy !== undefined) throw missing(folder, copy);
    return undefined;
  }
  return looking(folder, (db, version) => {
    if (version > MIGRATIONS.length) {
      throw newer(wordsFor(folder).cannot, version, MIGRATIONS.length);
    }
    if (version < MIGRATIONS.length) return earlier(folder, db, version);
    const store = new SqliteStore(db, folder);
    store.check(owner, copy, queued);
    return store.whole();
  });
}

/** Of an earlier version's database nothing is known but that it is none of this one. */
function earlier(folder: string, db: Database, version: number): FoundStore {
  const hasSums = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'folder'").get();
  if (hasSums && version < SUMS_SINCE) {
    throw damaged(storePath(folder), 0, undefined, "", wordsFor(folder).wayOut);
  }
  return emptyStore();
}

/** What can still be read of a damaged `user.db`. */
export interface Salvaged extends FoundStore {
  /** All that waited to be sent when this file was written is there. */
  readonly outboxIsWhole: boolean;
}

/** Reads a damaged `user.db` without changing it: rows whose sum is right, which may be none. */
export function salvage(folder: string): Salvaged {
  const found = { ...emptyStore(), outboxIsWhole: false };
  const attempt = <Row>(db: Database, sql: string, take: (row: Row) => void) => {
    try {
      for (const row of db.prepare(sql).iterate() as Iterable<Row>) take(row);
      return true;
    } catch {
      return false; // What comes after it cannot be read.
    }
  };
  if (isEmpty(folder)) return found;
  try {
    looking(folder, (db) => {
      attempt(db, SQL.folder, (row: FolderRow) => Object.assign(found, row));
      attempt(db, "SELECT * FROM known", (row: GroupRow) => {
        if (row.sum === groupSum(row)) found.groups.push(toGroup(row));
      });
      attempt(db, "SELECT * FROM pin", (row: PinRow) => {
        if (row.sum === pinSum(row)) found.pins[row.address] = row.key;
      });
      const sums = new Map<string, number>();
      attempt(db, "SELECT * FROM outbox", (row: WaitingRow) => {
        if (row.sum !== waitingSum(row)) return;
        const { known, mid, text, sum } = row;
        const waiting = found.outbox.get(known);
        if (waiting) waiting.push([mid, text]);
        else found.outbox.set(known, [[mid, text]]);
        sums.set(known, ((sums.get(known) ?? 0) ^ sum) >>> 0);
      });
      const record = queuedOf(folder, found.owner);
      let isCounted = record === undefined;
      const all = attempt(db, "SELECT * FROM waiting", ({ known, sum, queued }: OutboxRow) => {
        if ((sums.get(known) ?? 0) !== sum) throw new Error("not whole");
        sums.delete(known);
        if (record && record.group === known && record.queued <= queued) isCounted = true;
      });
      found.outboxIsWhole = all && sums.size === 0 && isCounted;
    });
  } catch {
    // Nothing of it can be read.
  }
  return found;
}

function emptyStore() {
  return {
    owner: "",
    generation: 0,
    groups: [] as StoredGroup[],
    pins: {} as Record<string, string>,
    outbox: new Map<string, Message[]>(),
    warnings: [] as string[],
  };
}

/** The user id that a folder's files name; undefined where nothing was kept yet. */
export function storeOwner(folder: string): string | undefined {
  const copy = copyIn(folder);
  if (copy === undefined && isEmpty(folder)) return undefined;
  return (copy && copy !== "damaged" && copy.owner) || salvage(folder).owner || "somebody";
}

/** Whether another program has a folder's `user.db` open. */
export function isStoreInUse(folder: string): boolean {
  if (isEmpty(folder)) return false;
  try {
    const db = openFile(storePath(folder));
    try {
      db.pragma("locking_mode = EXCLUSIVE");
      db.exec("BEGIN EXCLUSIVE");
    } finally {
      db.close();
    }
    return false;
  } catch (error) {
    return sqliteCode(error) === SQLITE.busy;
  }
}

function looking<T>(folder: string, work: (db: Database, version: number) => T): T {
  const path = storePath(folder);
  let db: Database | undefined;
  try {
    db = openFile(path, { readOnly: true });
    db.pragma("busy_timeout = 10000");
    return work(db, db.pragma("user_version") as number);
  } catch (error) {
    throw openError(path, wordsFor(folder), error);
  } finally {
    db?.close();
  }
}
