/**
 * THE table of requests: every op, its fields, and what each must be. PROTOCOL.md is its twin.
 *
 * Unknown fields are ignored, so that versions can differ. Field names and op names are wire
 * format: add, never rename or reuse.
 */

import * as v from "valibot";
import {
  isAddress,
  isCurveKey,
  isKey,
  isMid,
  isSignature,
  isUuid,
  midTime,
  nameProblem,
} from "./names.ts";
import { MAX_LIST, MAX_MESSAGES, MAX_READ, MAX_TEXT, MID_SPAN } from "./limits.ts";

/** A message as it travels: its id and its text. */
export type Message = readonly [mid: string, text: string];

const id = v.pipe(v.string(), v.check(isUuid, "expected a UUID in lower case"));
const key = v.pipe(v.string(), v.check(isKey, "expected a key, 43 characters of base64url"));
const sig = v.pipe(
  v.string(),
  v.check(isSignature, "expected a signature, 86 characters of base64url"),
);
const token = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{16,64}$/, "expected a token"));
const address = v.pipe(v.string(), v.check(isAddress, "expected HOST:PORT"));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const name = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const problem = nameProblem(dataset.value);
    if (problem) addIssue({ message: `not usable as a name: ${problem}` });
  }),
);
const curveKey = v.pipe(
  v.string(),
  v.check(isCurveKey, "expected a CURVE key, 40 characters of Z85"),
);
const curve = v.union([v.literal(""), curveKey]);
const noAddress = v.union([v.literal(""), address]);
const access = v.picklist(["open", "private"]);
const role = v.picklist(["admin", "member", "reader"]);

/** Why a list of messages cannot be accepted; undefined when it can. */
export function messagesProblem(list: unknown): string | undefined {
  if (!Array.isArray(list)) return "expected an array of [mid, text]";
  if (list.length < 1 || list.length > MAX_MESSAGES) {
    return `expected 1 to ${MAX_MESSAGES} messages, got ${list.length}`;
  }
  let before = "";
  for (const [i, message] of list.entries()) {
    if (!Array.isArray(message) || message.length !== 2) return `${i}: expected [mid, text]`;
    const [mid, text] = message;
    if (typeof mid !== "string" || !isMid(mid)) {
      return `${i}: expected a mid, a version 7 UUID in lower case`;
    }
    if (mid <= before) return `${i}: expected a mid greater than the one before`;
    if (typeof text !== "string" || !text.isWellFormed()) {
      return `${i}: expected text that is valid Unicode`;
    }
    if (textBytes(text) > MAX_TEXT) return `${i}: expected a text of at most ${MAX_TEXT} bytes`;
    before = mid;
  }
  if (midTime(before) - midTime(list[0][0]) > MID_SPAN) {
    return `expected mids that lie at most ${MID_SPAN} ms apart`;
  }
  return undefined;
}

const encoder = new TextEncoder();

/** UTF-8 length, counted only where it could matter. */
function textBytes(text: string): number {
  return text.length * 3 <= MAX_TEXT ? text.length : encoder.encode(text).length;
}

// Checked by one loop and not by a schema for each of 256 pairs: this is the hot path.
const messages = v.pipe(
  v.custom<Message[]>(() => true),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const problem = messagesProblem(dataset.value);
    if (problem) addIssue({ message: problem });
  }),
);

/** A group's signed entry in a registry. All fields are covered by `sig`. */
export interface GroupRecord {
  id: string;
  name: string;
  /** Whether anyone may join, or only who is invited. */
  access: "open" | "private";
  /** `host:port` of the commands. */
  address: string;
  /** `host:port` of the live feed, or empty. */
  live: string;
  /** `host:port` of the door; empty for a group in the clear. */
  door: string;
  /** The CURVE key in Z85, or empty. */
  curve: string;
  key: string;
  nonce: string;
  version: number;
  /** ms since 1970. */
  expires: number;
  sig: string;
}

