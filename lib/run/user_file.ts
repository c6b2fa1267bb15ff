/** The file of a user's key and name. */

import { userInfo } from "node:os";
import { join } from "node:path";
import { load, loadOrMake, save } from "../disk/files.ts";
import { newSigningKey } from "../identity/keys.ts";
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
  save(path, renamed);
  return renamed;
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
