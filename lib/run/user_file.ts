/** The file of a user's key and name. */

import { renameSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { load, loadOrMake } from "../identity/files.ts";
import { newSigningKey, randomToken } from "../identity/keys.ts";
import { checkedName, nameProblem, normalName } from "../text/names.ts";

/** What is kept of a user. */
export interface UserFile {
  readonly name: string;
  readonly secretKey: string;
}

/** The name kept in a home; undefined before its first use. @throws {FolderUnusable} */
export function keptName(home: string): string | undefined {
  return load<UserFile>(identityPath(home))?.name;
}

/** Where a home keeps its user. */
export function identityPath(home: string): string {
  return join(home, "identity.json");
}

/** The user of a home, made at the first use; a fresh one without a home. @throws {FolderUnusable} */
export function userFile(home: string | undefined, wanted?: string): UserFile {
  const name = wanted === undefined ? undefined : checkedName(wanted);
  const make = (): UserFile => ({
    name: name ?? systemName(),
    secretKey: newSigningKey().secretKey,
  });
  if (!home) return make();
  const path = identityPath(home);
  const file = loadOrMake(path, make);
  if (!name || name === file.name) return file;
  const renamed = { ...file, name };
  write(path, renamed);
  return renamed;
}

/** Puts a file in the place of another: whole, or not at all. */
export function write(path: string, file: object): void {
  const temporary = `${path}.${randomToken(6)}`;
  writeFileSync(temporary, JSON.stringify(file, null, 2) + "\n", { mode: 0o600, flush: true });
  renameSync(temporary, path);
}

/** The name of the system's user where it can be one of ours, else `user`. */
export function systemName(): string {
  try {
    const name = normalName(userInfo().username);
    return nameProblem(name) ? "user" : name;
  } catch {
    return "user";
  }
}
