/** A user's folder in SQLite: known groups, cursors, outbox. Open in several programs at once. */

import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FolderUnusable } from "../errors.ts";
import type { Message } from "../protocol/schema.ts";
import type { StoredGroup, UserStore } from "./user_store.ts";

/** The schema of `user.db`: append to the list, never edit what stands in it. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE known (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, curve TEXT NOT NULL, door TEXT NOT NULL,
    key TEXT NOT NULL, joined INTEGER NOT NULL, role TEXT NOT NULL,
    epoch TEXT NOT NULL DEFAULT '', cursor INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE outbox (
    known TEXT NOT NULL, mid TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (known, mid)
  ) STRICT, WITHOUT ROWID;`,
  // Doors and CURVE keys are of the wire zg1.
  `ALTER TABLE known DROP COLUMN curve;
  ALTER TABLE known DROP COLUMN door;
  ALTER TABLE known ADD COLUMN ticket TEXT NOT NULL DEFAULT '';
  CREATE TABLE pin (address TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;`,
];

/**
 * The store in `folder`, which is made (mode 0700) if missing.
 *
 * @throws {FolderUnusable} not writable, not a database, or of a newer version
 */
export function sqliteStore(folder: string): UserStore {
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = join(folder, "user.db");
    db = new DatabaseSync(file);
    chmodSync(file, 0o600);
    // A message must survive the end of this process; fsync at each checkpoint is enough for that.
    db.exec("PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    migrate(db);
    return new SqliteStore(db);
  } catch (cause) {
    db?.close();
    if (cause instanceof FolderUnusable) throw cause;
    throw new FolderUnusable(`Cannot use the folder ${folder}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function migrate(db: DatabaseSync): void {
  db.exec("BEGIN IMMEDIATE");
  const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (user_version < MIGRATIONS.length) {
    for (const sql of MIGRATIONS.slice(user_version)) db.exec(sql);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  }
  db.exec("COMMIT");
  if (user_version > MIGRATIONS.length) {
    throw new FolderUnusable(
      "Cannot use the user's folder: a newer zgroup wrote it; update this one",
    );
  }
}

class SqliteStore implements UserStore {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  #closed = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  groups(): StoredGroup[] {
    const rows = this.#sql("SELECT * FROM known ORDER BY name, id").all();
    return rows.map((row) => ({ ...row, joined: row.joined === 1 }) as unknown as StoredGroup);
  }

  save(group: Parameters<UserStore["save"]>[0]): void {
    const { id, name, address, key, joined, role } = group;
    this.#sql(`
      INSERT INTO known (id, name, address, key, joined, role) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address,
        key = excluded.key, joined = excluded.joined, role = excluded.role
    `).run(id, name, address, key, joined ? 1 : 0, role);
  }

  forget(id: string): void {
    this.#sql("DELETE FROM known WHERE id = ?").run(id);
  }

  keepTicket(id: string, ticket: string): void {
    this.#sql("UPDATE known SET ticket = ? WHERE id = ?").run(ticket, id);
  }

  pinned(address: string): string | undefined {
    const row = this.#sql("SELECT key FROM pin WHERE address = ?").get(address);
    return row?.key as string | undefined;
  }

  pin(address: string, key: string): void {
    this.#sql("INSERT OR REPLACE INTO pin (address, key) VALUES (?, ?)").run(address, key);
  }

  moveCursor(id: string, epoch: string, seq: number): void {
    // Not ?1 and ?2: the first versions of Node with SQLite take those for names.
    this.#sql(`
      UPDATE known SET epoch = ?, cursor = ?
      WHERE id = ? AND (epoch <> ? OR cursor < ?)
    `).run(epoch, seq, id, epoch, seq);
  }

  enqueue(group: string, messages: readonly Message[]): void {
    this.#transaction(() => {
      const insert = this.#sql("INSERT OR IGNORE INTO outbox (known, mid, text) VALUES (?, ?, ?)");
      for (const [mid, text] of messages) insert.run(group, mid, text);
    });
  }

  pending(group: string): Message[] {
    const rows = this.#sql("SELECT mid, text FROM outbox WHERE known = ? ORDER BY mid").all(group);
    return rows.map(({ mid, text }) => [mid as string, text as string]);
  }

  settle(group: string, mids: readonly string[]): void {
    this.#transaction(() => {
      const remove = this.#sql("DELETE FROM outbox WHERE known = ? AND mid = ?");
      for (const mid of mids) remove.run(group, mid);
    });
  }

  #transaction(work: () => void): void {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      work();
      this.#db.exec("COMMIT");
    } catch (error) {
      this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  #sql(text: string): ReturnType<DatabaseSync["prepare"]> {
    let statement = this.#statements.get(text);
    if (!statement) this.#statements.set(text, statement = this.#db.prepare(text));
    return statement;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
