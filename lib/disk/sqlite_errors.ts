/** What SQLite's errors mean; Deno and Node report them differently. */

import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DiskFull, FolderUnusable, LogDamaged, LogFailed } from "../errors.ts";
import { rightsProblem } from "./rights.ts";

/** Primary result codes of SQLite that are acted on. */
export const SQLITE = {
  error: 1,
  busy: 5,
  noMemory: 7,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  tooBig: 18,
  notDatabase: 26,
} as const;

// Deno 2.9 sets no errcode on errors of exec() and of the constructor.
const TEXTS: readonly (readonly [string, number])[] = [
  ["database is locked", SQLITE.busy],
  ["attempt to write a readonly database", SQLITE.readOnly],
  ["disk I/O error", SQLITE.inputOutput],
  ["database disk image is malformed", SQLITE.corrupt],
  ["database or disk is full", SQLITE.full],
  ["out of memory", SQLITE.noMemory],
  ["string or blob too big", SQLITE.tooBig],
  ["unable to open database file", SQLITE.cannotOpen],
  ["file is not a database", SQLITE.notDatabase],
];

/** The primary result code of an error from node:sqlite; 0 for every other error. */
export function sqliteCode(error: unknown): number {
  if (!(error instanceof Error)) return 0;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  if (code !== "ERR_SQLITE_ERROR") return 0;
  if (typeof errcode === "number") return errcode & 0xff;
  return TEXTS.find(([text]) => error.message.startsWith(text))?.[1] ?? SQLITE.error;
}

/** Whether an error says that there is no room left. */
export function isFull(error: unknown): boolean {
  return sqliteCode(error) === SQLITE.full || (error as { code?: unknown }).code === "ENOSPC";
}

/** How the sentences of a database begin, and what to do when another process holds it. */
export interface OpenWords {
  /** Up to the colon: `Cannot open FOLDER`. */
  readonly cannot: string;
  readonly held: string;
  /** What to do about damage; default a copy is to be restored. */
  readonly wayOut?: string | undefined;
}

function whyUnwritable(file: string): string {
  let folder = dirname(resolve(file));
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return rightsProblem(file, "read", "write") ?? rightsProblem(folder, "read", "write") ??
    "it must be a folder in which this user can write";
}

/** What a failed open means for the person who started it. */
export function openError(file: string, words: OpenWords, cause: unknown): unknown {
  const { cannot, held, wayOut } = words;
  if (isFull(cause)) {
    return new DiskFull(`${cannot}: the disk is full, make room on it`, { cause });
  }
  switch (sqliteCode(cause) || (cause as { code?: unknown }).code) {
    case SQLITE.busy:
      return new FolderUnusable(`${cannot}: ${held}`, { cause });
    case SQLITE.readOnly:
    case SQLITE.cannotOpen:
    case "EACCES":
    case "EEXIST":
    case "ENOTDIR":
    case "EPERM":
    case "EROFS":
      return new FolderUnusable(`${cannot}: ${whyUnwritable(file)}`, { cause });
    default:
      return readError(file, 0, cause, wayOut);
  }
}

/** Whether opening failed because another process holds the folder, and for no other reason. */
export function isHeld(error: unknown): boolean {
  return error instanceof FolderUnusable && sqliteCode(error.cause) === SQLITE.busy;
}

/** The error for a database that a newer version wrote. */
export function newer(cannot: string, version: number, known: number): FolderUnusable {
  return new FolderUnusable(
    `${cannot}: its format is ${version}, this version of zgroup knows up to ${known}; ` +
      "use a newer one",
  );
}

/**
 * What a database answers that is not as it was written. The statements are always the same: one that
 * is an error meets another schema than ours, one that takes too much a length that nobody wrote.
 */
const NOT_OURS: ReadonlySet<number> = new Set([
  SQLITE.error,
  SQLITE.noMemory,
  SQLITE.corrupt,
  SQLITE.tooBig,
  SQLITE.notDatabase,
]);

/** What a failed read means; `seq` is the first entry that it was to answer, 0 if unknown. */
export function readError(
  file: string,
  seq: number,
  cause: unknown,
  wayOut?: string,
): unknown {
  const code = sqliteCode(cause);
  const other = NOT_OURS.has(code);
  // Nor are its columns: values of another kind than were written cannot be worked with.
  const senseless = [TypeError, RangeError, SyntaxError].some((kind) => cause instanceof kind);
  if (other || senseless) return damaged(file, seq, cause, undefined, wayOut);
  if (code !== 0) return new LogFailed(`Cannot read ${file}: the disk did not answer`, { cause });
  return cause;
}

/** The error for entries that cannot be trusted from `seq` on; 0 for the file as a whole. */
export function damaged(
  file: string,
  seq: number,
  cause?: unknown,
  where: string = seq > 0 ? ` from entry ${seq} on` : "",
  wayOut = "restore a copy",
): LogDamaged {
  const message = `Cannot trust ${file}${where}: it is not what was written, ${wayOut}`;
  return new LogDamaged(file, seq, message, { cause });
}
