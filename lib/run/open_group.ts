/** Opens a group: names the adapters it is made of. */

import { join } from "node:path";
import type { OpenGroupOptions } from "../cli/program.ts";
import { load, loadOrMake, save } from "../disk/files.ts";
import { Refusal, UsageError } from "../errors.ts";
import { ratesFor } from "../group/limits.ts";
import { GroupServer, type GroupServerOptions } from "../group/server.ts";
import {
  groupId,
  newSigningKey,
  randomToken,
  sha256,
  signingKey,
  userId,
} from "../identity/keys.ts";
import { memoryLog } from "../log/memory.ts";
import { sqliteLog, verifyCopy } from "../log/sqlite.ts";
import { renewCopy } from "../log/sqlite_copy.ts";
import {
  checkedAddress,
  checkedHost,
  checkedRegistry,
  DEFAULT_REGISTRY,
  parseAddress,
  type RegistryAddress,
} from "../text/addresses.ts";
import { checkedName } from "../text/names.ts";
import { DEFAULT_BOUNDS } from "../transport/bounds.ts";
import { Copies, IDENTITY_FILE } from "./copies.ts";
import { boundsHere, transportFor, warnOfFew } from "./engines.ts";
import { SILENT } from "./logging.ts";
import { filePins } from "./pins.ts";
import { answerRequests } from "./requests.ts";
import { userFile } from "./user_file.ts";

interface GroupFile {
  readonly name: string;
  readonly nonce: string;
  readonly secretKey: string;
  readonly founder: string;
}

/**
 * Starts a group: its key is made on the first start and kept with its data.
 *
 * @throws {Refusal} `name_taken`; {FolderUnusable} held by another process; {LogDamaged};
 * {DiskFull}; {UsageError}; {Error} the address is in use
 */
export async function openGroup(options: OpenGroupOptions): Promise<GroupServer> {
  const { home, address = "127.0.0.1:0", memory, plain = false, advertise, rate } = options;
  const { log: logger = SILENT, keep, keepFor } = options;
  const { name, registries } = checked(options);
  const transport = await transportFor(options.transport, logger);
  const folder = options.data ?? (home && groupFolder(home, name));
  const { secretKey, nonce, founder } = groupFile(folder, name, home);
  const key = signingKey(secretKey);
  const id = groupId(key.publicKey, name, nonce);
  const access = options.private ? "private" : "open";
  warnOfFew(logger);
  if (plain) {
    logger.warn(
      "Dialects are served in the clear: who uses them can be read, and can claim any id",
    );
  }
  const portsFile = folder && join(folder, "ports.json");
  // The port that was free at the last start, so that what members remember stays true.
  const ports = portsFile ? load<{ readonly main: number }>(portsFile) : undefined;
  const stored = folder !== undefined && !memory;
  const log = stored ? sqliteLog(folder) : memoryLog();
  const group = await named(name, {
    transport,
    log,
    identity: { id, name, key: key.publicKey, nonce, founder, access },
    key,
    address: address.endsWith(":0") && ports ? address.slice(0, -1) + ports.main : address,
    bounds: boundsHere(DEFAULT_BOUNDS, options.memoryLimit),
    pins: folder ? filePins(join(folder, "registries.json")) : new Map<string, string>(),
    registries: options.unlisted ? [] : registries,
    plain,
    advertise,
    rates: rate === undefined ? undefined : ratesFor(rate),
    keep: { entries: keep, time: keepFor },
    logger,
  });
  const port = parseAddress(group.address)?.port; // None for ipc:///PATH.
  if (portsFile && port !== undefined) save(portsFile, { main: port });
  if (stored) {
    // Does for other programs what only the holder of the folder can do.
    const answering = answerRequests(folder, (request) => copies.handle(log, folder, request));
    void group.stopped.then(() => answering.close());
  }
  return group;
}

/** What a group is to be called and where it is to be told, when all that was given can be used. */
function checked(options: OpenGroupOptions): { name: string; registries: RegistryAddress[] } {
  const { address = "127.0.0.1:0", registries = [DEFAULT_REGISTRY], advertise } = options;
  const name = checkedName(options.name);
  checkedAddress("the address", address, { free: true });
  const known = registries.map((registry) => checkedRegistry("the registry", registry));
  if (options.plain && options.private) {
    throw new UsageError(
      "Cannot start the group: --private lets in only who proves a key, leave out --plain",
    );
  }
  if (advertise !== undefined) checkedHost(advertise);
  return { name, registries: known };
}

/** Starts the server; a name that is taken is told with the way out. */
async function named(name: string, options: GroupServerOptions): Promise<GroupServer> {
  try {
    return await GroupServer.start(options);
  } catch (error) {
    if (!(error instanceof Refusal && error.code === "name_taken")) throw error;
    const message = `Cannot start the group "${name}": another group has this name at the ` +
      "registry; choose another name, or use the --data folder the group was made with";
    throw new Refusal("name_taken", message, { cause: error });
  }
}

/** Copies and checks of groups' logs, for programs beside the group's own. */
export const copies: Copies = new Copies({
  log: sqliteLog,
  verify: verifyCopy,
  renew: renewCopy,
});

/** Where a group's data is kept in a home. */
export function groupFolder(home: string, name: string): string {
  return join(home, "groups", folderName(checkedName(name)));
}

/** A folder's name for any group's name: never `..`, never longer than file systems take. */
function folderName(name: string): string {
  const safe = encodeURIComponent(name).replace(/^\./, "%2E");
  return safe.length <= 200 ? safe : `${safe.slice(0, 150)}-${sha256(name).slice(0, 32)}`;
}

function groupFile(folder: string | undefined, name: string, home: string | undefined): GroupFile {
  const make = (): GroupFile => ({
    name,
    nonce: randomToken(),
    secretKey: newSigningKey().secretKey,
    // The user of the home where a group is made.
    founder: home ? userId(signingKey(userFile(home).secretKey).publicKey) : "",
  });
  if (!folder) return make();
  const file = loadOrMake(join(folder, IDENTITY_FILE), make);
  if (file.name !== name) {
    throw new UsageError(
      `Cannot start the group "${name}" in ${folder}: the folder belongs to "${file.name}"`,
    );
  }
  return file;
}
