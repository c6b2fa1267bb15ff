/**
 * Every error zgroup throws on purpose, and every code that travels on the wire.
 *
 * A class exists only because somebody catches it. Messages read
 * "Cannot <action> <value>: <what it is, what it should be>" and are safe to show to a peer;
 * the inner reason travels as `cause` and goes to the log only.
 */

/** Codes of a refused request, in the order in which a peer can be wrong. Wire names: do not rename. */
export const CODES = [
  "bad_request", // not the protocol, bad JSON, a missing field, a wrong type
  "too_large", // a frame, a text or a list above its limit
  "unknown_op", // an op this server does not know
  "no_session", // hello and prove first, on this connection
  "bad_proof", // the signature does not match the key
  "bad_signature", // a signed record or message that does not verify
  "stale_record", // a record older than the one held, or expired
  "name_taken", // the name belongs to another key
  "address_taken", // the address is held by a live group
  "not_found", // no such group, user, invite
  "not_member", // join first
  "banned", // this user may not come back
  "muted", // this user may not send now
  "forbidden", // the role does not allow it
  "bad_invite", // unknown, used up, expired or revoked
  "rate_limited", // wait `retry_after` ms and send again with the same mid
  "out_of_order", // the request before was not accepted; send that one again, then this one
  "busy", // a bound was reached; wait and send again
  "disk_full", // the log cannot grow now; reads go on
  "stopping", // the server is closing
  "unavailable", // this server has lost its group; ask another one of it
  "internal", // a defect of the server; its log says more
] as const;

/** Why a request was refused: one of the codes of PROTOCOL.md, as {@linkcode Refusal} has it. */
export type Code = typeof CODES[number];

const RETRIABLE: ReadonlySet<string> = new Set<Code>([
  "no_session",
  "rate_limited",
  "busy",
  "disk_full",
  "stopping",
  "unavailable",
]);

/**
 * A request that was understood and refused; travels as `{code, message}`.
 *
 * @example
 * ```ts
 * import { connect, Refusal, Registry } from "./mod.ts";
 *
 * await using registry = await Registry.start({ port: 0 });
 * await using user = await connect({ registries: [registry.address] });
 * try {
 *   await user.join("Nowhere");
 * } catch (error) {
 *   if (!(error instanceof Refusal)) throw error;
 *   console.log(error.code);
 *   //=> not_found
 * }
 * ```
 */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: Code;
  /** Milliseconds to wait before the same request may succeed, where the server knows. */
  readonly retryAfter?: number;

  constructor(code: Code, message: string, options: { retryAfter?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    if (options.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }
}

/**
 * Nobody answered in time; the same request may be sent again with the same `mid`. See
 * {@linkcode isRetriable}.
 */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
  readonly address: string;

  constructor(address: string, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.address = address;
  }
}

/** What is at an address speaks another protocol, and nothing was said to it. */
export class Foreign extends Unreachable {}

/** The host of an address is a name that this machine cannot look up. */
export class UnknownHost extends Unreachable {}

/** A server answered what it may not; asking it again changes nothing. See {@linkcode isRetriable}. */
export class BadReply extends Error {
  override readonly name = "BadReply";
}

/**
 * The socket, client or server was closed before the work was done.
 *
 * @example
 * ```ts
 * import { Closed, connect, Group, Registry } from "./mod.ts";
 *
 * await using registry = await Registry.start({ port: 0 });
 * const registries = [registry.address];
 * await using _group = await Group.start({ name: "Lab", registries });
 * const user = await connect({ registries });
 * await user.join("Lab");
 * await user.close();
 * await user.send("Lab", "too late").catch((error) => console.log(error instanceof Closed));
 * //=> true
 * ```
 */
export class Closed extends Error {
  override readonly name = "Closed";
}

/**
 * What a person typed or an embedder passed is not usable; nothing was done.
 *
 * @example
 * ```ts
 * import { connect, UsageError } from "./mod.ts";
 *
 * await connect({ name: "two\nlines" }).catch((error) => console.log(error instanceof UsageError));
 * //=> true
 * ```
 */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Ctrl-C ended work, and this is how far it came; the program ends with 130. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

/**
 * The log has no room; nothing of the batch was kept, reads go on. Members get a
 * {@linkcode Refusal} with the code `disk_full`. See {@linkcode isRetriable}.
 */
export class DiskFull extends Error {
  override readonly name = "DiskFull";
}

/** An append was made for another head than the log has; nothing of it was kept, the log still works. */
export class HeadMoved extends Error {
  override readonly name = "HeadMoved";
  readonly expected: number;
  readonly actual: number;

  constructor(expected: number, actual: number) {
    super(`Cannot append after entry ${expected}: the log's newest entry is ${actual}`);
    this.expected = expected;
    this.actual = actual;
  }
}

