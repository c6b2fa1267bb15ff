/**
 * zgroup: group messaging over ZeroMQ with a durable, ordered log.
 *
 * @example
 * ```ts
 * import { connect, Group, Registry } from "./mod.ts";
 *
 * await using registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * await using _group = await Group.start({ name: "Lab", registries });
 * await using user = await connect({ name: "alice", registries });
 * await user.join("Lab");
 * const { seq } = await user.send("Lab", "hi");
 * for await (const entry of user.read("Lab", { after: seq - 1 })) console.log(entry.text);
 * //=> hi
 * ```
 *
 * @module
 */

import type { GroupRecord } from "./lib/protocol/schema.ts";
import type { OpenGroupOptions, OpenRegistryOptions, OpenUserOptions } from "./lib/cli/program.ts";
import { openGroup } from "./lib/run/open_group.ts";
import { openRegistry } from "./lib/run/open_registry.ts";
import { openUser } from "./lib/run/open_user.ts";
import type { Accounts } from "./lib/transport/transport.ts";
import type { User } from "./lib/user/user.ts";

/** A server in this process, as {@linkcode Registry} and {@linkcode Group} start it. */
export interface RunningServer extends AsyncDisposable {
  /** Where others reach it: a group's `HOST:PORT`, a registry's `HOST:PORT#KEY`. */
  readonly address: string;
  /** Its public key, base64url, 43 characters. */
  readonly key: string;
  /** What its peers hold now, and what happened to them. */
  readonly accounts: Accounts;
  /** Resolves when it is closed: with the error that stopped it, if one did. */
  readonly stopped: Promise<Error | undefined>;
  /** Takes its leases back, finishes what it accepted, and ends. Never rejects. */
  close(): Promise<void>;
}

/** A running registry, as {@linkcode Registry} starts it. */
export type RegistryServer = RunningServer;

/** A running group, as {@linkcode Group} starts it. */
export interface GroupServer extends RunningServer {
  readonly name: string;
  /** Its signed record, as registries and all who connect get it. */
  record(): GroupRecord;
}

/**
 * A registry in this process.
 *
 * @example
 * ```ts
 * import { Registry } from "./mod.ts";
 *
 * // With a `home` it keeps its key and who took which name.
 * await using registry = await Registry.start({ host: "127.0.0.1", port: 0 });
 * const [address, key] = registry.address.split("#");
 * console.log(address.startsWith("127.0.0.1:"), key === registry.key);
 * //=> true true
 * ```
 */
export const Registry: {
  /**
   * Binds and answers until `close()`. Without `home` nothing is kept, and its key is a new one.
   *
   * @throws {Refusal} `address_taken`; {UsageError} no such address here; {FolderUnusable} another
   * process has the `home`; {DiskFull}
   */
  start(options?: OpenRegistryOptions): Promise<RegistryServer>;
} = { start: openRegistry };

/**
 * A group in this process.
 *
 * @example
 * ```ts
 * import { connect, Group, type LogSink, Registry } from "./mod.ts";
 *
 * await using registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * const log: LogSink = {
 *   info: (text) => void (text.startsWith("JOIN") && console.log("somebody asks to join")),
 *   warn: (text) => console.error(text),
 *   close: () => Promise.resolve(),
 * };
 * // With a `home` the log is on disk, and the home's user is the founder.
 * const group = await Group.start({ name: "Lab", registries, log });
 * await using user = await connect({ name: "alice", registries });
 * await user.join("Lab");
 * //=> somebody asks to join
 * await group.close();
 * ```
 */
export const Group: {
  /**
   * Opens the log, binds, registers, and answers until `close()`.
   *
   * @throws {Refusal} `name_taken`, `address_taken`; {UsageError} a name or an address that cannot be;
   * {FolderUnusable} another process has the log; {LogDamaged}; {LogAway}; {DiskFull}
   */
  start(options: OpenGroupOptions): Promise<GroupServer>;
} = { start: openGroup };

