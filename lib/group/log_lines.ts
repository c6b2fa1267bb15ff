/** What is logged of a request: who asked, of which group, and whom it is about. Pure. */

import { CLAIM } from "../protocol/batch.ts";
import type { Operation } from "./operations.ts";
import type { Known, Op, Request } from "./request.ts";
import type { GroupState } from "./state.ts";

/** A line for people, and what it says for programs. */
export interface LogLine {
  readonly level: "info" | "debug";
  readonly text: string;
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * `JOIN REQUEST FROM alice#1a2b3c4d (Lab)`, and of what an admin does also to whom:
 * `ACT REQUEST FROM alice#1a2b3c4d (Lab): ban bob#5e6f7a8b`.
 */
export function requestLine<K extends Op>(
  state: GroupState,
  request: Known<K>,
  { line, isFrequent }: Pick<Operation<K>, "line" | "isFrequent">,
): LogLine {
  const level = isFrequent ? "debug" : "info";
  const { user, name } = request.actor;
  const who = called(state, user, name);
  const fields = { user, name: state.members.get(user)?.name ?? name };
  const text = `${line} FROM ${who} (${state.name})`;
  if (request.op !== "act") return { level, text, fields };
  const { action, user: on } = request as Request<"act">;
  if (on === undefined) {
    return { level, text: `${text}: ${action}`, fields: { ...fields, action } };
  }
  const act = `${text}: ${action} ${called(state, on)}`;
  return { level, text: act, fields: { ...fields, action, on } };
}

/** The name of a user and what its id begins with. */
function called(state: GroupState, user: string, name = ""): string {
  const short = user.startsWith(CLAIM) ? ` ${user}` : `#${user.slice(0, 8)}`;
  return `${state.members.get(user)?.name ?? name}${short}`.trimStart();
}
