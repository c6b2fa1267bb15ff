/** Opens a user: names the adapters it is made of. */

import type { Machine, OpenUserOptions } from "../cli/program.ts";
import { save } from "../disk/files.ts";
import { signingKey } from "../identity/keys.ts";
import { midMaker } from "../identity/mids.ts";
import { memoryStore } from "../store/memory_user_store.ts";
import { sqliteStore } from "../store/sqlite_user_store.ts";
import { checkedRegistry, DEFAULT_REGISTRY } from "../text/addresses.ts";
import { User } from "../user/user.ts";
import { engineName, transportFor } from "./engines.ts";
import { SILENT } from "./logging.ts";
import { machineFor } from "./machine.ts";
import { identityPath, userFile } from "./user_file.ts";

export { keptName, systemName } from "./user_file.ts";

/**
 * Opens a user: its identity is made on the first call for a `home`.
 *
 * @throws {FolderUnusable} `home` cannot be used; {DiskFull}; {LogDamaged}; {UsageError} the name
 * cannot be used
 */
export async function openUser(options: OpenUserOptions = {}): Promise<User> {
  const { home, registries = [DEFAULT_REGISTRY] } = options;
  for (const registry of registries) checkedRegistry("the registry", registry);
  const transport = await transportFor(options.transport, SILENT);
  const file = userFile(home, options.name);
  const store = home ? sqliteStore(home) : memoryStore();
  return new User({
    transport,
    store,
    key: signingKey(file.secretKey),
    name: file.name,
    registries,
    mid: midMaker(),
    renamed: (name) => home && save(identityPath(home), { ...file, name }),
  });
}

/** What this machine gives a user of a home. */
export function machine(home: string, transport?: string): Machine {
  return machineFor(home, engineName(transport) === "zmtp" ? "zmtp (ours)" : "libzmq");
}
