/**
 * THE table of requests: every op, its fields, its reply, and what each must be. PROTOCOL.md is its
 * twin.
 *
 * Unknown fields are ignored, so that versions can differ. Field names and op names are wire
 * format: add, never rename or reuse.
 */

import * as v from "valibot";
import { batchProblem } from "./batch_schema.ts";
import {
  access,
  address,
  called,
  count,
  date,
  id,
  inviteId,
  key,
  listOf,
  messages,
  mid,
  name,
  role,
  sig,
  text,
  ticket,
  time,
  token,
  user,
} from "./fields.ts";
import { ACTIONS, type Batch } from "./batch.ts";
import {
  MAX_INVITES_PAGE,
  MAX_LIST,
  MAX_MEMBERS,
  MAX_MESSAGES,
  MAX_READ,
  MAX_SERVERS,
} from "./limits.ts";

export { type Message, messagesProblem } from "./fields.ts";

/** A group's signed entry in a registry. All fields are covered by `sig`. */
export interface GroupRecord {
  id: string;
  name: string;
  /** Whether anyone may join, or only who is invited. */
  access: "open" | "private";
  /** `host:port`. */
  address: string;
  key: string;
  nonce: string;
  /** Grows with each record; never ahead of the date by more than clocks differ. */
  version: number;
  /** ms since 1970. */
  expires: number;
  /** Which of the group's servers it is, a token of its own at each start; absent for the only one. */
  server?: string;
  sig: string;
}

/** See {@linkcode GroupRecord}, whose type is written out so that declarations can be made. */
const recordSchema = v.object({
  id,
  name,
  access,
  address,
  key,
  nonce: token,
  version: count,
  expires: time,
  server: v.optional(token),
  sig,
}) satisfies v.GenericSchema<unknown, GroupRecord>;

/** True if every field is there and well-formed; says nothing of the signature. */
export function isRecord(value: unknown): value is GroupRecord {
  return v.is(recordSchema, value);
}

/** One server of a group, as a registry has it. */
export interface ListedServer {
  readonly address: string;
  readonly state: "live" | "quiet";
  readonly record: GroupRecord;
}

/** What a registry says of one group: of a server of it, a live one where there is one. */
export interface Listing {
  readonly name: string;
  readonly address: string;
  readonly state: "live" | "quiet";
  /** Absent for a group of dialect 002, which has no key and proves nothing. */
  readonly record?: GroupRecord;
  /** The group's other servers, where it has several. */
  readonly servers?: ListedServer[];
}

const leaseState = v.picklist(["live", "quiet"]);
const listing = v.object({
  name,
  address,
  state: leaseState,
  record: v.optional(recordSchema),
  servers: v.optional(
    listOf(v.object({ address, state: leaseState, record: recordSchema }), MAX_SERVERS - 1),
  ),
});

/** Longest topic, UTF-16 units. */
const MAX_TOPIC = 256;
/** Longest time of a mute, ms: ten years. */
const MAX_MUTE = 315_576_000_000;
/** Longest life of an invite, ms: a year. */
const MAX_INVITE = 31_557_600_000;

/** A time of at least a ms, ms. */
function duration(most: number) {
  return v.pipe(
    count,
    v.minValue(1),
    v.maxValue(most, `expected at most ${Math.floor(most / 86_400_000)} days`),
  );
}

/** Requests to a registry. */
export const REGISTRY_OPS = {
  ping: v.object({}),
  register: v.object({ record: recordSchema, plain: v.optional(v.boolean(), false) }),
  unregister: v.object({ group: id, version: count, server: v.optional(token), sig }),
  list: v.object({
    prefix: v.optional(v.pipe(v.string(), v.maxLength(128)), ""),
    after: v.optional(v.pipe(v.string(), v.maxLength(128)), ""),
    limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(MAX_LIST)), MAX_LIST),
  }),
  resolve: v.object({ group: v.pipe(v.string(), v.maxLength(260)) }),
} as const;

/** What a registry answers to each. */
export const REGISTRY_REPLIES = {
  ping: v.object({ at: time }),
  register: v.object({ from: v.optional(text(80)), reached: v.optional(v.boolean()) }),
  unregister: v.object({}),
  list: v.object({ groups: listOf(listing, MAX_LIST), more: v.boolean() }),
  resolve: v.object({ group: listing }),
} as const;

/** Requests to a group. All but the first two need a proof on the connection. */
export const GROUP_OPS = {
  prove: v.object({ key, name, sig }),
  ping: v.object({}),
  join: v.object({ invite: v.optional(token) }),
  leave: v.object({}),
  send: v.object({ messages, sig: v.optional(sig), after: v.optional(mid) }),
  read: v.object({
    after: v.optional(count),
    before: v.optional(count),
    since: v.optional(time),
    until: v.optional(time),
    limit: v.optional(v.pipe(count, v.minValue(1), v.maxValue(MAX_READ)), MAX_READ),
    last: v.optional(v.boolean(), false),
  }),
  members: v.object({ after: v.optional(text(80), "") }),
  subscribe: v.object({}),
  unsubscribe: v.object({}),
  typing: v.object({}),
  invite: v.object({
    uses: v.optional(v.pipe(count, v.minValue(1), v.maxValue(1_000_000)), 1),
    for: v.optional(duration(MAX_INVITE), 604_800_000),
    role: v.optional(role, "member"),
    token: v.optional(token),
  }),
  invites: v.object({ after: v.optional(text(80), "") }),
  revoke: v.object({ invite: v.union([inviteId, v.literal("all")]) }),
  act: v.object({
    action: v.picklist(ACTIONS),
    user: v.optional(user),
    role: v.optional(role),
    for: v.optional(duration(MAX_MUTE)),
    topic: v.optional(text(MAX_TOPIC)),
  }),
} as const;

