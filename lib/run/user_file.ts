/** The file of a user's key and name. */

import { userInfo } from "node:os";
import { join } from "node:path";
import { load, loadOrMake, save } from "../disk/files.ts";
import { FolderUnusable } from "../errors.ts";
import { newSigningKey, signingKey, userId } from "../identity/keys.ts";
import { keptProblem, type UserFile } from "../protocol/kept.ts";
import { restoreLine } from "../store/user_folder.ts";
import { checkedName, nameProblem, normalName } from "../text/names.ts";

/** The user of a home; undefined before its first use. @throws {FolderUnusable} */
export function keptUser(home: string): UserFile | undefined {
  return load<UserFile>(identityPath(home), expectedIn(home));
}

/** The name that somebody chose for a home's user; undefined before. @throws {FolderUnusable} */
export function keptName(home: string): string | undefined {
  const file = keptUser(home);
  return file?.named === 0 ? undefined : file?.name;
}

/** Where a home keeps its user. */
export function identityPath(home: string): string {
  return join(home, "identity.json");
}

/** The user id of a file's key. */
export function idOf({ secretKey }: UserFile): string {
  return userId(signingKey(secretKey).publicKey);
}

/**
 * The user of a home, made at the first use; a fresh one without a home.
 *
 * @param ownerOf whose the other files of a home are; undefined when there are none
 * @throws {FolderUnusable} it is not what was written, or missing where others are; {DiskFull};
 * {UsageError} the name cannot be used
 */
export function userFile(
  home: string | undefined,
  ownerOf: (home: string) => string | undefined,
  wanted?: string,
): UserFile {
  const name = wanted === undefined ? undefined : checkedName(wanted);
  const make = (): UserFile => ({
    name: name ?? systemName(),
    named: name === undefined ? 0 : Date.now(),
    secretKey: newSigningKey().secretKey,
  });
  if (!home) return make();
  if (keptUser(home) === undefined) {
    const owner = ownerOf(home);
    // Another program may have made both since.
    if (owner !== undefined && keptUser(home) === undefined) throw lost(home, owner);
  }
  const path = identityPath(home);
  const file = loadOrMake(path, make, expectedIn(home));
  if (!name || (name === file.name && file.named !== 0)) return file;
  const renamed = { ...file, name, named: Date.now() };
  save(path, renamed);
  return renamed;
}

/** The error for a home whose key is gone. */
export function lost(home: string, owner: string): FolderUnusable {
  return new FolderUnusable(
    `Cannot use the folder ${home}: identity.json is missing, the key of the user ${owner}, whom ` +
      `nobody can be without it; ${wayOut(home)}`,
  );
}

function expectedIn(home: string) {
  return {
    problem: (value: unknown) => keptProblem("userFile", value),
    wayOut: wayOut(home),
  };
}

function wayOut(home: string): string {
  return `put a copy of it back, or begin as a new user: ${restoreLine(home, " --new-user")}`;
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
