/** Holding a folder: by a lock that the system lets go with the process, however that ends. */

import { openDatabase } from "../disk/sqlite.ts";
import { SQLITE, sqliteCode } from "../disk/sqlite_errors.ts";

/**
 * Holds a folder, made (mode 0700) if missing. Answers how to let go; undefined while it is held.
 *
 * @throws {FolderUnusable} not writable; {DiskFull}
 */
export function holdFolder(folder: string): (() => void) | undefined {
  const opening = {
    sharing: "alone",
    migrations: [],
    cannot: `Cannot use the folder ${folder}`,
  } as const;
  try {
    const db = openDatabase(folder, "start.db", opening, (db) => db);
    return () => db.close();
  } catch (error) {
    if (sqliteCode((error as Error).cause) === SQLITE.busy) return undefined;
    throw error;
  }
}
