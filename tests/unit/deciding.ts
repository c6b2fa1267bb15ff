/** Decides requests on a state as a group does, without a log. */

import { Members } from "../../lib/group/members.ts";
import type { Decide, Decision } from "../../lib/group/decide/decision.ts";
import type { Places } from "../../lib/log/log.ts";
import { OPERATIONS, permit } from "../../lib/group/operations.ts";
import type { Known, Op, Reply } from "../../lib/group/request.ts";
import {
  type Actor,
  apply,
  change,
  type Draft,
  type GroupState,
  place,
} from "../../lib/group/state.ts";
import { Values } from "../../lib/group/values.ts";
import type { Batch } from "../../lib/protocol/batch.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { NOW } from "./fixtures.ts";

/** A group without members. */
export function emptyState(given: Partial<GroupState> = {}): GroupState {
  return {
    id: "00000000-0000-8000-8000-000000000001",
    name: "Lab",
    epoch: "00000000-0000-4000-8000-000000000002",
    founder: "",
    access: "open",
    members: new Members(),
    head: 0,
    at: 0,
    lastMid: new Map(),
    values: new Values(),
    ...given,
  };
}

const NOTHING: Places = new Map();

/** What a request comes to, by its row of the table. */
export function decide<K extends Op>(
  state: GroupState,
  op: K,
  actor: Actor,
  fields: object = {},
  { seen = NOTHING, now = NOW }: { seen?: Places; now?: number } = {},
): Decision<Reply<K>> {
  const request = { op, actor, from: "here", size: 0, ...fields } as unknown as Known<K>;
  const operation = OPERATIONS[op] as unknown as { decide: Decide<K> };
  permit(state, request, OPERATIONS[op] as never);
  return operation.decide(state, request, seen, now);
}

/** Applies what was decided, as the writer does; the batches of its drafts. */
export function carryOut(
  state: GroupState,
  { drafts, values = {} }: Pick<Decision<unknown>, "drafts" | "values">,
  now = NOW,
): Batch[] {
  const placed = drafts.map((draft) => {
    const batch = place(state, draft, now);
    apply(state, batch);
    return batch;
  });
  change(state, values);
  return placed;
}

/** The entry by which somebody joins; undefined where there is none. */
export function join(state: GroupState, actor: Actor, invite?: string): Draft | undefined {
  return decide(state, "join", actor, { invite }).drafts[0];
}

/** What a `send` of these messages comes to. */
export function send(
  state: GroupState,
  actor: Actor,
  messages: readonly Message[],
  { sig, after, ...given }: { sig?: string; after?: string; seen?: Places; now?: number } = {},
): Decision<Reply<"send">> {
  return decide(state, "send", actor, { messages, sig, after }, given);
}
