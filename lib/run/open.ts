/**
 * Composition: the only place that names the real adapters. Everything above asks for a running
 * registry, group or user; everything below is handed what it needs.
 */

import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { Refusal, UsageError } from "../errors.ts";
import { ratesFor } from "../group/limits.ts";
import { GroupServer } from "../group/server.ts";
import { load, loadOrMake } from "../identity/files.ts";
import {
  groupId,
  newSigningKey,
  randomToken,
  sha256,
  type SigningKey,
  signingKey,
  userId,
} from "../identity/keys.ts";
import { midMaker } from "../identity/mids.ts";
import type { Log } from "../log/log.ts";
import { memoryLog } from "../log/memory.ts";
import { memoryStore } from "../log/memory_store.ts";
import { sqliteLog } from "../log/sqlite.ts";
import { renewCopy, sqliteCopy } from "../log/sqlite_copy.ts";
import { sqliteNames } from "../log/sqlite_names.ts";
import { sqliteStore } from "../log/sqlite_store.ts";
import { nameProblem, normalName, parseAddress } from "../protocol/names.ts";
import { REGISTRY_BOUNDS } from "../registry/bounds.ts";
import { RegistryServer } from "../registry/server.ts";
import { memoryPins } from "../session/registry_client.ts";
import { DEFAULT_BOUNDS } from "../transport/bounds.ts";
import type { Bounds, Transport } from "../transport/transport.ts";
import { zmtpTransport } from "../transport/zmtp/engine.ts";
import { User } from "../user/user.ts";
import { checkAddress, checkHost, checkName, checkRegistry } from "./checks.ts";
import { Copies } from "./copies.ts";
import { connectionLimit, descriptorWarning } from "./descriptors.ts";
import { type EngineName, engineName, LIBZMQ_WARNING } from "./engines.ts";
import type { LogSink } from "./logging.ts";
import { type Machine, machineFor } from "./machine.ts";
import { filePins } from "./pins.ts";
import { fulfilWishes } from "./requests.ts";

/** Where a registry listens when nothing else is said. */
export const DEFAULT_REGISTRY = "127.0.0.1:5555";

/** Engines that were loaded: libzmq has one context for all its sockets. */
const engines = new Map<EngineName, Transport>();

/** libzmq is native code: it is loaded when somebody asks for it, and never otherwise. */
async function transportFor(asked: string | undefined, log: LogSink): Promise<Transport> {
  const name = engineName(asked);
  if (name === "libzmq") log.warn(LIBZMQ_WARNING);
  const transport = engines.get(name) ??
    (name === "zmtp" ? zmtpTransport() : await loadLibzmq());
  engines.set(name, transport);
  return transport;
}

async function loadLibzmq(): Promise<Transport> {
  try {
    return (await import("../transport/libzmq/zmq.ts")).libzmqTransport();
  } catch (cause) {
    const message = "Cannot use the engine libzmq: the package zeromq does not load here";
    throw Object.assign(new UsageError(message), { cause });
  }
}

/** What the peers of a server may hold here. */
function boundsHere(bounds: Bounds, total: number = bounds.total): Bounds {
  return { ...bounds, connections: connectionLimit() ?? bounds.connections, total };
}

const SILENT: LogSink = { info() {}, warn() {}, close: () => Promise.resolve() };

/** What a user is opened with. */
export interface OpenUserOptions {
  /** Folder of identity, outbox and cursors; absent: a fresh user whose things end with it. */
  readonly home?: string;
  /** `HOST:PORT` of each registry; default `127.0.0.1:5555`. */
  readonly registries?: readonly string[];
  /** The name others see; default the one kept in `home`, else that of the system's user. */
  readonly name?: string;
  /** What brings the bytes, `zmtp` or `libzmq`; default `$ZGROUP_TRANSPORT`, else `zmtp`. */
  readonly transport?: string;
}

interface UserFile {
  readonly name: string;
  readonly secretKey: string;
}

/**
 * Opens a user: its identity is made on the first call for a `home`.
 *
 * @throws {FolderUnusable} `home` cannot be used; {UsageError} the name cannot be used
 */
