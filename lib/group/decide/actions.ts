/** What admins do to members and to the group. Pure; the table is the policy. */

import { Refusal } from "../../errors.ts";
import { compareRoles, type Member, type Role } from "../members.ts";
import type { Known } from "../request.ts";
import type { GroupState } from "../state.ts";
import { banKey, muteKey } from "../values.ts";
import { authorOf, type Decide, requireMember } from "./decision.ts";

type Act = Known<"act">;

/**
 * The entry of an action. An admin acts on members of a lower role, and gives roles below its own.
 *
 * Refuses `forbidden`, `not_found`, `bad_request`.
 */
export const decideAct: Decide<"act"> = (state, act, _, now) => {
  const body = bodyOf(state, requireMember(state, act.actor.user), act, now);
  return {
    drafts: [{ count: 1, kind: act.action, ...authorOf(act.actor), body }],
    reply: ([placed]) => ({ seq: placed.first }),
  };
};

function bodyOf(state: GroupState, own: Member, act: Act, now: number): Record<string, unknown> {
  const { action } = act;
  if (action === "topic") return { topic: act.topic ?? "" };
  const user = act.user;
  if (!user) throw new Refusal("bad_request", `Cannot ${action}: say whom, "user" is missing`);
  switch (action) {
    case "unban":
      if (!state.values.has(banKey(user))) throw noSuch(action, "banned user");
      return { user };
    case "unmute":
      if (!state.values.has(muteKey(user))) throw noSuch(action, "muted user");
      return { user };
    case "ban": {
      const member = state.members.has(user) ? below(state, own, action, user) : undefined;
      return { user, ...(member ? { name: member.name } : {}) };
    }
    case "remove":
      return { user, name: below(state, own, action, user).name };
    case "mute":
      return {
        user,
        name: below(state, own, action, user).name,
        until: act.for === undefined ? 0 : now + act.for,
      };
    case "promote":
    case "demote": {
      const member = below(state, own, action, user);
      return { user, name: member.name, role: newRole(own, member, act) };
    }
    default:
      throw new Error(`Cannot decide ${action satisfies never}`);
  }
}

function newRole(own: Member, member: Member, { action, role }: Act): Role {
  const up = action === "promote";
  const next = role ??
    (up
      ? (member.role === "reader" ? "member" : "admin")
      : (member.role === "admin" ? "member" : "reader"));
  if (up ? compareRoles(next, member.role) <= 0 : compareRoles(next, member.role) >= 0) {
    const message = `Cannot ${action}: the member is ${member.role} now, ${next} is not ` +
      (up ? "higher" : "lower");
    throw new Refusal("bad_request", message);
  }
  if (compareRoles(next, own.role) >= 0) {
    throw new Refusal("forbidden", `Cannot ${action}: only a role below your own can be given`);
  }
  return next;
}

function below(state: GroupState, own: Member, action: string, user: string): Member {
  const member = state.members.get(user);
  if (!member) throw noSuch(action, "member");
  if (compareRoles(member.role, own.role) >= 0) {
    throw new Refusal("forbidden", `Cannot ${action}: that member's role is not below yours`);
  }
  return member;
}

function noSuch(action: string, what: string): Refusal {
  return new Refusal("not_found", `Cannot ${action}: no such ${what}`);
}
