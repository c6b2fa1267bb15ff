/** Who comes and who goes. Pure. */

import { Refusal } from "../../errors.ts";
import type { Role } from "../members.ts";
import type { GroupState } from "../state.ts";
import { banKey, readerKey } from "../values.ts";
import { authorOf, type Decide } from "./decision.ts";
import { openInvite, useInvite, withoutInvites } from "./invites.ts";

/**
 * The entry that lets the actor in, or gives a member its new name; none where it is a member already
 * under this name.
 *
 * Refuses `bad_invite`, `banned`, and `forbidden` in a private group without an invite.
 */
export const decideJoin: Decide<"join"> = (state, { actor, invite }, _, now) => {
  const { epoch, founder } = state;
  const known = state.members.get(actor.user);
  // A member who comes with an invite lost the answer to its first try.
  const token = known ? undefined : invite;
  const invited = token === undefined ? undefined : openInvite(state, token, now).role;
  // Nobody is above the founder: a ban in an old log does not keep it out.
  if (state.values.has(banKey(actor.user)) && actor.user !== founder) {
    throw new Refusal(
      "banned",
      `Cannot enter "${state.name}": you are banned from it, until an admin lifts that`,
    );
  }
  const role = known?.role ?? newcomersRole(state, actor.user, invited);
  const { head } = state;
  if (known?.name === actor.name) return { drafts: [], reply: () => ({ epoch, head, role }) };
  const entry = known
    ? { kind: "rename", body: { before: known.name } } as const
    : { kind: "join", body: { role } } as const;
  return {
    drafts: [{ count: 1, ...authorOf(actor), ...entry }],
    values: token === undefined ? {} : useInvite(state, token, now),
    reply: ([{ first }]) => ({ epoch, head: first, role }),
  };
};

function newcomersRole(state: GroupState, user: string, invited: Role | undefined): Role {
  if (user === state.founder) return "founder";
  if (state.access === "private" && !invited) {
    throw new Refusal(
      "forbidden",
      `Cannot join "${state.name}": it is private; ask one of its admins for an invite`,
    );
  }
  return state.values.has(readerKey(user)) ? "reader" : invited ?? "member";
}

/** The entry that lets the actor go; its invites go with it. */
export const decideLeave: Decide<"leave"> = (state, { actor }) => ({
  drafts: [{ count: 1, kind: "leave", ...authorOf(actor), body: {} }],
  values: withoutInvites(state, actor.user, undefined),
  reply: () => ({}),
});
