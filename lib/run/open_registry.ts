/** Opens a registry: names the adapters it is made of. */

import { isIPv6 } from "node:net";
import { join } from "node:path";
import type { OpenRegistryOptions } from "../cli/program.ts";
import { UsageError } from "../errors.ts";
import { newSigningKey, signingKey } from "../identity/keys.ts";
import { sqliteNames } from "../store/sqlite_name_store.ts";
import { REGISTRY_BOUNDS } from "../registry/bounds.ts";
import { RegistryServer } from "../registry/server.ts";
import { namedAddresses } from "../transport/own_addresses.ts";
import { parseAddress } from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { boundsHere, transportFor, warnOfFew } from "./engines.ts";
import { SILENT } from "./logging.ts";
import { keyFile } from "./registry_key.ts";

/** Starts a registry. @throws {Refusal} `address_taken`; {FolderUnusable} held by another */
export async function openRegistry(options: OpenRegistryOptions = {}): Promise<RegistryServer> {
  const { home, host = "127.0.0.1", port = 5555, log = SILENT } = options;
  const address = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  if (!parseAddress(address)) {
    const own = namedAddresses();
    throw new UsageError(
      `Cannot use --host ${safeLine(host)}: expected an address of this machine` +
        (own === undefined ? "" : `, such as ${own}`),
    );
  }
  const transport = await transportFor(options.transport, log);
  warnOfFew(log);
  return await RegistryServer.start({
    transport,
    address,
    key: home ? signingKey(keyFile(join(home, "registry")).secretKey) : newSigningKey(),
    bounds: boundsHere(REGISTRY_BOUNDS),
    ...(home ? { names: sqliteNames(join(home, "registry")) } : {}),
    logger: log,
  });
}
