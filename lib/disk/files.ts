/**
 * Small files: there as a whole or not at all, also after a loss of power, and readable by their
 * owner alone.
 */

import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { dirname, resolve } from "node:path";
import { DiskFull, FolderUnusable } from "../errors.ts";

/** What a file must be, and what to do where it is not. */
export interface Expected {
  /** Why the value of a file is not what was kept there; undefined when it is. */
  problem(value: unknown): string | undefined;
  readonly wayOut: string;
}

/** A file of which nothing is known. */
const ANYTHING: Expected = {
  problem: (value) => typeof value === "object" && value ? undefined : "expected an object",
  wayOut: "put a copy of it back",
};

/** The JSON object of a file; undefined when there is no file. @throws {FolderUnusable} */
export function load<T extends object>(
  path: string,
  { problem, wayOut }: Expected = ANYTHING,
): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw new FolderUnusable(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FolderUnusable(`Cannot read ${path}: it is not JSON; ${wayOut}`, { cause });
  }
  const wrong = problem(value);
  if (wrong !== undefined) {
    throw new FolderUnusable(
      `Cannot read ${path}: it is not what was written (${wrong}); ${wayOut}`,
    );
  }
  return value as T;
}

/**
 * The JSON object of a file, made by `make` when there is none. Two programs that make it at the
 * same time get the same one. The file has mode 0600, its new folders 0700.
 *
 * @throws {FolderUnusable} the file cannot be read, written or parsed, or is not what is expected;
 * {DiskFull}
 */
export function loadOrMake<T extends object>(
  path: string,
  make: () => T,
  expected: Expected = ANYTHING,
): T {
  const kept = load<T>(path, expected);
  if (kept) return kept;
  saving(path, () => {
    makeFolder(dirname(path));
    const write = (part: string) => writeFileSync(part, toJson(make()));
    put(path, write, (part) => unlessThere(() => linkSync(part, path)));
  });
  return load<T>(path, expected)!;
}

/** Keeps an object as JSON in the place of what a file held, mode 0600. @throws {FolderUnusable}; {DiskFull} */
export function save(path: string, value: object): void {
  saving(path, () => replace(path, (part) => writeFileSync(part, toJson(value))));
}

/**
 * Puts a file, mode 0600, in the place of another. `write` is given the name of an empty file
 * beside it; what it throws is passed on, and leaves what was there.
 */
export function replace(path: string, write: (part: string) => void): void {
  put(path, write, renameSync);
}

/**
 * Makes a file, mode 0600, that was not there: as a whole or not at all. `write` is given `part`,
 * the name of an empty file beside it, which is gone at the end.
 *
 * @throws what `write` throws; an error with the code EEXIST, whoever made the file meanwhile
 */
export async function makeNew(
  path: string,
  part: string,
  write: (part: string) => Promise<void>,
): Promise<void> {
  try {
    writeFileSync(part, "", { flag: "wx", mode: 0o600 });
    await write(part);
    const file = await open(part, "r+");
    try {
      await file.sync(); // Gigabytes take their time, and others are served meanwhile.
    } finally {
      await file.close();
    }
    nameNew(part, path);
  } finally {
    rmSync(part, { force: true });
  }
  syncFolder(dirname(path));
}

/** Gives a file a name that nothing has. */
function nameNew(part: string, path: string): void {
  try {
    linkSync(part, path);
  } catch (error) {
    if (!NO_LINKS.has(codeOf(error))) throw error;
    writeFileSync(path, "", { flag: "wx", mode: 0o600 });
    renameSync(part, path);
  }
}

/** What file systems answer that know no second name of a file. */
const NO_LINKS: ReadonlySet<unknown> = new Set(["ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EPERM"]);

/** Makes a folder, and those above it that are missing, mode 0700. */
export function makeFolder(path: string): void {
  let folder = resolve(path);
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  while (first !== undefined && folder.length >= first.length) {
    folder = dirname(folder);
    syncFolder(folder);
  }
}

/** Makes an empty file, mode 0600, unless there is something of that name, which is not touched. */
export function touch(path: string): void {
  unlessThere(() => writeFileSync(path, "", { flag: "wx", mode: 0o600 }));
}

/** Brings the names in a folder to the disk, where the system can. */
export function syncFolder(path: string): void {
  let folder: number;
  try {
    folder = openSync(path, "r");
  } catch {
    return; // Windows opens none, and who may write to a folder need not be able to read it.
  }
  try {
    fsyncSync(folder);
  } catch (error) {
    if (!NO_FOLDER_SYNC.has(codeOf(error))) throw error;
  } finally {
    closeSync(folder);
  }
}

/** What file systems answer that cannot sync a folder. */
const NO_FOLDER_SYNC: ReadonlySet<unknown> = new Set(["EINVAL", "EISDIR", "ENOTSUP", "EPERM"]);

/** Fills a file beside `path`, syncs it, and has it `named`; it is gone when anything fails. */
function put(
  path: string,
  write: (part: string) => void,
  named: (part: string, path: string) => void,
): void {
  const part = `${path}.${randomUUID().slice(0, 8)}.part`;
  try {
    writeFileSync(part, "", { flag: "wx", mode: 0o600 });
    write(part);
    sync(part);
    named(part, path);
  } finally {
    rmSync(part, { force: true });
  }
  syncFolder(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, "r+");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Makes a file; where another program was first, its file counts. */
function unlessThere(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

function saving(path: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    if (codeOf(cause) === "ENOSPC") {
      throw new DiskFull(`Cannot write ${path}: the disk is full, make room on it`, { cause });
    }
    throw new FolderUnusable(`Cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

function toJson(value: object): string {
  return JSON.stringify(value, null, 2) + "\n";
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown }).code;
}
