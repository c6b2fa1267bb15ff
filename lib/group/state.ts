/**
 * A group's state: the fold of its log. Pure: no clock, no randomness, no I/O. What is decided on it
 * is in `decide/`; {@linkcode apply} folds what was decided.
 */

import type { Batch } from "../protocol/batch.ts";
import type { Members, Role } from "./members.ts";
import { banKey, leftAdminKey, muteKey, readerKey, type Values } from "./values.ts";

/** Everything a group knows besides the log itself. */
export interface GroupState {
  readonly id: string;
  readonly name: string;
  /** Random id of the log, UUID. */
  readonly epoch: string;
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

/** Changes of named values; undefined removes one. */
export type Changes = Readonly<Record<string, string | undefined>>;

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
      state.values.delete(leftAdminKey(author));
      return;
    }
    case "rename": {
      const member = state.members.get(author);
      if (member) state.members.set(author, { ...member, name });
      return;
    }
    case "leave":
      if (state.members.get(author)?.role === "admin") state.values.set(leftAdminKey(author), "");
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
      state.values.delete(leftAdminKey(user));
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
      return { users: [author], values: [leftAdminKey(author)] };
    case "rename":
      return { users: [author], values: [] };
    case "topic":
      return { users: [], values: ["topic"] };
    case "ban":
    case "unban":
      return { users: [user], values: [banKey(user), leftAdminKey(user)] };
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

/** How to put back what {@linkcode apply} is about to change for a batch. */
export function remember(state: GroupState, batch: Batch): () => void {
  const { head, at, members, lastMid } = state;
  const { users, values } = touched(batch);
  const steps = [
    restorer(lastMid, batch.author),
    ...users.flatMap((user) => [restorer(members, user), restorer(lastMid, user)]),
    ...values.map((name) => restorer(state.values, name)),
  ];
  return () => {
    state.head = head;
    state.at = at;
    for (const step of steps) step();
  };
}

/** Changes named values; answers how to put back what they were. */
export function change({ values }: GroupState, changes: Changes): () => void {
  const steps = Object.keys(changes).map((name) => restorer(values, name));
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) values.delete(name);
    else values.set(name, value);
  }
  return () => steps.forEach((step) => step());
}

function restorer<V>(map: Map<string, V>, key: string): () => void {
  const value = map.get(key);
  return () => {
    if (value === undefined) map.delete(key);
    else map.set(key, value);
  };
}
