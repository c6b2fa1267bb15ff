/** What a group is restored from: a copy, or a folder that has at least the group's key. */

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LogDamaged, sentence, UsageError } from "../errors.ts";
import { IDENTITY_FILE, parseGroupFile, readGroupFile } from "./group_folder.ts";

/** The group that is in it, by its key. @throws {UsageError} it has none, or another name */
export function requireIdentity(
  file: string,
  identity: string | undefined,
  name: string | undefined,
): asserts identity is string {
  if (identity === undefined) {
    throw new UsageError(`Cannot restore ${file}: it holds a log without the group's key`);
  }
  let held: string;
  try {
    held = parseGroupFile(identity).name;
  } catch (cause) {
    throw new LogDamaged(file, 0, `Cannot trust ${file}: its key: ${sentence(cause)}`, { cause });
  }
  if (name === undefined || name === held) return;
  throw new UsageError(
    `Cannot restore ${file} as "${name}": it holds the group "${held}"; restore it as that`,
  );
}

/** The text of a folder's `group.json`. @throws {LogDamaged} it is not what was written, or missing */
export function identityText(folder: string): string {
  if (readGroupFile(folder)) return readFileSync(join(folder, IDENTITY_FILE), "utf8");
  throw new UsageError(`Cannot find a group in ${folder}: there is no ${IDENTITY_FILE} in it`);
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** @throws {UsageError} neither a folder, nor a file with something in it */
export function requireSource(path: string): void {
  if (!isFolder(path)) requireFile(path);
}

/** A FIFO or a terminal would be read without end. @throws {UsageError} it is no file, or empty */
export function requireFile(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  const what = !found
    ? "there is no such file"
    : !found.isFile()
    ? "it is no regular file"
    : found.size === 0
    ? "it is empty"
    : undefined;
  if (what) throw new UsageError(`Cannot open ${file}: ${what}; name a file that backup wrote`);
}
