/**
 * What admins do to members and to the group. Pure; the table is the policy.
 *
 * Every action names what is to be afterwards, so that it may be repeated when its answer was lost:
 * where it is so already, there is no second entry.
 */

import { Refusal } from "../../errors.ts";
import { compareRoles, type Member, type Role } from "../members.ts";
import type { Known } from "../request.ts";
import type { Changes, GroupState } from "../state.ts";
import { banKey, leftAdminKey, muteKey } from "../values.ts";
import { authorOf, type Decide, requireMember } from "./decision.ts";
import { withoutInvites } from "./invites.ts";

type Act = Known<"act">;

/** What an action comes to: what its entry says, and which values change with it. */
interface Effect {
  readonly body: Readonly<Record<string, unknown>>;
  readonly values?: Changes;
}

/** A mute that ends so close to the one that there is was asked for twice, ms. */
const SAME_MUTE = 5_000;

/**
 * The entry of an action, or none where it is so already. An admin acts on users of a lower role, who
 * are members or not, and gives roles below its own.
 *
 * Refuses `forbidden`, `not_found`, `bad_request`.
 */
export const decideAct: Decide<"act"> = (state, act, _, now) => {
  const { head } = state;
  const effect = effectOf(state, requireMember(state, act.actor.user), act, now);
  if (!effect) return { drafts: [], reply: () => ({ seq: head }) };
  const { body, values = {} } = effect;
  return {
    drafts: [{ count: 1, kind: act.action, ...authorOf(act.actor), body }],
    values,
    reply: ([placed]) => ({ seq: placed.first }),
  };
};

/** Undefined: it is so already. */
function effectOf(state: GroupState, own: Member, act: Act, now: number): Effect | undefined {
  const { action, user } = act;
  const { members, values } = state;
  if (action === "topic") {
    const { topic = "" } = act;
    return topic === (values.get("topic") ?? "") ? undefined : { body: { topic } };
  }
  if (!user) throw new Refusal("bad_request", `Cannot ${action}: say whom, "user" is missing`);
  requireBelow(state, own, action, user);
  const member = members.get(user);
  switch (action) {
    case "unban":
      return values.has(banKey(user)) ? named(user, values.get(banKey(user))) : undefined;
    case "unmute":
      return values.has(muteKey(user)) ? named(user, member?.name) : undefined;
    case "ban":
      if (values.has(banKey(user)) && !member) return undefined;
      return { ...named(user, member?.name), values: withoutInvites(state, user, undefined) };
    case "remove":
      if (!member) return undefined;
      return {
        body: { user, name: member.name },
        values: withoutInvites(state, user, undefined),
      };
    case "mute": {
      const { name } = required(member, action);
      const until = act.for === undefined ? 0 : now + act.for;
      return isMuted(values.get(muteKey(user)), until)
        ? undefined
        : { body: { user, name, until } };
    }
    case "promote":
    case "demote": {
      const { name, role: before } = required(member, action);
      const role = newRole(own, before, act);
      if (role === before) return undefined;
      return { body: { user, name, role }, values: withoutInvites(state, user, role) };
    }
    default:
      throw new Error(`Cannot decide ${action satisfies never}`);
  }
}

/** An effect on somebody, by name where the group knows one. */
function named(user: string, name: string | undefined): Effect {
  return { body: { user, ...(name ? { name } : {}) } };
}

/** Whether a mute that there is stands for one that is asked for. */
function isMuted(there: string | undefined, until: number): boolean {
  if (there === undefined) return false;
  const before = Number(there);
  if (before === 0 || until === 0) return before === until;
  return Math.abs(until - before) <= SAME_MUTE;
}

function newRole(own: Member, before: Role, { action, role }: Act): Role {
  if (role === undefined) {
    const message = `Cannot ${action}: the request does not say to which role, so that it cannot ` +
      `be repeated; say ${action} USER ROLE, or use a newer version`;
    throw new Refusal("bad_request", message);
  }
  const up = action === "promote";
  if (up ? compareRoles(role, before) < 0 : compareRoles(role, before) > 0) {
    const message = `Cannot ${action} to ${role}: that user is ${before} now, and ${role} ` +
      `is not ${up ? "higher" : "lower"}`;
    throw new Refusal("bad_request", message);
  }
  if (compareRoles(role, own.role) >= 0) {
    throw new Refusal(
      "forbidden",
      `Cannot ${action} to ${role}: only a role below your own can be given`,
    );
  }
  return role;
}

/** @throws {Refusal} `forbidden` */
function requireBelow(state: GroupState, own: Member, action: string, user: string): void {
  const role = judgedRole(state, user);
  if (role === undefined || compareRoles(role, own.role) < 0) return;
  throw new Refusal("forbidden", `Cannot ${action}: that user's role is not below yours`);
}

/** A user's role, or that by which it is judged while it is no member; undefined where it had none. */
function judgedRole({ members, values, founder }: GroupState, user: string): Role | undefined {
  if (user === founder) return "founder";
  return members.get(user)?.role ?? (values.has(leftAdminKey(user)) ? "admin" : undefined);
}

function required(member: Member | undefined, action: string): Member {
  if (member) return member;
  throw new Refusal("not_found", `Cannot ${action}: that user is no member; members shows who is`);
}