/** A shared log is another server's now: who was its holder decides nothing any more. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

/**
 * A log on another machine cannot be reached, or not be trusted, now; asked again it may answer.
 *
 * @example
 * ```ts
 * import { Group, LogAway } from "./mod.ts";
 *
 * const database = "postgres://zgroup@127.0.0.1:1/nowhere";
 * await Group.start({ name: "Lab", database, unlisted: true })
 *   .catch((error) => console.log(error instanceof LogAway));
 * //=> true
 * ```
 */
export class LogAway extends Error {
  override readonly name: string = "LogAway";
}

/** The database would acknowledge what it can lose; says which setting, and the way out. */
export class LogUnsafe extends LogAway {
  override readonly name = "LogUnsafe";
}

/**
 * A write or an fsync failed: what is on disk is unknown, the process must stop. See
 * {@linkcode isRetriable}.
 */
export class LogFailed extends Error {
  override readonly name = "LogFailed";
}

/**
 * Stored bytes are not what was written; says the file and the first bad seq or row.
 *
 * @example
 * ```ts
 * import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { Group, LogDamaged } from "./mod.ts";
 *
 * const data = mkdtempSync(join(tmpdir(), "zgroup-example-"));
 * await (await Group.start({ name: "Lab", data, unlisted: true })).close();
 * writeFileSync(join(data, "log.db"), "rubbish".repeat(1_000));
 * try {
 *   await Group.start({ name: "Lab", data, unlisted: true });
 * } catch (error) {
 *   if (!(error instanceof LogDamaged)) throw error;
 *   console.log(error.file === join(data, "log.db"), error.seq);
 *   //=> true 0
 * }
 * rmSync(data, { recursive: true });
 * ```
 */
export class LogDamaged extends Error {
  override readonly name = "LogDamaged";
  readonly file: string;
  /** First entry that cannot be trusted; 0 when the damage is outside the entries. */
  readonly seq: number;

  constructor(file: string, seq: number, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.file = file;
    this.seq = seq;
  }
}

/** Entries that were acknowledged are not there; what is there is whole. */
export class LogLost extends LogDamaged {}

/**
 * A data folder is held by another process, or was written by a newer version.
 *
 * @example
 * ```ts
 * import { mkdtempSync, rmSync } from "node:fs";
 * import { tmpdir } from "node:os";
 * import { join } from "node:path";
 * import { FolderUnusable, Group } from "./mod.ts";
 *
 * const data = mkdtempSync(join(tmpdir(), "zgroup-example-"));
 * const group = await Group.start({ name: "Lab", data, unlisted: true });
 * await Group.start({ name: "Lab", data, unlisted: true })
 *   .catch((error) => console.log(error instanceof FolderUnusable));
 * //=> true
 * await group.close();
 * rmSync(data, { recursive: true });
 * ```
 */
export class FolderUnusable extends Error {
  override readonly name = "FolderUnusable";
}

/**
 * The group under a known name has another identity than the one pinned at the first join.
 *
 * @example
 * ```ts
 * import { connect, Group, IdentityChanged } from "./mod.ts";
 *
 * const former = await Group.start({ name: "Lab", unlisted: true });
 * const { address } = former;
 * await using user = await connect({ registries: [] });
 * await user.join(address);
 * await former.close();
 *
 * await using _other = await Group.start({ name: "Lab", address, unlisted: true });
 * await user.join(address).catch((error) => console.log(error instanceof IdentityChanged));
 * //=> true
 * await user.trust("Lab"); // Whoever looked, and knows why, accepts it.
 * await user.join("Lab");
 * ```
 */
export class IdentityChanged extends Error {
  override readonly name = "IdentityChanged";
  readonly group: string;

  constructor(group: string, message: string) {
    super(message);
    this.group = group;
  }
}

/**
 * True if the same request, with the same `mid`, may be sent again after a pause.
 *
 * @example
 * ```ts
 * import { BadReply, connect, DiskFull, Group, isRetriable, LogFailed } from "./mod.ts";
 * import { Unreachable } from "./mod.ts";
 *
 * function advice(error: unknown): string {
 *   if (error instanceof Unreachable) return "it is in the outbox, and goes out by itself";
 *   if (isRetriable(error)) return "wait, and try again";
 *   if (error instanceof BadReply) return "the server has a defect";
 *   if (error instanceof DiskFull || error instanceof LogFailed) return "look at the group's disk";
 *   return "do something else";
 * }
 *
 * const group = await Group.start({ name: "Lab", unlisted: true });
 * await using user = await connect({ registries: [] });
 * await user.join(group.address);
 * await group.close();
 * await user.send("Lab", "hi", { within: 200 }).catch((error) => console.log(advice(error)));
 * //=> it is in the outbox, and goes out by itself
 * ```
 */
export function isRetriable(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof Refusal && RETRIABLE.has(error.code);
}

/** The sentence of any thrown value, for a person. */
export function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
