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
 * ```
 *
 * @module
 */

import type { GroupServer } from "./lib/group/server.ts";
import type { RegistryServer } from "./lib/registry/server.ts";
import { openGroup, type OpenGroupOptions } from "./lib/run/open_group.ts";
import { openRegistry, type OpenRegistryOptions } from "./lib/run/open_registry.ts";
import { openUser, type OpenUserOptions } from "./lib/run/open_user.ts";
import type { User } from "./lib/user/user.ts";

/** A registry in this process. */
export const Registry: {
  /** Binds and answers until `close()`. Without `home` nothing is kept. @throws {Error} */
  start(options?: OpenRegistryOptions): Promise<RegistryServer>;
} = { start: openRegistry };

/** A group in this process. */
export const Group: {
  /** Opens the log, binds, registers, and answers until `close()`. @throws {Refusal} */
  start(options: OpenGroupOptions): Promise<GroupServer>;
} = { start: openGroup };

/** A user in this process. Without `home` it is a fresh one, and nothing is kept. */
export function connect(options?: OpenUserOptions): Promise<User> {
  return openUser(options);
}

export {
  BadReply,
  Closed,
  type Code,
  DiskFull,
  FolderUnusable,
  IdentityChanged,
  isRetriable,
  LogDamaged,
  LogFailed,
  Refusal,
  Unreachable,
  UsageError,
} from "./lib/errors.ts";
export type { GroupServer } from "./lib/group/server.ts";
export type { Entry, GroupEntry } from "./lib/protocol/batch.ts";
export type { GroupRecord, Listing } from "./lib/protocol/schema.ts";
export type { RegistryServer } from "./lib/registry/server.ts";
export type { OpenGroupOptions } from "./lib/run/open_group.ts";
export type { OpenRegistryOptions } from "./lib/run/open_registry.ts";
export type { OpenUserOptions } from "./lib/run/open_user.ts";
export type { LogSink } from "./lib/run/logging.ts";
export type {
  Action,
  Fingerprint,
  FollowRange,
  InviteTerms,
  JoinedGroup,
  LinkState,
  MemberInfo,
  OutboxEvent,
  ReadOptions,
  Receipt,
  RegistryInfo,
  SendOptions,
  ServerFound,
  Trusted,
  UserEvent,
} from "./lib/user/types.ts";
export type { User } from "./lib/user/user.ts";