const roleNow = v.picklist(["founder", "admin", "member", "reader"]);
const batch = v.pipe(
  v.custom<Batch>(() => true),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const problem = batchProblem(dataset.value);
    if (problem) addIssue({ message: problem });
  }),
);
const batches = listOf(batch, MAX_READ);
const run = v.object({
  from: count,
  count: v.pipe(count, v.minValue(1), v.maxValue(MAX_MESSAGES)),
  at: time,
  duplicate: v.optional(v.boolean()),
});

/** What a group answers to each. */
export const GROUP_REPLIES = {
  prove: v.object({
    user: id,
    role: v.nullable(roleNow),
    epoch: id,
    head: count,
    at: time,
    ticket: v.optional(ticket),
    servers: v.optional(listOf(address, MAX_SERVERS)),
  }),
  ping: v.object({
    epoch: id,
    head: count,
    hash: v.optional(key),
    at: time,
    servers: v.optional(listOf(address, MAX_SERVERS)),
  }),
  join: v.object({ epoch: id, head: count, role: roleNow }),
  leave: v.object({}),
  send: v.object({ epoch: id, accepted: listOf(run, MAX_MESSAGES) }),
  read: v.object({ epoch: id, head: count, tail: count, more: v.boolean(), batches }),
  members: v.object({
    members: listOf(
      v.object({
        user,
        name: called,
        role: roleNow,
        present: v.boolean(),
        muted: v.optional(time),
      }),
      MAX_MEMBERS,
    ),
    more: v.boolean(),
    topic: text(MAX_TOPIC),
    banned: v.optional(listOf(v.object({ user, name: called }), MAX_MEMBERS)),
  }),
  subscribe: v.object({ epoch: id, generation: count, key, head: count }),
  unsubscribe: v.object({}),
  typing: v.object({}),
  invite: v.object({ token, expires: date, record: recordSchema }),
  invites: v.object({
    invites: listOf(
      v.object({ id: inviteId, by: user, name: called, role, uses: count, expires: date }),
      MAX_INVITES_PAGE,
    ),
    more: v.boolean(),
  }),
  revoke: v.object({ revoked: count }),
  act: v.object({ seq: count }),
} as const;

/** Most users that one `meet` tells of in each list. */
export const MAX_MEET = 1_000;

const users = listOf(user, MAX_MEET);
const anyObject = v.custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  "expected an object",
);

/** Requests of one server of a group to another; of who proved the group's own key alone. */
export const SERVER_OPS = {
  head: v.object({}),
  follow: v.object({}),
  hand: v.object({
    request: anyObject,
    actor: v.object({ user, name: called, key: v.optional(key) }),
    from: text(80),
    size: count,
  }),
  meet: v.object({ address, came: users, left: users }),
} as const;

/** What the holder answers to each. */
export const SERVER_REPLIES = {
  head: v.object({ epoch: id, head: count, hash: key }),
  follow: v.object({ epoch: id, head: count }),
  hand: v.object({ head: count, reply: anyObject }),
  meet: v.object({ servers: listOf(address, MAX_SERVERS), came: users, left: users }),
} as const;

/** What a frame of the live feed says. */
export const FEED = v.object({
  epoch: id,
  head: v.optional(count),
  from: v.optional(count),
  batches: v.optional(batches),
  typing: v.optional(v.object({ user, name: called })),
});

/** What a group says unasked, by `push`: to members the key of its feed, to its servers what is new. */
export const PUSHES = {
  feed: v.object({ generation: count, key }),
  news: FEED,
} as const;

/** A checked frame of the live feed. */
export type FeedFrame = v.InferOutput<typeof FEED>;
/** A checked push to a member. */
export type Push = { readonly push: "feed" } & FeedKey;
/** A checked push to a server of the group. */
export type ServerPush = { readonly push: "news" } & FeedFrame;
/** The key of a generation of the live feed, as a push or the reply to `subscribe` gives it. */
export type FeedKey = v.InferOutput<typeof PUSHES.feed>;
/** A checked page of the log, as `read` answers it. */
export type Page = v.InferOutput<typeof GROUP_REPLIES.read>;

/** The reply to an op of a table of replies. */
export type ReplyOf<T extends Ops, K extends keyof T> = v.InferOutput<T[K]>;

/** A table of ops. */
export type Ops = Readonly<Record<string, v.GenericSchema>>;

/** A checked request of a table: its id, its op, and the op's fields. */
export type RequestOf<T extends Ops> = {
  [K in keyof T & string]: { readonly id: number; readonly op: K } & v.InferOutput<T[K]>;
}[keyof T & string];

/** A request a registry understands. */
export type RegistryRequest = RequestOf<typeof REGISTRY_OPS>;
/** A request of one server of a group to another. */
export type ServerRequest = RequestOf<typeof SERVER_OPS>;
/** A request a group understands. */
export type GroupRequest = RequestOf<typeof GROUP_OPS>;
