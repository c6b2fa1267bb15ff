/** Holding a folder: by a lock that the system lets go with the process, however that ends. */

import { join } from "node:path";
import { makeFolder, touch } from "../disk/files.ts";
import { type Database, openFile } from "../disk/sqlite.ts";
import { openError, SQLITE, sqliteCode } from "../disk/sqlite_errors.ts";

/** Of two that try at once the one that does not get it looks for so long, ms. */
const TRIED_FOR = 100;

/**
 * Holds a folder, made (mode 0700) if missing. Answers how to let go; undefined while it is held: of
 * several that try at once one holds it.
 *
 * @throws {FolderUnusable} not writable; {DiskFull}
 */
export function holdFolder(folder: string): (() => void) | undefined {
  const path = join(folder, "start.db");
  let db: Database | undefined;
  try {
    makeFolder(folder);
    touch(path);
    db = openFile(path);
    db.pragma(`busy_timeout = ${TRIED_FOR}`);
    db.exec("BEGIN EXCLUSIVE");
    const held = db;
    return () => held.close();
  } catch (error) {
    db?.close();
    if (sqliteCode(error) === SQLITE.busy) return undefined;
    const words = { cannot: `Cannot use the folder ${folder}`, held: "another process uses it" };
    throw openError(path, words, error);
  }
}
