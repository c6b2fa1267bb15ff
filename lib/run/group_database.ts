/** A group whose log lies in a database of PostgreSQL: its key lies there, too. */

import { FolderUnusable, UsageError } from "../errors.ts";
import { groupId, signingKey } from "../identity/keys.ts";
import type { Log } from "../log/log.ts";
import type { GroupFile } from "../protocol/kept.ts";
import { parseGroupFile, textOf } from "./group_folder.ts";
import { keptAt } from "./moving.ts";

/** Where a shared log lies, and what is asked of it. */
export interface DatabaseOptions {
  /** `postgres://USER@HOST,HOST/DATABASE`. */
  readonly url: string;
  /** Acknowledge what is on the disk of one machine only. */
  readonly singleCopy: boolean;
  warn(text: string): void;
}

/**
 * The group of a name in a database, made by `make` where there is none; several servers that make it
 * at once agree on one.
 *
 * @throws {LogAway}; {LogUnsafe}; {UsageError}; {LogDamaged}
 */
export async function databaseGroup(
  options: DatabaseOptions,
  name: string,
  make: () => GroupFile,
): Promise<{ readonly file: GroupFile; readonly log: Log }> {
  const { postgresGroups, postgresLog } = await loadPostgres();
  const groups = postgresGroups(options);
  try {
    const { text } = await groups.identity(name) ?? await groups.make(name, identityOf(make()));
    const moved = (await groups.kept(name))?.moved;
    if (moved !== undefined) {
      throw new FolderUnusable(
        `Cannot start the group "${name}" in ${groups.where}: ${
          keptAt(name, moved)
        }; where it is ` +
          "not there, run the copy once more",
      );
    }
    return { file: parseGroupFile(text), log: postgresLog({ ...options, group: name }) };
  } finally {
    groups.close();
  }
}

function identityOf(file: GroupFile): { readonly id: string; readonly text: string } {
  const { secretKey, name, nonce } = file;
  return { id: groupId(signingKey(secretKey).publicKey, name, nonce), text: textOf(file) };
}

/** It is loaded when somebody asks for it, and never otherwise. */
export async function loadPostgres() {
  try {
    return {
      ...await import("../log/postgres.ts"),
      ...await import("../log/postgres_groups.ts"),
      ...await import("../log/postgres_look.ts"),
      ...await import("../log/postgres_schema.ts"),
      ...await import("../log/postgres_url.ts"),
    };
  } catch (cause) {
    throw new UsageError("Cannot use PostgreSQL: the package postgres does not load here", {
      cause,
    });
  }
}
