/** Invites: random tokens, stored as hashes, single- or N-use, expiring, revocable. Pure. */

import { Refusal } from "../../errors.ts";
import { sha256 } from "../../identity/keys.ts";
import { counted } from "../../text/counted.ts";
import { atLeast, type Member, type Role } from "../members.ts";
import type { Changes, GroupState } from "../state.ts";
import { type Invite, inviteName, type Values } from "../values.ts";
import { type Decide, requireMember } from "./decision.ts";

/** Invites of one group that may be open at once; at so many, members make no more. */
const [MAX_INVITES, MAX_OF_MEMBERS] = [10_000, 9_000];
/** Those of one maker. */
const SHARES: Readonly<Record<Role, number>> = {
  founder: MAX_INVITES,
  admin: 500,
  member: 50,
  reader: 0,
};
/** Expired ones that a new one sweeps out, unless it needs the room of more. */
const SWEEP = 100;

function nameOf(token: string): string {
  return inviteName(sha256(token));
}

/**
 * The value that makes an invite of the request's token; no entry tells of it. A token that its maker
 * has used for an open invite stands for that one.
 *
 * Refuses `forbidden` without the role for it or beyond the maker's share, `bad_request` for
 * another's token, and `busy` when there are too many.
 */
export const decideInvite: Decide<"invite"> = (state, request, _, now) => {
  const { actor, drawn, token = drawn, uses, role } = request;
  const maker = requireMember(state, actor.user);
  if (!mayInvite(state, maker, role)) {
    throw new Refusal("forbidden", `Cannot invite to "${state.name}": ${whoMay(state, role)}`);
  }
  const same = state.values.invite(nameOf(token));
  if (same && same.expires > now) {
    if (same.by !== actor.user) {
      throw new Refusal("bad_request", "Cannot invite: the token is in use, draw another");
    }
    return { drafts: [], reply: () => ({ token, expires: same.expires }) };
  }
  const most = maker.role === "member" ? MAX_OF_MEMBERS : MAX_INVITES;
  const needed = state.values.invites - most + 1;
  const dead = forRoom(state.values, needed, now);
  requireShare(state, maker, now);
  if (dead.length < needed) {
    throw new Refusal(
      "busy",
      `Cannot invite: ${counted(most, "invite")} are open; revoke some, or try again later`,
    );
  }
  const expires = now + request.for;
  const invite: Invite = { uses, expires, role, by: actor.user };
  return {
    drafts: [],
    values: { ...removed(dead), [nameOf(token)]: JSON.stringify(invite) },
    reply: () => ({ token, expires }),
  };
};

/** Invites that go to make room for another: expired ones, and where they are too few revoked ones. */
function forRoom(values: Values, needed: number, now: number): readonly string[] {
  const expired = values.expiredInvites(now, Math.max(SWEEP, needed));
  if (expired.length >= needed) return expired;
  return [...new Set([...expired, ...values.revokedInvites])].slice(0, Math.max(SWEEP, needed));
}

/**
 * Ends one open invite, or all of them; what came of it before does not change. Where there is none
 * any more nothing is done, so that it may be repeated.
 */
export const decideRevoke: Decide<"revoke"> = (state, { invite: id }, _, now) => {
  const all = id === "all" ? [...openInvites(state, now, "")].map(([id]) => id) : [id];
  const open = all.flatMap((id): [string, Invite][] => {
    const invite = state.values.invite(inviteName(id));
    return invite && !isDead(state, invite, now) ? [[inviteName(id), invite]] : [];
  });
  return {
    drafts: [],
    values: Object.fromEntries(open.map(([name, invite]) => [name, JSON.stringify(ended(invite))])),
    reply: () => ({ revoked: open.length }),
  };
};

/** A revoked invite lets nobody in, at a former version of a group neither. */
function ended({ role, by, expires }: Invite): Invite {
  return { uses: 0, expires: 0, role, by, revoked: expires };
}

/** Invites that count, by the hash of their token, after one. */
export function* openInvites(
  state: GroupState,
  now: number,
  after: string,
): Generator<readonly [id: string, invite: Invite]> {
  for (const found of state.values.invitesAfter(after)) {
    if (!isDead(state, found[1], now)) yield found;
  }
}

function requireShare({ values }: GroupState, maker: Member, now: number): void {
  const share = SHARES[maker.role];
  const own = values.invitesOf(maker.user);
  if (
    own.size < share || [...own].filter((name) => values.invite(name)!.expires > now).length < share
  ) return;
  const message = `Cannot invite: ${share} of your invites are open, which is your share; wait ` +
    "until some are used or expire, ask an admin to revoke some, or let more use one";
  throw new Refusal("forbidden", message);
}

function mayInvite(state: GroupState, by: Pick<Member, "role">, role: Role): boolean {
  const needed = state.access === "private" ? "admin" : "member";
  return atLeast(by.role, needed) && (role !== "admin" || by.role === "founder");
}

/** Who may make such an invite, for one who may not. */
function whoMay({ access }: GroupState, role: Role): string {
  if (role === "admin") return "only its founder invites admins";
  return access === "private" ? "it is private, and only admins may" : "readers may not";
}

function isDead(state: GroupState, { by, role, expires }: Invite, now: number): boolean {
  const maker = state.members.get(by);
  return expires <= now || !maker || !mayInvite(state, maker, role);
}

/** What a token gives now; it counts as long as its maker may invite. @throws {Refusal} `bad_invite` */
export function openInvite(state: GroupState, token: string, now: number): Invite {
  const invite = state.values.invite(nameOf(token));
  if (invite?.revoked !== undefined) {
    throw new Refusal("bad_invite", "Cannot enter: that invite was revoked; ask for another one");
  }
  if (!invite || isDead(state, invite, now)) {
    const why = "the invite is unknown, used up or expired; ask for another one";
    throw new Refusal("bad_invite", `Cannot enter: ${why}`);
  }
  return invite;
}

/** The values after one use of a token. */
export function useInvite(state: GroupState, token: string, now: number): Changes {
  const invite = openInvite(state, token, now);
  const uses = invite.uses - 1;
  return { [nameOf(token)]: uses > 0 ? JSON.stringify({ ...invite, uses }) : undefined };
}

/** The values without the invites of a maker that count no more once it has the role, or is gone. */
export function withoutInvites(state: GroupState, user: string, role: Role | undefined): Changes {
  const { values } = state;
  const own = [...values.invitesOf(user)];
  return removed(
    own.filter((name) =>
      role === undefined || !mayInvite(state, { role }, values.invite(name)!.role)
    ),
  );
}

/** The values without all invites that count no more. */
export function withoutDeadInvites(state: GroupState, now: number): Changes {
  const names = [...state.values.keys()].filter((name) => {
    const invite = state.values.invite(name);
    return invite !== undefined && isDead(state, invite, now) && (invite.revoked ?? 0) <= now;
  });
  return removed(names);
}

function removed(names: readonly string[]): Changes {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}
