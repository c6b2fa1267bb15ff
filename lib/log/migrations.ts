/** The schema of `log.db`: append to the list, never edit what stands in it. */

/** `PRAGMA user_version` of a database is the number of these that it went through. */
export const MIGRATIONS: readonly string[] = [
  // Small columns stand before `json`, which flows over into pages of its own.
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE author (id INTEGER PRIMARY KEY, user TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE batch (
    first INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    at INTEGER NOT NULL,
    author INTEGER NOT NULL REFERENCES author (id),
    lo BLOB,
    hi BLOB,
    hash BLOB NOT NULL,
    crcs BLOB NOT NULL,
    mids BLOB,
    json TEXT
  ) STRICT;
  CREATE INDEX batch_at ON batch (at);
  CREATE INDEX batch_mid ON batch (author, hi, lo) WHERE hi IS NOT NULL;
  CREATE TABLE member (user TEXT PRIMARY KEY, json TEXT NOT NULL, crc INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;
  CREATE TABLE value (name TEXT PRIMARY KEY, text TEXT NOT NULL, crc INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;`,
];

/** What a migration needs of a database. */
export interface Migratable {
  exec(sql: string): void;
  prepare(sql: string): { get(): unknown };
}

/**
 * Brings a database to the newest version; runs inside the caller's transaction.
 *
 * @returns the version it had; greater than `MIGRATIONS.length` if it is newer, and then nothing
 * was done
 */
export function migrate(db: Migratable): number {
  const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
  if (user_version >= MIGRATIONS.length) return user_version;
  for (const sql of MIGRATIONS.slice(user_version)) db.exec(sql);
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  return user_version;
}
