/** Who may do what to whom. Pure; the table is the policy. */

import { Refusal } from "../errors.ts";
import type { ACTIONS } from "../protocol/batch.ts";
import type { Actor, Draft, GroupState, Member, Role } from "./state.ts";
import { banKey, muteKey } from "./values.ts";

/** Something an admin does. */
export interface Act {
  readonly action: typeof ACTIONS[number];
  readonly user?: string;
  readonly role?: Exclude<Role, "founder">;
  /** How long a mute lasts, ms; absent: until it is taken back. */
  readonly for?: number;
  readonly topic?: string;
}

const RANK: Readonly<Record<Role, number>> = { reader: 0, member: 1, admin: 2, founder: 3 };

/** True if the first role is at least the second. */
export function atLeast(role: Role, needed: Role): boolean {
  return RANK[role] >= RANK[needed];
}

/**
 * The entry of an action. An admin acts on members of a lower role, and gives roles below its own.
 *
 * @throws {Refusal} `forbidden`, `not_found`, `bad_request`
 */
export function decideAct(state: GroupState, actor: Actor, act: Act, now: number): Draft {
  const own = state.members.get(actor.user);
  if (!own || !atLeast(own.role, "admin")) {
    throw new Refusal("forbidden", `Cannot ${act.action} in "${state.name}": only admins may`);
  }
  return {
    count: 1,
    kind: act.action,
    author: actor.user,
    name: actor.name,
    ...(actor.key ? { key: actor.key } : {}),
    body: bodyOf(state, own, act, now),
  };
}

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
  if (up ? RANK[next] <= RANK[member.role] : RANK[next] >= RANK[member.role]) {
    const message = `Cannot ${action}: the member is ${member.role} now, ${next} is not ` +
      (up ? "higher" : "lower");
    throw new Refusal("bad_request", message);
  }
  if (RANK[next] >= RANK[own.role]) {
    throw new Refusal("forbidden", `Cannot ${action}: only a role below your own can be given`);
  }
  return next;
}

function below(state: GroupState, own: Member, action: string, user: string): Member {
  const member = state.members.get(user);
  if (!member) throw noSuch(action, "member");
  if (RANK[member.role] >= RANK[own.role]) {
    throw new Refusal("forbidden", `Cannot ${action}: that member's role is not below yours`);
  }
  return member;
}

function noSuch(action: string, what: string): Refusal {
  return new Refusal("not_found", `Cannot ${action}: no such ${what}`);
}
