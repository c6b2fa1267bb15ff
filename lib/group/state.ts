/**
 * A group's state: the fold of its log. Pure: no clock, no randomness, no I/O.
 *
 * `decide` turns a request into drafts or throws a refusal; `apply` folds a batch. The server
 * decides and applies requests one after the other in the order of their arrival.
 */

import { Refusal } from "../errors.ts";
import { type Batch, messageHash } from "../protocol/batch.ts";
import type { Message } from "../protocol/schema.ts";
import { MID_AHEAD } from "../protocol/limits.ts";
import { midTime } from "../identity/ids.ts";
import type { Members } from "./members.ts";
import { banKey, muteKey, readerKey, type Values } from "./values.ts";

/** What a member may do; each may do what the one after it may. Stored: do not rename. */
export type Role = "founder" | "admin" | "member" | "reader";

/** A member as the log leaves it. */
export interface Member {
  readonly user: string;
  readonly name: string;
  readonly role: Role;
  /** Absent for a claimed id of a dialect. */
  readonly key?: string;
  /** `seq` of the entry by which it joined. */
  readonly since: number;
}

/** Everything a group knows besides the log itself. */
export interface GroupState {
  readonly id: string;
  readonly name: string;
  /** User id that becomes founder when it joins; empty when nobody does. */
  readonly founder: string;
  /** Whether anyone may join, or only who is invited. */
  readonly access: "open" | "private";
  readonly members: Members;
  head: number;
  /** Time of the newest entry, ms. */
  at: number;
  /**
   * Greatest mid of members: a greater one cannot be a duplicate. Empty for a member without one;
   * where a member is absent, the log must be asked before its messages are decided on.
   */
  readonly lastMid: Map<string, string>;
  readonly values: Values;
}

/** Who asks: proved by a key, or claimed in a dialect. */
export interface Actor {
  readonly user: string;
  readonly name: string;
  readonly key?: string;
}

/** A batch that has no place in the log yet. */
export type Draft = Omit<Batch, "first" | "at" | "hash">;

/** Where messages stand: `count` of them from seq `from` on, in the order of the request. */
export interface Run {
  readonly from: number;
  readonly count: number;
  readonly at: number;
  readonly duplicate?: true;
}

/** @throws {Refusal} `not_member` */
export function requireMember(state: GroupState, user: string): Member {
  const member = state.members.get(user);
  if (!member) {
    throw new Refusal(
      "not_member",
      `Cannot do that in "${state.name}": you are not a member, join it first`,
    );
  }
  return member;
}

/**
 * The entry that lets the actor in; undefined when it is a member already under this name.
 *
 * @param invited the role that an invite gives
 * @throws {Refusal} `banned`; `forbidden` in a private group without an invite
 */
export function decideJoin(
  state: GroupState,
  actor: Actor,
  invited?: Role,
): Draft | undefined {
  const known = state.members.get(actor.user);
  requireUnbanned(state, actor.user);
  const founder = actor.user === state.founder;
  if (!known && state.access === "private" && !founder && !invited) {
    throw new Refusal("forbidden", `Cannot join "${state.name}": it is private, ask for an invite`);
  }
  if (known && known.name === actor.name) return undefined;
  const newcomer = state.values.has(readerKey(actor.user)) ? "reader" : invited ?? "member";
  const body = { role: known?.role ?? (founder ? "founder" : newcomer) };
  return { count: 1, kind: "join", author: actor.user, ...who(actor), body };
}

/** @throws {Refusal} `banned` */
function requireUnbanned(state: GroupState, user: string): void {
  if (!state.values.has(banKey(user))) return;
  throw new Refusal("banned", `Cannot enter "${state.name}": you are banned from it`);
}

/** The entry that lets the actor go. @throws {Refusal} `not_member` */
export function decideLeave(state: GroupState, actor: Actor): Draft {
  requireMember(state, actor.user);
  return { count: 1, kind: "leave", author: actor.user, ...who(actor), body: {} };
}

/** What `decideSend` found: drafts to append, and for each message its run. */
export interface SendPlan {
  readonly drafts: readonly Draft[];
  /** In the order of the request: a draft's index, or the place it had already. */
  readonly runs: readonly ({ draft: number } | Run)[];
}

/** The mids of a request that might be in the log already. */
export function suspects(state: GroupState, user: string, messages: readonly Message[]): string[] {
  const last = state.lastMid.get(user);
  if (last === undefined || messages[0][0] > last) return [];
  return messages.filter(([mid]) => mid <= last).map(([mid]) => mid);
}

/**
 * The drafts that put a request's messages into the log, without those that are in it.
 *
 * @param seen places of the {@linkcode suspects} that are in the log already
 * @throws {Refusal} `not_member`, `forbidden`, `bad_request`
 */
