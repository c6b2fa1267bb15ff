/** Which group it is, and its state when its log opens. Pure. */

import type { LogStart } from "../log/log.ts";
import { Members, toMember } from "./members.ts";
import type { GroupState } from "./state.ts";
import { Values } from "./values.ts";

/** What makes a group itself: made once, kept with its data. */
export interface GroupIdentity {
  /** UUID made of key, name and nonce. */
  readonly id: string;
  readonly name: string;
  readonly key: string;
  readonly nonce: string;
  /** User id of the founder; empty when there is none. */
  readonly founder: string;
  readonly access: "open" | "private";
}

/** The state that a log has kept. */
export function stateOf({ id, name, founder, access }: GroupIdentity, start: LogStart): GroupState {
  return {
    id,
    name,
    epoch: start.epoch,
    founder,
    access,
    members: new Members(start.members.map(({ json }) => toMember(json))),
    head: start.head,
    at: start.at,
    lastMid: new Map(),
    values: new Values(Object.entries(start.values)),
  };
}
