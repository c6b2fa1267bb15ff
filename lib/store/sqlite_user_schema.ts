/** What `user.db` is made of: its tables, its rows, and the sums that show that they are whole. */

import { crc32 } from "node:zlib";
import type { Migration } from "../disk/sqlite.ts";
import type { Known } from "./known_file.ts";
import type { StoredGroup } from "./user_store.ts";

/** The schema of `user.db`: append to the list, never edit what stands in it. */
export const MIGRATIONS: readonly Migration[] = [
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
  // What proves that a log goes on from a cursor: empty hashes where none was kept. Whose it is and
  // how often it changed; a sum a row, and for a group one of all that wait and how many ever did.
  (db) => {
    db.exec(`ALTER TABLE known ADD COLUMN base_seq INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE known ADD COLUMN base_hash TEXT NOT NULL DEFAULT '';
    ALTER TABLE known ADD COLUMN tip_seq INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE known ADD COLUMN tip_hash TEXT NOT NULL DEFAULT '';
    CREATE TABLE folder (owner TEXT NOT NULL, generation INTEGER NOT NULL) STRICT;
    INSERT INTO folder VALUES ('', 0);
    CREATE TABLE waiting (
      known TEXT PRIMARY KEY, sum INTEGER NOT NULL, queued INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE known ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE pin ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE outbox ADD COLUMN sum INTEGER NOT NULL DEFAULT 0;`);
    const sumUp = (table: string, keys: readonly string[], sumOf: (row: never) => number) => {
      const where = keys.map((name) => `${name} = ?`).join(" AND ");
      const set = db.prepare(`UPDATE ${table} SET sum = ? WHERE ${where}`);
      for (const row of db.prepare(`SELECT * FROM ${table}`).all() as Record<string, string>[]) {
        set.run(sumOf(row as never), ...keys.map((name) => row[name]));
      }
    };
    sumUp("known", ["id"], groupSum);
    sumUp("pin", ["address"], pinSum);
    sumUp("outbox", ["known", "mid"], waitingSum);
    const rows = db.prepare("SELECT known, sum FROM outbox").all() as WaitingRow[];
    const set = db.prepare("INSERT OR REPLACE INTO waiting VALUES (?, ?, 0)");
    for (const known of new Set(rows.map((row) => row.known))) {
      set.run(known, sumOfAll(rows.filter((row) => row.known === known)));
    }
  },
  // Where else a group is that has several servers: a list in JSON, or empty.
  "ALTER TABLE known ADD COLUMN servers TEXT NOT NULL DEFAULT '';",
  // Whether a group may have what waits for it: 1 where nobody knows.
  "ALTER TABLE outbox ADD COLUMN tried INTEGER NOT NULL DEFAULT 1;",
  // The order in which messages came, and when, ms since 1970: 0 where nobody knows. Those taken back.
  `ALTER TABLE outbox ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE outbox ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE dropped (known TEXT NOT NULL, mid TEXT NOT NULL, PRIMARY KEY (known, mid)) STRICT;`,
];

/** The first version with the table `folder`, and with sums. */
export const SUMS_SINCE = 3;

/** Rows as they are stored. */
export type GroupRow = Omit<StoredGroup, "joined" | "servers" | "base" | "tip"> & {
  readonly joined: number;
  /** Absent in a row of an earlier format. */
  readonly servers?: string;
  readonly base_seq: number;
  readonly base_hash: string;
  readonly tip_seq: number;
  readonly tip_hash: string;
  readonly sum: number;
};
export type PinRow = { readonly address: string; readonly key: string; readonly sum: number };
export type WaitingRow = {
  readonly known: string;
  readonly mid: string;
  readonly text: string;
  readonly sum: number;
};
export type FolderRow = Pick<Known, "owner" | "generation">;
/** Of all that waits for a group: its sum, and how many there ever were. */
export type OutboxRow = { readonly known: string; readonly sum: number; readonly queued: number };

// Stored: do not change.
export const groupSum = (row: Omit<GroupRow, "sum" | "ticket">) =>
  sumOf(
    ...[row.id, row.name, row.address, row.key, row.joined, row.role, row.epoch, row.cursor],
    ...[row.base_seq, row.base_hash, row.tip_seq, row.tip_hash],
    ...(row.servers ? [row.servers] : []),
  );
export const pinSum = ({ address, key }: Omit<PinRow, "sum">) => sumOf(address, key);
export const waitingSum = ({ known, mid, text }: Omit<WaitingRow, "sum">) =>
  sumOf(known, mid, text);

function sumOf(...values: readonly (string | number)[]): number {
  return crc32(JSON.stringify(values));
}

export function sumOfAll(rows: readonly { readonly sum: number }[]): number {
  return rows.reduce((all, { sum }) => (all ^ sum) >>> 0, 0);
}

/** Where else a group is, as it is stored. */
export function serversText(servers: readonly string[] = []): string {
  return servers.length > 0 ? JSON.stringify(servers) : "";
}

/** A row as the rest of zgroup knows it. */
export function toGroup(
  { sum: _, joined, servers, base_seq, base_hash, tip_seq, tip_hash, ...row }: GroupRow,
): StoredGroup {
  return {
    ...row,
    joined: joined === 1,
    ...(servers ? { servers: JSON.parse(servers) } : {}),
    ...(base_hash ? { base: { seq: base_seq, hash: base_hash } } : {}),
    ...(tip_hash ? { tip: { seq: tip_seq, hash: tip_hash } } : {}),
  };
}