export function decideSend(
  state: GroupState,
  actor: Actor,
  messages: readonly Message[],
  sig: string | undefined,
  seen: ReadonlyMap<string, { seq: number; at: number }>,
  now: number,
): SendPlan {
  const member = requireMember(state, actor.user);
  if (member.role === "reader") {
    throw new Refusal("forbidden", `Cannot send to "${state.name}": readers may only read`);
  }
  requireUnmuted(state, actor.user, now);
  // A clock that was set back must not refuse what it would have taken before.
  if (midTime(messages[messages.length - 1][0]) > Math.max(state.at, now) + MID_AHEAD) {
    throw new Refusal(
      "bad_request",
      "Cannot send: the message id lies more than a day ahead of the group's clock; set your clock",
    );
  }
  const author = { author: actor.user, ...who(actor) };
  if (seen.size === 0) {
    const draft: Draft = {
      count: messages.length,
      kind: "message",
      ...author,
      ...(sig ? { sig } : {}),
      messages,
    };
    return { drafts: [draft], runs: [{ draft: 0 }] };
  }
  return planAround(messages, sig, seen, author);
}

function requireUnmuted(state: GroupState, user: string, now: number): void {
  const until = state.values.get(muteKey(user));
  if (until === undefined || (until !== "0" && Number(until) <= now)) return;
  throw new Refusal("muted", `Cannot send to "${state.name}": an admin has muted you`);
}

/** Where a part of a plan stands, once its drafts have become batches. */
export function toRun(run: SendPlan["runs"][number], batches: readonly Batch[]): Run {
  if (!("draft" in run)) return run;
  const { first, count, at } = batches[run.draft];
  return { from: first, count, at };
}

/** Some messages are in the log: each stretch of others becomes a draft of its own. */
function planAround(
  messages: readonly Message[],
  sig: string | undefined,
  seen: ReadonlyMap<string, { seq: number; at: number }>,
  author: { author: string; name: string; key?: string },
): SendPlan {
  const hashes = sig ? messages.map(messageHash) : undefined;
  const drafts: Draft[] = [];
  const runs: ({ draft: number } | Run)[] = [];
  for (let i = 0; i < messages.length;) {
    const place = seen.get(messages[i][0]);
    if (place) {
      runs.push({ from: place.seq, count: 1, at: place.at, duplicate: true });
      i++;
      continue;
    }
    const offset = i;
    while (i < messages.length && !seen.has(messages[i][0])) i++;
    runs.push({ draft: drafts.length });
    drafts.push({
      count: i - offset,
      kind: "message",
      ...author,
      ...(sig && hashes ? { sig, part: { offset, hashes } } : {}),
      messages: messages.slice(offset, i),
    });
  }
  return { drafts, runs };
}

/** Gives a draft its place: the next seqs, and a time that never goes back. */
export function place(state: GroupState, draft: Draft, now: number): Batch {
  return { first: state.head + 1, at: Math.max(state.at, now), ...draft };
}

/** Folds a batch into the state. */
export function apply(state: GroupState, batch: Batch): void {
  state.head = batch.first + batch.count - 1;
  state.at = batch.at;
  const { author, name, key } = batch;
  const body = batch.body ?? {};
  const user = body.user as string;
  switch (batch.kind) {
    case "message": {
      const last = batch.messages![batch.messages!.length - 1][0];
      const before = state.lastMid.get(author);
      if (before === undefined || last > before) state.lastMid.set(author, last);
      return;
    }
    case "join": {
      const since = state.members.get(author)?.since ?? batch.first;
      const role = body.role as Role;
      state.members.set(author, { user: author, name, role, since, ...(key ? { key } : {}) });
      return;
    }
    case "leave":
      state.members.delete(author);
      state.lastMid.delete(author);
      return;
    case "promote":
    case "demote": {
      const member = state.members.get(user);
      if (member) state.members.set(user, { ...member, role: body.role as Role });
      if (body.role === "reader") state.values.set(readerKey(user), "");
      else state.values.delete(readerKey(user));
      return;
    }
    case "ban":
      state.values.set(banKey(user), String(body.name ?? ""));
      state.members.delete(user);
      state.lastMid.delete(user);
      return;
    case "remove":
      state.members.delete(user);
      state.lastMid.delete(user);
      return;
    case "unban":
      state.values.delete(banKey(user));
      return;
    case "mute":
      state.values.set(muteKey(user), String(body.until));
      return;
    case "unmute":
      state.values.delete(muteKey(user));
      return;
    case "topic":
      state.values.set("topic", String(body.topic));
      return;
    case "founded":
      return;
    default:
      throw new Error(`Cannot apply an entry of kind "${batch.kind satisfies never}"`);
  }
}

/** The members (with their greatest mid) and values that {@linkcode apply} may change for a batch. */
export function touched({ kind, author, body }: Batch): {
  readonly users: readonly string[];
  readonly values: readonly string[];
} {
  const user = body?.user as string;
  switch (kind) {
    case "message":
    case "founded":
      return { users: [], values: [] };
    case "join":
    case "leave":
      return { users: [author], values: [] };
    case "topic":
      return { users: [], values: ["topic"] };
    case "ban":
    case "unban":
      return { users: [user], values: [banKey(user)] };
    case "mute":
    case "unmute":
      return { users: [], values: [muteKey(user)] };
    case "promote":
    case "demote":
      return { users: [user], values: [readerKey(user)] };
    default:
      return { users: [user], values: [] };
  }
}

function who({ name, key }: Actor): { name: string; key?: string } {
  return { name, ...(key ? { key } : {}) };
}
