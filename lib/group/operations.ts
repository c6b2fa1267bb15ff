/** THE table of a group's operations: who may ask, what it costs, what is logged, who answers. */

import { decideAct } from "./decide/actions.ts";
import { type Decide, requireMember } from "./decide/decision.ts";
import { decideInvite, decideRevoke } from "./decide/invites.ts";
import { decideJoin, decideLeave } from "./decide/membership.ts";
import { decideSend, suspects } from "./decide/messages.ts";
import { Refusal } from "../errors.ts";
import type { Budget } from "./limits.ts";
import { atLeast } from "./members.ts";
import * as query from "./queries.ts";
import type { Known, Op, Request } from "./request.ts";
import type { GroupState } from "./state.ts";

/** What holds for every operation. */
interface Rules<K extends Op> {
  /** Who may ask. `user`: whoever is known, by a proof or by a dialect's claim. */
  readonly who: "anyone" | "user" | "member" | "admin";
  /** The budget that a request is taken from: that of its user, or `unproved`, of its connection. */
  readonly budget: Budget;
  /** What it takes; default 1. */
  readonly cost?: number | ((request: Request<K>) => number);
  /** Logged as `<line> FROM <name>#<short id> (<group>)`. */
  readonly line?: string;
  /** It comes all the time: its line is written at `debug` only. */
  readonly isFrequent?: true;
  /** Answered for each connection one after the other, and only while it takes what it has. */
  readonly paced?: true;
}

/** Answered without an entry. */
export interface Asking<K extends Op> extends Rules<K> {
  readonly query: query.Query<K>;
  /**
   * Where a group has several servers: `fresh`: this one knows all that anybody was told by then;
   * `here`: it has not lost its group; `holder`: it is answered by the one that decides. Absent:
   * nothing of that.
   */
  readonly needs?: "fresh" | "here" | "holder";
}

/** Decided in the one order of the group, and answered when it is on disk. */
interface Changing<K extends Op> extends Rules<K> {
  readonly decide: Decide<K>;
  /** Ids of the actor's messages whose places the decision asks for; lists that are looked up alone. */
  suspects?(state: GroupState, request: Known<K>): readonly (readonly string[])[];
  /** Draws what the decision needs of chance. */
  readonly draws?: true;
}

/** One operation's row. */
export type Operation<K extends Op> = Asking<K> | Changing<K>;

/** All others are told, and a leave gives each of them another key. */
const COMING_AND_GOING = 10;
/** All invites are looked at. */
const ALL_INVITES = 10;

/** THE table. */
export const OPERATIONS: { readonly [K in Op]: Operation<K> } = {
  // Paid for before the proof is looked at: see `Group.meet`.
  prove: { who: "anyone", budget: "unproved", cost: 0, needs: "fresh", query: query.prove },
  ping: { who: "anyone", budget: "unproved", needs: "here", query: query.ping },
  join: {
    who: "user",
    budget: "others",
    cost: COMING_AND_GOING,
    line: "JOIN REQUEST",
    decide: decideJoin,
  },
  leave: {
    who: "member",
    budget: "others",
    cost: COMING_AND_GOING,
    line: "LEAVE REQUEST",
    decide: decideLeave,
  },
  send: {
    who: "member",
    budget: "messages",
    cost: ({ messages }) => messages.length,
    line: "MESSAGE SEND",
    isFrequent: true,
    suspects,
    decide: decideSend,
  },
  read: {
    who: "member",
    budget: "reads",
    line: "MESSAGE REQUEST",
    isFrequent: true,
    paced: true,
    needs: "fresh",
    query: query.read,
  },
  history: {
    who: "member",
    budget: "reads",
    line: "MESSAGE REQUEST",
    isFrequent: true,
    paced: true,
    needs: "fresh",
    query: query.history,
  },
  members: { who: "member", budget: "others", needs: "fresh", query: query.members },
  subscribe: { who: "member", budget: "others", needs: "fresh", query: query.subscribe },
  unsubscribe: { who: "user", budget: "others", query: query.unsubscribe },
  typing: { who: "member", budget: "others", needs: "holder", query: query.typing },
  invite: {
    who: "member",
    budget: "others",
    line: "INVITE REQUEST",
    draws: true,
    decide: decideInvite,
  },
  // Only who decides knows them: no entry tells of an invite.
  invites: {
    who: "admin",
    budget: "others",
    cost: ALL_INVITES,
    needs: "holder",
    query: query.invites,
  },
  revoke: {
    who: "admin",
    budget: "others",
    cost: ({ invite }) => invite === "all" ? ALL_INVITES : 1,
    line: "REVOKE REQUEST",
    decide: decideRevoke,
  },
  act: { who: "admin", budget: "others", line: "ACT REQUEST", decide: decideAct },
};

/** The rule of who may ask, as the state is now. @throws {Refusal} `not_member`, `banned`, `forbidden` */
export function permit<K extends Op>(
  state: GroupState,
  request: Request<K>,
  { who }: Operation<K>,
): void {
  const user = request.actor?.user ?? "";
  if (who === "member") requireMember(state, user);
  if (who !== "admin" || atLeast(state.members.get(user)?.role ?? "reader", "admin")) return;
  const what = DOES[request.op === "act" ? (request as Request<"act">).action : request.op] ??
    "do that";
  throw new Refusal("forbidden", `Cannot ${what} in "${state.name}": only admins may`);
}

/** What somebody who is no admin wanted, in words. */
const DOES: Readonly<Record<string, string>> = {
  promote: "promote members",
  demote: "demote members",
  remove: "remove members",
  ban: "ban users",
  unban: "lift bans",
  mute: "mute members",
  unmute: "let members speak again",
  topic: "set the topic",
  invites: "see the invites",
  revoke: "revoke invites",
};
