/** Invites: random tokens, stored as hashes, single- or N-use, expiring. Pure. */

import { Refusal } from "../../errors.ts";
import { sha256 } from "../../identity/keys.ts";
import { atLeast, type Member, type Role } from "../members.ts";
import type { Changes, GroupState } from "../state.ts";
import { inviteName } from "../values.ts";
import { type Decide, requireMember } from "./decision.ts";

/** What is kept of an invite. */
interface Invite {
  readonly uses: number;
  /** ms since 1970. */
  readonly expires: number;
  readonly role: Role;
  readonly by: string;
}

/** Invites of one group that may be open at once. */
const MAX_INVITES = 10_000;
/** Expired ones that a new one sweeps out at most. */
const SWEEP = 100;

function nameOf(token: string): string {
  return inviteName(sha256(token));
}

/**
 * The value that makes an invite of the request's token; no entry tells of it.
 *
 * Refuses `forbidden` without the role for it, and `busy` when there are too many.
 */
export const decideInvite: Decide<"invite"> = (state, request, _, now) => {
  const { actor, token, uses, role } = request;
  if (!mayInvite(state, requireMember(state, actor.user), role)) {
    throw new Refusal("forbidden", `Cannot invite to "${state.name}": your role does not allow it`);
  }
  const dead = state.values.expiredInvites(now, SWEEP);
  if (state.values.invites - dead.length >= MAX_INVITES) {
    throw new Refusal("busy", `Cannot invite: ${MAX_INVITES} invites are open`);
  }
  const expires = now + request.for;
  const invite: Invite = { uses, expires, role, by: actor.user };
  const swept = Object.fromEntries(dead.map((name) => [name, undefined]));
  return {
    drafts: [],
    values: { ...swept, [nameOf(token)]: JSON.stringify(invite) },
    reply: () => ({ token, expires }),
  };
};

function mayInvite(state: GroupState, by: Member, role: Role): boolean {
  const needed = state.access === "private" ? "admin" : "member";
  return atLeast(by.role, needed) && (role !== "admin" || by.role === "founder");
}

/** What a token gives now; it counts as long as its maker may invite. @throws {Refusal} `bad_invite` */
export function openInvite(state: GroupState, token: string, now: number): Invite {
  const text = state.values.get(nameOf(token));
  const invite = text === undefined ? undefined : JSON.parse(text) as Invite;
  const maker = invite && state.members.get(invite.by);
  const good = invite && invite.expires > now && invite.uses > 0 && maker &&
    mayInvite(state, maker, invite.role);
  if (!good) {
    throw new Refusal("bad_invite", "Cannot enter: the invite is unknown, used up or expired");
  }
  return invite;
}

/** The values after one use of a token. */
export function useInvite(state: GroupState, token: string, now: number): Changes {
  const invite = openInvite(state, token, now);
  const uses = invite.uses - 1;
  return { [nameOf(token)]: uses > 0 ? JSON.stringify({ ...invite, uses }) : undefined };
}