/** See {@linkcode GroupRecord}, whose type is written out so that declarations can be made. */
export const recordSchema = v.object({
  id,
  name,
  access,
  address,
  live: noAddress,
  door: noAddress,
  curve,
  key,
  nonce: token,
  version: count,
  expires: time,
  sig,
}) satisfies v.GenericSchema<unknown, GroupRecord>;

/** True if every field is there and well-formed; says nothing of the signature. */
export function isRecord(value: unknown): value is GroupRecord {
  return v.is(recordSchema, value);
}

/** What a registry says of one group. */
export interface Listing {
  readonly name: string;
  readonly address: string;
  readonly state: "live" | "quiet";
  /** Absent for a group of dialect 002, which has no key and proves nothing. */
  readonly record?: GroupRecord;
}

const session = token;

/** What an admin can do to a member or to the group; each becomes an entry of that kind. */
export const ACTIONS = [
  "promote",
  "demote",
  "remove",
  "ban",
  "unban",
  "mute",
  "unmute",
  "topic",
] as const;

/** Longest topic, UTF-16 units. */
const MAX_TOPIC = 256;
/** Longest time of a mute or an invite, ms: ten years. */
const MAX_FOR = 315_576_000_000;
const duration = v.pipe(count, v.minValue(1), v.maxValue(MAX_FOR));

/** Requests to a registry. */
export const REGISTRY_OPS = {
  ping: v.object({}),
  register: v.object({ record: recordSchema }),
  unregister: v.object({ group: id, version: count, sig }),
  list: v.object({
    prefix: v.optional(v.pipe(v.string(), v.maxLength(128)), ""),
    after: v.optional(v.pipe(v.string(), v.maxLength(128)), ""),
    limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(MAX_LIST)), MAX_LIST),
    user: v.optional(id),
  }),
  resolve: v.object({ group: v.pipe(v.string(), v.maxLength(260)) }),
} as const;

/** Requests to the door of an encrypted group: the only socket open to unknown CURVE keys. */
export const DOOR_OPS = {
  ping: v.object({}),
  enter: v.object({ key, name, curve: curveKey, invite: v.optional(token), sig }),
} as const;

/** Requests to a group. */
export const GROUP_OPS = {
  hello: v.object({ key, name }),
  prove: v.object({ sig }),
  ping: v.object({ session: v.optional(session) }),
  join: v.object({ session, curve: v.optional(curveKey) }),
  leave: v.object({ session }),
  send: v.object({ session, messages, sig: v.optional(sig) }),
  read: v.object({
    session,
    after: v.optional(count),
    before: v.optional(count),
    since: v.optional(time),
    until: v.optional(time),
    limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(MAX_READ)), MAX_READ),
    last: v.optional(v.boolean(), false),
  }),
  members: v.object({ session, after: v.optional(v.string(), "") }),
  subscribe: v.object({ session }),
  typing: v.object({ session }),
  invite: v.object({
    session,
    uses: v.optional(v.pipe(count, v.minValue(1), v.maxValue(1_000_000)), 1),
    for: v.optional(duration, 604_800_000),
    role: v.optional(role, "member"),
  }),
  act: v.object({
    session,
    action: v.picklist(ACTIONS),
    user: v.optional(v.pipe(v.string(), v.maxLength(80))),
    role: v.optional(role),
    for: v.optional(duration),
    topic: v.optional(v.pipe(v.string(), v.maxLength(MAX_TOPIC))),
  }),
} as const;

/** A table of ops. */
export type Ops = Readonly<Record<string, v.GenericSchema>>;

/** A checked request of a table: its id, its op, and the op's fields. */
export type RequestOf<T extends Ops> = {
  [K in keyof T & string]: { readonly id: number; readonly op: K } & v.InferOutput<T[K]>;
}[keyof T & string];

/** A request a registry understands. */
export type RegistryRequest = RequestOf<typeof REGISTRY_OPS>;
/** A request a door understands. */
export type DoorRequest = RequestOf<typeof DOOR_OPS>;
/** A request a group understands. */
export type GroupRequest = RequestOf<typeof GROUP_OPS>;
