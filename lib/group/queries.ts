/** What is answered at once, without an entry: one function an operation. */

import { Refusal } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { MAX_INVITES_PAGE, MAX_MEMBERS } from "../protocol/limits.ts";
import type { GROUP_REPLIES, ReplyOf } from "../protocol/schema.ts";
import { openInvites } from "./decide/invites.ts";
import type { Feed } from "./feed.ts";
import { atLeast, type Role } from "./members.ts";
import type { Presence } from "./presence.ts";
import { readAll, readPage } from "./reading.ts";
import type { Known, Op, Reply, Request } from "./request.ts";
import type { News } from "./servers.ts";
import type { GroupState } from "./state.ts";

/** What a group lets queries see. */
export interface View {
  readonly state: GroupState;
  readonly log: Log;
  readonly feed: Feed;
  readonly news: News;
  readonly presence: Presence;
  /** Highest seq that is on disk: behind `state.head` while a commit is under way. */
  readonly head: number;
  /** Hash of the history up to it. */
  readonly hash: string;
  /** The group's clock, ms. */
  now(): number;
}

/** Answers a request. @throws {Refusal} */
export type Query<K extends Op, R = Known<K>> = (
  view: View,
  request: R,
) => Reply<K> | Promise<Reply<K>>;

export const prove: Query<"prove"> = ({ state, head, now }, { actor: { user } }) => {
  const member = state.members.get(user);
  return {
    user,
    role: member?.role ?? null,
    epoch: state.epoch,
    head: member ? head : 0,
    at: now(),
  };
};

export const ping: Query<"ping", Request<"ping">> = ({ state, head, hash, now }, { actor }) => {
  const known = state.members.has(actor?.user ?? "") ? { head, hash } : { head: 0 };
  return { epoch: state.epoch, ...known, at: now() };
};

export const read: Query<"read"> = ({ log, state: { epoch }, head }, range) =>
  readPage(log, range, { epoch, head });

export const history: Query<"history"> = async (view, { since, measure }) => {
  const { log, state: { epoch }, head } = view;
  const page = (before: number | undefined) => {
    const range = { since, limit: 1_000, last: true, ...(before ? { before } : {}) };
    return readPage(log, range, { epoch, head });
  };
  return { messages: await readAll(page, measure) };
};

export const members: Query<"members"> = ({ state, presence, now: clock }, { actor, after }) => {
  const { values } = state;
  const [now, at] = [performance.now(), clock()];
  const found = state.members.page(after, MAX_MEMBERS + 1);
  const page = found.slice(0, MAX_MEMBERS).map(({ user, name, role }) => ({
    user,
    name,
    role,
    present: presence.here(user, now),
    ...mutedOf(values.mutedUntil(user, at)),
  }));
  const own = state.members.get(actor.user)?.role ?? "reader";
  const banned = after === "" && atLeast(own, "admin") ? values.banned(MAX_MEMBERS) : undefined;
  return {
    members: page,
    more: found.length > page.length,
    topic: values.get("topic") ?? "",
    ...(banned ? { banned } : {}),
  };
};

function mutedOf(muted: number | undefined): { muted?: number } {
  return muted === undefined ? {} : { muted };
}

export const invites: Query<"invites"> = ({ state, now }, { after }) => {
  const page: ReplyOf<typeof GROUP_REPLIES, "invites">["invites"] = [];
  for (const [id, { by, role, uses, expires }] of openInvites(state, now(), after)) {
    if (page.length === MAX_INVITES_PAGE) return { invites: page, more: true };
    const { name = "" } = state.members.get(by) ?? {};
    // Nobody is invited to be the founder.
    page.push({ id, by, name, role: role as Exclude<Role, "founder">, uses, expires });
  }
  return { invites: page, more: false };
};

export const subscribe: Query<"subscribe"> = (view, { actor, from }) => {
  const { state, head, feed, presence } = view;
  const connection = presence.at(from);
  if (!connection) throw new Refusal("no_session", "Cannot subscribe: the connection is over");
  if ((state.members.get(actor.user)?.since ?? 0) > head) {
    // A full disk would take the join back, and leave a follower who is no member.
    throw new Refusal("busy", "Cannot subscribe: your join is not on disk yet, ask again", {
      retryAfter: 50,
    });
  }
  return { epoch: state.epoch, ...feed.follow(connection), head };
};

export const unsubscribe: Query<"unsubscribe"> = ({ feed, presence }, { from }) => {
  const connection = presence.at(from);
  if (connection) feed.unfollow(connection);
  return {};
};

export const typing: Query<"typing"> = ({ feed, news }, { actor }) => {
  if (feed.typing(actor.user, actor.name)) news.typing(actor.user, actor.name);
  return {};
};
