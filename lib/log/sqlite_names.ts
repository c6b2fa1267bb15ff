/** A registry's names in SQLite: synced at each name, held by one process. */

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FolderUnusable, LogFailed } from "../errors.ts";
import type { NameStore, TakenName } from "../registry/names.ts";

const VERSION = 1;
const SCHEMA = `
  CREATE TABLE taken (name TEXT PRIMARY KEY, key TEXT NOT NULL) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${VERSION};
`;

/**
 * The names kept in `folder`, which is made (mode 0700) if missing.
 *
 * @throws {FolderUnusable} held by another process, not writable, or of a newer version
 */
export function sqliteNames(folder: string): NameStore {
  const file = join(folder, "names.db");
  let db: DatabaseSync | undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!existsSync(file)) writeFileSync(file, "", { flag: "wx", mode: 0o600 });
    db = new DatabaseSync(file);
    db.exec(
      "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
    );
    db.exec("BEGIN IMMEDIATE");
    const { user_version } = db.prepare("PRAGMA user_version").get() as { user_version: number };
    if (user_version === 0) db.exec(SCHEMA);
    db.exec("COMMIT");
    if (user_version > VERSION) throw new Error("a newer zgroup wrote it; update this one");
    return store(db, file);
  } catch (cause) {
    db?.close();
    const locked = /locked|busy/.test((cause as Error).message);
    const why = locked
      ? "another registry uses it; stop that one, or give this one another --home"
      : (cause as Error).message;
    throw new FolderUnusable(`Cannot use the folder ${folder}: ${why}`, { cause });
  }
}

function store(db: DatabaseSync, file: string): NameStore {
  const insert = db.prepare("INSERT OR IGNORE INTO taken (name, key) VALUES (?, ?)");
  let open = true;
  return {
    all: () => db.prepare("SELECT name, key FROM taken").all() as unknown as TakenName[],
    add({ name, key }) {
      try {
        insert.run(name, key);
      } catch (cause) {
        throw new LogFailed(`Cannot keep the name "${name}": ${file} could not be written`, {
          cause,
        });
      }
    },
    close() {
      if (open) db.close();
      open = false;
    },
  };
}
