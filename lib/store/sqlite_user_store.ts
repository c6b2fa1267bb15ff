/** A user's folder in SQLite: known groups, cursors, outbox. Open in several programs at once. */

import { type Database, openDatabase, type Opening, type Statements } from "../disk/sqlite.ts";
import type { Message } from "../protocol/schema.ts";
import type { Proof, StoredGroup, UserStore } from "./user_store.ts";

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
  // A cursor without a proof, as the versions before kept it, has empty hashes.
  `ALTER TABLE known ADD COLUMN base_seq INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE known ADD COLUMN base_hash TEXT NOT NULL DEFAULT '';
  ALTER TABLE known ADD COLUMN tip_seq INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE known ADD COLUMN tip_hash TEXT NOT NULL DEFAULT '';`,
];

const SQL = {
  groups: "SELECT * FROM known ORDER BY name, id",
  save: `INSERT INTO known (id, name, address, key, joined, role) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, address = excluded.address,
      key = excluded.key, joined = excluded.joined, role = excluded.role`,
  forget: "DELETE FROM known WHERE id = ?",
  keepTicket: "UPDATE known SET ticket = ? WHERE id = ?",
  pinned: "SELECT key FROM pin WHERE address = ?",
  pin: "INSERT OR REPLACE INTO pin (address, key) VALUES (?, ?)",
  // Not ?1 and ?2: the first versions of Node with SQLite take those for names.
  moveCursor: `UPDATE known
    SET epoch = ?, cursor = ?, base_seq = ?, base_hash = ?, tip_seq = ?, tip_hash = ?
    WHERE id = ? AND (epoch <> ? OR cursor <= ?)`,
  enqueue: "INSERT OR IGNORE INTO outbox (known, mid, text) VALUES (?, ?, ?)",
  pending: "SELECT mid, text FROM outbox WHERE known = ? ORDER BY mid",
  settle: "DELETE FROM outbox WHERE known = ? AND mid = ?",
} as const;

/** A row of `known`. */
interface Row extends Omit<StoredGroup, "joined" | "base" | "tip"> {
  readonly joined: number;
  readonly base_seq: number;
  readonly base_hash: string;
  readonly tip_seq: number;
  readonly tip_hash: string;
}

/**
 * The store in `folder`, which is made (mode 0700) if missing.
 *
 * @throws {FolderUnusable} not writable, or of a newer version; {DiskFull}; {LogDamaged}
 */
export function sqliteStore(folder: string): UserStore {
  const opening: Opening = {
    sharing: "shared",
    migrations: MIGRATIONS,
    cannot: `Cannot use the folder ${folder}`,
    held: "it is locked by another program that writes, try again",
  };
  return openDatabase(folder, "user.db", opening, (db) => new SqliteStore(db));
}

class SqliteStore implements UserStore {
  readonly #db: Database;
  readonly #sql: Statements<keyof typeof SQL>;
  #closed = false;

  constructor(db: Database) {
    this.#db = db;
    this.#sql = db.prepareAll(SQL);
  }

  groups(): StoredGroup[] {
    return (this.#sql.groups.all() as Row[]).map(
      ({ joined, base_seq, base_hash, tip_seq, tip_hash, ...row }) => ({
        ...row,
        joined: joined === 1,
        ...(base_hash ? { base: { seq: base_seq, hash: base_hash } } : {}),
        ...(tip_hash ? { tip: { seq: tip_seq, hash: tip_hash } } : {}),
      }),
    );
  }

  save(group: Parameters<UserStore["save"]>[0]): void {
    const { id, name, address, key, joined, role } = group;
    this.#sql.save.run(id, name, address, key, joined ? 1 : 0, role);
  }

  forget(id: string): void {
    this.#sql.forget.run(id);
  }

  keepTicket(id: string, ticket: string): void {
    this.#sql.keepTicket.run(ticket, id);
  }

  pinned(address: string): string | undefined {
    return (this.#sql.pinned.get(address) as { key: string } | undefined)?.key;
  }

  pin(address: string, key: string): void {
    this.#sql.pin.run(address, key);
  }

  moveCursor(id: string, epoch: string, seq: number, { base, tip }: Proof = {}): void {
    const proof = [base?.seq ?? 0, base?.hash ?? "", tip?.seq ?? 0, tip?.hash ?? ""];
    this.#sql.moveCursor.run(epoch, seq, ...proof, id, epoch, seq);
  }

  enqueue(group: string, messages: readonly Message[]): void {
    this.#db.transaction(() => {
      for (const [mid, text] of messages) this.#sql.enqueue.run(group, mid, text);
    });
  }

  pending(group: string): Message[] {
    const rows = this.#sql.pending.all(group) as { mid: string; text: string }[];
    return rows.map(({ mid, text }) => [mid, text]);
  }

  settle(group: string, mids: readonly string[]): void {
    this.#db.transaction(() => {
      for (const mid of mids) this.#sql.settle.run(group, mid);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#db.close();
  }
}