/**
 * A user in this process. Without `home` it is a fresh one, and nothing is kept.
 *
 * @example Talk, and hear the others
 * ```ts
 * import { connect, Group, Registry } from "./mod.ts";
 *
 * await using registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * await using _group = await Group.start({ name: "Lab", registries });
 * await using alice = await connect({ name: "alice", registries });
 * await using bob = await connect({ name: "bob", registries });
 * const { cursor } = await alice.join("Lab");
 * await bob.join("Lab");
 *
 * const off = bob.on((event) => {
 *   if (event.type === "typing") console.log(`${event.name} is typing`);
 * });
 * const stop = new AbortController();
 * const { signal } = stop;
 * const hearing = (async () => {
 *   for await (const { kind, name, text, seq } of bob.follow("Lab", { after: cursor, signal })) {
 *     bob.seen("Lab", seq);
 *     if (kind !== "message") continue;
 *     console.log(`${name}: ${text}`);
 *     //=> alice: hi
 *     stop.abort();
 *   }
 * })();
 * alice.typing("Lab");
 * const { seq } = await alice.send("Lab", "hi");
 * await hearing;
 * off();
 *
 * for await (const entry of bob.read("Lab", { last: true, limit: 1 })) {
 *   console.log(entry.seq === seq, entry.signature);
 *   //=> true valid
 * }
 * await bob.check();
 * console.log(bob.joined().map(({ name, unread }) => `${name}: ${unread} unread`).join());
 * //=> Lab: 0 unread
 * console.log(bob.membership("Lab").role);
 * //=> member
 * await bob.leave("Lab");
 * ```
 *
 * @example Run a group of one's own
 * ```ts
 * import { mkdtempSync, rmSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { connect, Group, Registry } from "./mod.ts";
 *
 * const home = mkdtempSync(join(tmpdir(), "zgroup-example-"));
 * const registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * const founder = await connect({ home, name: "alice", registries, keepLocal: 1_000 });
 * const group = await Group.start({ name: "Lab", home, registries, private: true });
 * const { role } = await founder.join("Lab");
 * const invite = await founder.invite("Lab", { uses: 1, for: 60_000, role: "reader" });
 *
 * const guest = await connect({ name: "bob", registries });
 * await guest.join(invite);
 * await guest.rename("Bob");
 * await founder.act("Lab", { action: "promote", user: "Bob", role: "member" });
 * await founder.act("Lab", { action: "topic", topic: "Tuesday's session" });
 * console.log(role, await guest.topic("Lab"));
 * //=> founder Tuesday's session
 * const members = await guest.members("Lab");
 * console.log(members.map(({ name, role }) => `${name} ${role}`).sort().join());
 * //=> Bob member,alice founder
 * console.log((await founder.banned("Lab")).length);
 * //=> 0
 *
 * for await (const { kind } of founder.read("Lab", { limit: 1 })) console.log(kind);
 * //=> founded
 * await group.close(); // What was read stays on this disk.
 * for await (const { kind } of founder.kept("Lab", { limit: 1 })) console.log(kind);
 * //=> founded
 *
 * for (const one of [guest, founder, registry]) await one.close();
 * rmSync(home, { recursive: true });
 * ```
 *
 * @example A bot: each message once, whatever is tried again
 * ```ts
 * import { randomUUID } from "node:crypto";
 * import { connect, Group, type GroupEntry, Registry } from "./mod.ts";
 *
 * function told(entry: GroupEntry): string {
 *   switch (entry.kind) {
 *     case "message":
 *       return `${entry.name}: ${entry.text}`;
 *     case "rename":
 *       return `${entry.body.before} is ${entry.name} now`;
 *     default: // join, leave, what admins do, and what later versions add
 *       return `${entry.name}: ${entry.kind}`;
 *   }
 * }
 *
 * await using registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * await using _group = await Group.start({ name: "Lab", registries });
 * await using bot = await connect({ name: "bot", registries });
 * await using alice = await connect({ name: "alice", registries });
 * await bot.join("Lab");
 * await alice.join("Lab");
 *
 * const mid = randomUUID(); // of an order, a webhook, a line of a file
 * await alice.send("Lab", "coffee, please", { mid });
 * const { duplicate } = await alice.send("Lab", "coffee, please", { mid });
 * console.log(duplicate);
 * //=> true
 * for await (const entry of bot.follow("Lab", { from: "start" })) {
 *   console.log(told(entry));
 *   //=> Lab: founded
 *   //=> bot: join
 *   //=> alice: join
 *   //=> alice: coffee, please
 *   if (entry.kind === "message") break;
 * }
 * ```
 *
 * @example A group that does not answer
 * ```ts
 * import { mkdtempSync, rmSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { connect, Group, Unreachable } from "./mod.ts";
 *
 * const data = mkdtempSync(join(tmpdir(), "zgroup-example-"));
 * const former = await Group.start({ name: "Lab", data, unlisted: true });
 * const { address } = former;
 * const home = join(data, "alice");
 * const user = await connect({ home, name: "alice", registries: [], keepLocal: 1_000 });
 * await user.join(address);
 * for await (const entry of user.read("Lab")) console.log(entry.kind, entry.name);
 * //=> founded Lab
 * //=> join alice
 * await former.close();
 * // What was read is on one's own disk, too.
 * for await (const { kind } of user.kept("Lab", { last: true, limit: 1 })) console.log(kind);
 * //=> join
 * for (const text of ["hello", "never mind"]) {
 *   await user.send("Lab", text, { within: 100 }).catch((error) => {
 *     if (!(error instanceof Unreachable)) throw error; // It waits in the outbox.
 *   });
 * }
 * const [, second] = user.unsent("Lab");
 * const { text, tried } = user.unsend("Lab", second.mid);
 * console.log(text, tried ? "is perhaps there" : "is not sent");
 * //=> never mind is not sent
 *
 * const group = await Group.start({ name: "Lab", data, address, unlisted: true });
 * const [{ sent, waiting }] = await user.flush("Lab", { within: 10_000 });
 * console.log(sent, waiting);
 * //=> 1 0
 * for (const open of [user, group]) await open.close();
 * rmSync(data, { recursive: true });
 * ```
 *
 * @example Look at what one trusts
 * ```ts
 * import { connect, Group, Registry } from "./mod.ts";
 *
 * await using registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * await using group = await Group.start({ name: "Lab", registries });
 * await using user = await connect({ registries });
 * await user.join("Lab");
 *
 * const listed = await user.list({ prefix: "L" });
 * console.log(listed.map(({ name, state }) => `${name} ${state}`).join());
 * //=> Lab live
 * console.log(user.registryKeys()[0].key === registry.key);
 * //=> true
 * const { changed, now } = await user.trust("Lab");
 * console.log(changed, now === group.key);
 * //=> false true
 * const { from, hash } = await user.fingerprint("Lab");
 * console.log(from, hash.length);
 * //=> 1 43
 * console.log((await user.diagnose()).length);
 * //=> 2
 * const { disputes } = await user.compareNames(); // Who has which name, at each registry?
 * console.log(disputes.length);
 * //=> 0
 * ```
 */