export function openUser(options: OpenUserOptions = {}): Promise<User> {
  return attempt(async () => {
    const { home, registries = [DEFAULT_REGISTRY] } = options;
    registries.forEach(checkRegistry);
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
      renamed: (name) => home && write(identityPath(home), { ...file, name }),
    });
  });
}

/** What this machine gives a user of a home. */
export function machine(home: string, transport?: string): Machine {
  return machineFor(home, engineName(transport) === "zmtp" ? "zmtp (ours)" : "libzmq");
}

/** The name kept in a home; undefined before its first use. @throws {FolderUnusable} */
export function keptName(home: string): string | undefined {
  return load<UserFile>(identityPath(home))?.name;
}

function identityPath(home: string): string {
  return join(home, "identity.json");
}

function userFile(home: string | undefined, wanted?: string): UserFile {
  const name = wanted === undefined ? undefined : checkName(wanted);
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

function write(path: string, file: object): void {
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

/** What a registry is started with. */
export interface OpenRegistryOptions {
  /** Folder of its key and the names taken; absent: a fresh key, and both are gone at the end. */
  readonly home?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 5555; 0 takes a free one. */
  readonly port?: number;
  /** What brings the bytes, `zmtp` or `libzmq`; default `$ZGROUP_TRANSPORT`, else `zmtp`. */
  readonly transport?: string;
  readonly log?: LogSink;
}

/** Starts a registry. @throws {Refusal} `address_taken`; {FolderUnusable} held by another */
export function openRegistry(options: OpenRegistryOptions = {}): Promise<RegistryServer> {
  return attempt(async () => {
    const { home, host = "127.0.0.1", port = 5555, log = SILENT } = options;
    const address = `${host}:${port}`;
    checkAddress(address);
    const transport = await transportFor(options.transport, log);
    warnOfFew(log);
    return await RegistryServer.start({
      transport,
      address,
      key: registryKey(home),
      bounds: boundsHere(REGISTRY_BOUNDS),
      ...(home ? { names: sqliteNames(join(home, "registry")) } : {}),
      logger: log,
    });
  });
}

function warnOfFew(log: LogSink): void {
  const warning = descriptorWarning();
  if (warning) log.warn(warning);
}

function registryKey(home: string | undefined): SigningKey {
  const make = () => ({ secretKey: newSigningKey().secretKey });
  const file = home ? loadOrMake(join(home, "registry", "key.json"), make) : make();
  return signingKey(file.secretKey);
}

/** What a group is started with. */
export interface OpenGroupOptions {
  readonly name: string;
  /** `IP:PORT`; default `127.0.0.1:0`, a free port. */
  readonly address?: string;
  /** The user's folder; its user becomes the founder, and the data is kept below it. */
  readonly home?: string;
  /** Folder of key and log; default `groups/NAME` in `home`. */
  readonly data?: string;
  /** Keep the log in memory. True when there is neither `home` nor `data`. */
  readonly memory?: boolean;
  /** Answer dialect 002 as well, in the clear; anyone can claim any user id in it. */
  readonly plain?: boolean;
  /** Only who is invited may enter. */
  readonly private?: boolean;
  /** Tell no registry. */
  readonly unlisted?: boolean;
  /** Messages a second that one user may send, with a burst of twice that; default 500. */
  readonly rate?: number;
  /** Entries that keep their content; default all. */
  readonly keep?: number;
  /** How long entries keep their content, ms; default for ever. */
  readonly keepFor?: number;
  /** What all peers together may hold, bytes; beyond, the largest are cut. Default 256 MiB. */
  readonly memoryLimit?: number;
  /** Host, without a port, that others reach this machine by; default the host of `address`. */
  readonly advertise?: string;
  /** `HOST:PORT` of each registry; default `127.0.0.1:5555`. */
  readonly registries?: readonly string[];
  /** What brings the bytes, `zmtp` or `libzmq`; default `$ZGROUP_TRANSPORT`, else `zmtp`. */
  readonly transport?: string;
  readonly log?: LogSink;
}

interface GroupFile {
  readonly name: string;
  readonly nonce: string;
  readonly secretKey: string;
  readonly founder: string;
}

/** The port that was free at the last start, so that what members remember stays true. */
interface Ports {
  readonly main: number;
}

/**
 * Starts a group: its key is made on the first start and kept with its data.
 *
 * @throws {Refusal} `name_taken`; {FolderUnusable} held by another process; {LogDamaged};
 * {UsageError}; {Error} the address is in use
 */
export function openGroup(options: OpenGroupOptions): Promise<GroupServer> {
  return attempt(async () => {
    const { home, address = "127.0.0.1:0", registries = [DEFAULT_REGISTRY] } = options;
    const { log: logger = SILENT, plain = false, advertise, rate, keep, keepFor } = options;
    const { memoryLimit } = options;
    const access = options.private ? "private" : "open";
    const name = checkName(options.name);
    checkAddress(address);
    const known = registries.map(checkRegistry);
    if (plain && access === "private") {
      throw new UsageError(
        "Cannot start the group: --private lets in only who proves a key, leave out --plain",
      );
    }
    if (advertise !== undefined) checkHost(advertise);
    const transport = await transportFor(options.transport, logger);
    const folder = options.data ?? (home && groupFolder(home, name));
    const file = groupFile(folder, name, home);
    const key = signingKey(file.secretKey);
    const { nonce, founder } = file;
    const id = groupId(key.publicKey, name, nonce);
    warnOfFew(logger);
    if (plain) {
      logger.warn(
        "Dialects are served in the clear: who uses them can be read, and can claim any id",
      );
    }
    const portsFile = folder && join(folder, "ports.json");
    const ports = portsFile ? load<Ports>(portsFile) : undefined;
    const stored = folder !== undefined && !options.memory;
    const log = stored ? sqliteLog(folder) : memoryLog();
    try {
      const group = await GroupServer.start({
        transport,
        log,
        identity: { id, name, key: key.publicKey, nonce, founder, access },
        key,
        address: address.endsWith(":0") && ports ? address.slice(0, -1) + ports.main : address,
        bounds: boundsHere(DEFAULT_BOUNDS, memoryLimit),
        pins: folder ? filePins(join(folder, "registries.json")) : memoryPins(),
        registries: options.unlisted ? [] : known,
        plain,
        ...(advertise ? { advertise } : {}),
        ...(rate === undefined ? {} : { rates: ratesFor(rate) }),
        keep: {
          ...(keep === undefined ? {} : { entries: keep }),
          ...(keepFor === undefined ? {} : { time: keepFor }),
        },
        logger,
      });
      const port = parseAddress(group.address)?.port; // None for ipc:///PATH.
      if (portsFile && port !== undefined) write(portsFile, { main: port });
      if (stored) answerWishes(group, log, folder);
      return group;
    } catch (error) {
      if (!(error instanceof Refusal && error.code === "name_taken")) throw error;
      const message = `Cannot start the group "${name}": another group has this name at the ` +
        "registry; choose another name, or use the --data folder the group was made with";
      throw new Refusal("name_taken", message, { cause: error });
    }
  });
}

/** Copies and checks of groups' logs, for programs beside the group's own. */
export const copies: Copies = new Copies({ log: sqliteLog, copy: sqliteCopy, renew: renewCopy });

/** Where a group's data is kept in a home. */
export function groupFolder(home: string, name: string): string {
  return join(home, "groups", folderName(checkName(name)));
}

/** Does for other programs what only the holder of the folder can do, as long as the group runs. */
function answerWishes(group: GroupServer, log: Log, folder: string): void {
  const wishes = fulfilWishes(folder, async (wish) => {
    const done = wish.op === "backup"
      ? await copies.backupOf(log, folder, wish.file)
      : await log.verify();
    return { ...done };
  });
  void group.stopped.then(() => wishes.close());
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
    founder: home ? founderOf(home) : "",
  });
  if (!folder) return make();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = loadOrMake(join(folder, "group.json"), make);
  if (file.name !== name) {
    throw new UsageError(
      `Cannot start the group "${name}" in ${folder}: the folder belongs to "${file.name}"`,
    );
  }
  return file;
}

/** The user of the home where a group is made is its founder. */
function founderOf(home: string): string {
  return userId(signingKey(userFile(home).secretKey).publicKey);
}

/** What is thrown at once rejects, too. */
// deno-lint-ignore require-await
async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  return work();
}
