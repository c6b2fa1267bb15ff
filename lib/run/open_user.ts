/** Opens a user: names the adapters it is made of. */

import type { OpenUserOptions } from "../cli/program.ts";
import { save } from "../disk/files.ts";
import { signingKey } from "../identity/keys.ts";
import { midMaker } from "../identity/mids.ts";
import type { UserFile } from "../protocol/kept.ts";
import { memoryStore } from "../store/memory_user_store.ts";
import { sqliteKeptStore } from "../store/sqlite_kept_store.ts";
import { lookAtStore, storeOwner } from "../store/sqlite_user_look.ts";
import { sqliteStore } from "../store/sqlite_user_store.ts";
import { checkedRegistry, DEFAULT_REGISTRY } from "../text/addresses.ts";
import { checkGiven } from "../text/given.ts";
import { User } from "../user/user.ts";
import { transportFor } from "./engines.ts";
import { SILENT } from "./logging.ts";
import { identityPath, idOf, keptUser, userFile } from "./user_file.ts";

export { keptName, systemName } from "./user_file.ts";

/**
 * Opens a user: its identity is made on the first call for a `home`.
 *
 * @throws {FolderUnusable} `home` cannot be used; {DiskFull}; {LogDamaged}; {UsageError} an option
 * cannot be used
 */
export async function openUser(options: OpenUserOptions = {}): Promise<User> {
  const { home, name, keepLocal } = options;
  checkGiven("Cannot connect", options, {
    ...{ "home?": "text", "name?": "text", "transport?": "text" },
    ...{ "registries?": "texts", "keepLocal?": "number", "stays?": "flag" },
  });
  const parts = await partsFor(options);
  const file = userFile(home, storeOwner, name);
  const kept = home ? sqliteKeptStore(home, keepLocal) : undefined;
  const store = home ? sqliteStore(home, idOf(file)) : memoryStore();
  const renamed = (name: string, named: number) =>
    home && save(identityPath(home), { ...keptUser(home) ?? file, name, named });
  try {
    return new User({ ...parts, ...who(file), store, kept, renamed });
  } catch (error) {
    store.close(); // What waits in the outbox is not what was written.
    throw error;
  }
}

/**
 * The user of a home, or a fresh one where there is none, to look at the servers it talks to: what
 * waits in its outbox is not sent, and nothing of its folder changes.
 *
 * @throws what {@linkcode openUser} throws
 */
export async function lookingUser(options: OpenUserOptions): Promise<User> {
  const { home } = options;
  const parts = await partsFor(options);
  const file = (home && keptUser(home)) || userFile(undefined, storeOwner);
  const store = memoryStore(home ? lookAtStore(home, idOf(file)) : undefined);
  return new User({ ...parts, ...who(file), store });
}

async function partsFor(options: OpenUserOptions) {
  const { registries = [DEFAULT_REGISTRY], transport, stays } = options;
  for (const registry of registries) checkedRegistry("the registry", registry);
  return { registries, transport: await transportFor(transport, SILENT), mid: midMaker(), stays };
}

function who({ secretKey, name, named, shared }: UserFile) {
  return { key: signingKey(secretKey), name, named, shared };
}
