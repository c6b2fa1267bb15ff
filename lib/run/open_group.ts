/** Opens a group: names the adapters it is made of. */

import { join } from "node:path";
import type { LogSink, OpenGroupOptions } from "../cli/program.ts";
import { makeFolder } from "../disk/files.ts";
import { FolderUnusable, LogDamaged, Refusal, sentence, UsageError } from "../errors.ts";
import { ratesFor } from "../group/limits.ts";
import { GroupServer, type GroupServerOptions } from "../group/server.ts";
import { groupId, sha256, signingKey } from "../identity/keys.ts";
import { memoryLog } from "../log/memory.ts";
import { sqliteLog } from "../log/sqlite.ts";
import { renewCopy } from "../log/sqlite_copy.ts";
import type { GroupFile } from "../protocol/kept.ts";
import { storeOwner } from "../store/sqlite_user_look.ts";
import {
  checkedAddress,
  checkedHost,
  checkedRegistry,
  DEFAULT_REGISTRY,
  isEveryAddress,
  parseAddress,
  type RegistryAddress,
} from "../text/addresses.ts";
import { checkedName } from "../text/names.ts";
import { DEFAULT_BOUNDS } from "../transport/bounds.ts";
import { ownAddresses } from "../transport/own_addresses.ts";
import { Copies } from "./copies.ts";
import { boundsHere, transportFor, warnOfFew } from "./engines.ts";
import { databaseGroup } from "./group_database.ts";
import {
  groupFile,
  groupLog,
  keepPort,
  keptLog,
  keptPort,
  movedProblem,
  newGroup,
  readGroupFile,
  withWayOut,
} from "./group_folder.ts";
import { groupRequest, type Handle } from "./group_requests.ts";
import { Holder } from "./holder.ts";
import { SILENT } from "./logging.ts";
import { filePins } from "./pins.ts";
import { idOf, userFile } from "./user_file.ts";

/**
 * Starts a group: its key is made on the first start and kept with its data.
 *
 * @throws {Refusal} `name_taken`, `address_taken`; {FolderUnusable} held by another process;
 * {LogDamaged}; {DiskFull}; {UsageError}
 */
