/** What SQLite's errors mean; Deno and Node report them differently. */

import { DiskFull, FolderUnusable, LogDamaged, LogFailed, UsageError } from "../errors.ts";

/** Primary result codes of SQLite that this log acts on. */
export const SQLITE = {
  error: 1,
  busy: 5,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
} as const;

// Deno 2.9 sets no errcode on errors of exec() and of the constructor.
const TEXTS: readonly (readonly [string, number])[] = [
  ["database is locked", SQLITE.busy],
  ["attempt to write a readonly database", SQLITE.readOnly],
  ["disk I/O error", SQLITE.inputOutput],
  ["database disk image is malformed", SQLITE.corrupt],
  ["database or disk is full", SQLITE.full],
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

/** What a failed open means for the person who started it. */
export function openError(folder: string, file: string, cause: unknown): unknown {
  if (cause instanceof LogDamaged) return cause;
  const code = sqliteCode(cause) || (cause as { code?: unknown }).code;
  switch (code) {
    case SQLITE.busy:
      return new FolderUnusable(
        `Cannot open ${folder}: another process uses it, stop that one or choose another folder`,
        { cause },
      );
    case SQLITE.readOnly:
    case SQLITE.cannotOpen:
    case "EACCES":
    case "EEXIST":
    case "ENOTDIR":
    case "EPERM":
    case "EROFS":
      return new FolderUnusable(
        `Cannot open ${folder}: it must be a folder in which this user can write`,
        { cause },
      );
    case SQLITE.full:
    case "ENOSPC":
      return new DiskFull(`Cannot open ${folder}: the disk is full`, { cause });
    default:
      return readError(file, 0, cause);
  }
}

/** What a failed copy from `file` to `target` means. */
export function copyError(file: string, target: string, cause: unknown): unknown {
  const code = sqliteCode(cause) || (cause as { code?: unknown }).code;
  if (code === SQLITE.corrupt) return damaged(file, 0, cause);
  if (code === SQLITE.full || code === "ENOSPC") {
    return new DiskFull(`Cannot back up to ${target}: the disk is full`, { cause });
  }
  return new UsageError(
    `Cannot back up to ${target}: it must be a new file in a folder in which this user can write`,
    { cause },
  );
}

/** What a failed read means; `seq` is the first entry that it was to answer, 0 if unknown. */
export function readError(file: string, seq: number, cause: unknown): unknown {
  const code = sqliteCode(cause);
  // The statements are always the same: one that is an error meets another schema than ours.
  const other = code === SQLITE.corrupt || code === SQLITE.notDatabase || code === SQLITE.error;
  if (other) return damaged(file, seq, cause);
  // Nor are its columns: values of another kind than were written cannot be worked with.
  const senseless = cause instanceof TypeError || cause instanceof RangeError ||
    cause instanceof SyntaxError;
  if (senseless) return damaged(file, seq, cause);
  if (code !== 0) return new LogFailed(`Cannot read ${file}: the disk did not answer`, { cause });
  return cause;
}

/** The error for entries that cannot be trusted from `seq` on; 0 for the file as a whole. */
export function damaged(file: string, seq: number, cause?: unknown): LogDamaged {
  const where = seq > 0 ? ` from entry ${seq} on` : "";
  return new LogDamaged(
    file,
    seq,
    `Cannot trust ${file}${where}: it is not what was written, restore a copy`,
    { cause },
  );
}

/** The error for a write-ahead log that cannot be trusted from a byte on. */
export function damagedWal(file: string, byte: number): LogDamaged {
  return new LogDamaged(
    file,
    0,
    `Cannot trust ${file} from byte ${byte} on: it is not what was written, restore a copy`,
  );
}
