/** What the pure functions of this folder answer, and what several of them ask first. */

import { Refusal } from "../../errors.ts";
import type { Places } from "../../log/log.ts";
import type { Batch } from "../../protocol/batch.ts";
import type { Member } from "../members.ts";
import type { Known, Op, Reply } from "../request.ts";
import type { Actor, Changes, Draft, GroupState } from "../state.ts";
import { banKey } from "../values.ts";

/** What a request comes to. */
export interface Decision<R> {
  /** To append, in order; none is fine. */
  readonly drafts: readonly Draft[];
  /** Values to change in the same transaction. */
  readonly values?: Changes;
  /** The reply, once the drafts are on disk as these batches. */
  reply(placed: readonly Batch[]): R;
}

/**
 * Decides one request, on the state that all requests before it have left.
 *
 * @param seen places of the messages that the request's row of the table asks for
 * @param now the group's clock, ms
 * @throws {Refusal} and nothing changes
 */
export type Decide<K extends Op> = (
  state: GroupState,
  request: Known<K>,
  seen: Places,
  now: number,
) => Decision<Reply<K>>;

/** @throws {Refusal} `banned`, or `not_member` of whoever may join */
export function requireMember(state: GroupState, user: string): Member {
  const member = state.members.get(user);
  if (!member) {
    if (state.values.has(banKey(user))) {
      throw new Refusal(
        "banned",
        `Cannot do that in "${state.name}": you are banned from it, until an admin lifts that`,
      );
    }
    throw new Refusal(
      "not_member",
      `Cannot do that in "${state.name}": you are not a member, join it first`,
    );
  }
  return member;
}

/** An entry's author, as the log keeps it. */
export function authorOf({ user, name, key }: Actor): Pick<Draft, "author" | "name" | "key"> {
  return { author: user, name, ...(key ? { key } : {}) };
}