export async function openGroup(options: OpenGroupOptions): Promise<GroupServer> {
  const { home, address = "127.0.0.1:0", memory, plain = false, advertise, rate } = options;
  const { log: logger = SILENT, keep, keepFor } = options;
  const { name, registries } = checked(options);
  const transport = await transportFor(options.transport, logger);
  const folder = options.data ?? (home && groupFolder(home, name));
  const shared = options.database === undefined
    ? undefined
    : await sharedGroup({ ...options, database: options.database }, folder, logger);
  const file = shared?.file ?? fileOf(folder, name, home);
  const { secretKey, nonce, founder } = file;
  if (folder && shared) makeFolder(folder);
  const key = signingKey(secretKey);
  const id = groupId(key.publicKey, name, nonce);
  const access: GroupServerOptions["identity"]["access"] = options.private ? "private" : "open";
  warnOfFew(logger);
  if (plain) {
    logger.warn(
      "Dialects are served in the clear: who uses them can be read, and can claim any id",
    );
  }
  // Several servers may run in one folder, so that none has a port of its own.
  const anyPort = address.endsWith(":0") && !shared;
  // The port that was free at the last start, so that what members remember stays true.
  const before = folder && anyPort ? keptPort(folder) : undefined;
  const stored = folder !== undefined && !memory && !shared;
  const newLog = () => stored ? groupLog(folder, file, (text) => logger.warn(text)) : memoryLog();
  const serving = {
    transport,
    identity: { id, name, key: key.publicKey, nonce, founder, access },
    key,
    relayOnly: options.relayOnly ?? false,
    bounds: boundsHere(DEFAULT_BOUNDS, options.memoryLimit),
    pins: folder ? filePins(join(folder, "registries.json")) : new Map<string, string>(),
    registries: options.unlisted ? [] : registries,
    plain,
    advertise,
    rates: rate === undefined ? undefined : ratesFor(rate),
    keep: { entries: keep, time: keepFor },
    logger,
  };
  const at = (address: string) =>
    named(name, folder, { ...serving, address, log: shared?.log ?? newLog() });
  const group = before === undefined
    ? await at(address)
    : await at(address.slice(0, -1) + before).catch((error: unknown) => {
      if (!(error instanceof Refusal && error.code === "address_taken")) throw error;
      logger.warn(`Port ${before}, where "${name}" was before, is taken: it gets another one`);
      return at(address);
    });
  const port = parseAddress(group.address)?.port; // None for ipc:///PATH.
  if (folder && !shared && port !== undefined && port !== before) keepPort(folder, port);
  if (stored) {
    // Does for other programs what only the holder of the folder can do.
    const held = { log: group.group.log, folder, pause: () => group.group.pause() };
    const handle: Handle = (request, watch) => copies.handle(held, request, watch);
    const holder = new Holder(groupRequest, handle, () => {
      const problem = movedProblem(folder);
      if (problem !== undefined) {
        group.fail(new FolderUnusable(`Cannot go on with the group: ${problem}`));
      }
    });
    void group.stopped.then(() => holder.close());
    await holder.listen(folder).catch((error: unknown) => {
      logger.warn(`backup and verify cannot ask this group while it runs: ${sentence(error)}`);
    });
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
  const host = advertise ?? parseAddress(address)?.host;
  if (host !== undefined && isEveryAddress(host)) {
    const [own = "HOST"] = ownAddresses();
    throw new UsageError(
      `Cannot start the group: ${host} is every address of this machine, and none that others can ` +
        `connect to; tell them one with --advertise ${own}`,
    );
  }
  if (options.database === undefined && (options.relayOnly || options.singleCopy)) {
    throw new UsageError(
      "Cannot start the group: --relay-only and --single-copy are for a log of several servers, " +
        "--log postgres://HOST/DATABASE",
    );
  }
  if (options.database !== undefined) {
    if (options.memory) throw new UsageError("Cannot start the group: leave out --memory or --log");
  }
  return { name, registries: known };
}

/** Starts the server; a name that is taken, and a folder that cannot be trusted, are told with the way out. */
async function named(
  name: string,
  folder: string | undefined,
  options: GroupServerOptions,
): Promise<GroupServer> {
  try {
    return await GroupServer.start(options);
  } catch (error) {
    if (folder !== undefined && error instanceof LogDamaged) throw withWayOut(folder, error);
    if (!(error instanceof Refusal && error.code === "name_taken")) throw error;
    const message = `Cannot start the group "${name}": another group has this name at the ` +
      "registry; choose another name, or use the --data folder the group was made with";
    throw new Refusal("name_taken", message, { cause: error });
  }
}

/** Copies and checks of groups' logs, for programs beside the group's own. */
export const copies: Copies = new Copies({ kept: keptLog, log: sqliteLog, renew: renewCopy });

/** Where a group's data is kept in a home. */
export function groupFolder(home: string, name: string): string {
  return join(home, "groups", folderName(checkedName(name)));
}

/** A folder's name for any group's name: never `..`, never longer than file systems take. */
function folderName(name: string): string {
  const safe = encodeURIComponent(name).replace(/^\./, "%2E");
  return safe.length <= 200 ? safe : `${safe.slice(0, 150)}-${sha256(name).slice(0, 32)}`;
}

/** A group in a database: the folder keeps only what is this server's own. */
async function sharedGroup(
  options: OpenGroupOptions & { readonly database: string },
  folder: string | undefined,
  logger: Pick<LogSink, "warn">,
) {
  const { name, home, database, singleCopy = false } = options;
  const found = folder && readGroupFile(folder);
  const warn = (text: string) => logger.warn(text);
  return await databaseGroup({ url: database, singleCopy, warn }, checkedName(name), () => {
    if (!found) return newGroup(checkedName(name), founderOf(home));
    throw new UsageError(
      `Cannot start the group "${name}": it is kept in ${folder}, and not in that database; move it ` +
        `with "group.ts copy", or choose another folder with --data`,
    );
  });
}

/** The user of the home where a group is made. */
function founderOf(home: string | undefined): string {
  return home ? idOf(userFile(home, storeOwner)) : "";
}

function fileOf(folder: string | undefined, name: string, home: string | undefined): GroupFile {
  const make = () => newGroup(name, founderOf(home));
  if (!folder) return make();
  const file = groupFile(folder, make);
  if (file.name !== name) {
    throw new UsageError(
      `Cannot start the group "${name}" in ${folder}: the folder belongs to "${file.name}"; start ` +
        "that one, or choose another folder with --data",
    );
  }
  return file;
}