export function connect(options?: OpenUserOptions): Promise<User> {
  return openUser(options);
}

/** What went wrong: each error that an embedder can meet, and what a refusal's code may be. */
export {
  BadReply,
  Closed,
  type Code,
  DiskFull,
  FolderUnusable,
  IdentityChanged,
  isRetriable,
  LogAway,
  LogDamaged,
  LogFailed,
  Refusal,
  Unreachable,
  UsageError,
} from "./lib/errors.ts";
/** What {@linkcode Group} and {@linkcode Registry} take and give. */
export type { Accounts } from "./lib/transport/transport.ts";
export type { LogSink, OpenGroupOptions, OpenRegistryOptions } from "./lib/cli/program.ts";
/** What {@linkcode connect} takes and gives, and what its user gives and takes. */
export type { OpenUserOptions } from "./lib/cli/program.ts";
export type { User } from "./lib/user/user.ts";
export type { Entry, EventEntry, GroupEntry, MessageEntry } from "./lib/protocol/batch.ts";
export type { GroupRecord, ListedServer, Listing } from "./lib/protocol/schema.ts";
export type {
  Action,
  Alarm,
  BannedInfo,
  Fingerprint,
  Flushed,
  FlushOptions,
  FollowRange,
  Invites,
  InviteTerms,
  JoinedGroup,
  JoinOptions,
  Left,
  LinkState,
  MadeInvite,
  MemberInfo,
  NameDispute,
  NamesCompared,
  OpenInvite,
  OutboxEvent,
  ReadOptions,
  Receipt,
  RegistryInfo,
  SendOptions,
  ServerFound,
  Trusted,
  Unsent,
  UserEvent,
} from "./lib/user/types.ts";
