/** Where a user's follower begins, and what comes of it beside the entries. */

import { UsageError } from "../errors.ts";
import type { GroupEntry } from "../protocol/batch.ts";
import type { Proof } from "../store/user_store.ts";
import { checkGiven } from "../text/given.ts";
import { type Connections, isOut } from "./connections.ts";
import type { FollowOptions } from "./follow.ts";
import type { KnownGroups } from "./groups.ts";
import type { FollowRange, UserEvent } from "./types.ts";

/** Whose follower it is. */
interface Follower {
  /** User id. */
  readonly id: string;
  readonly groups: KnownGroups;
  readonly connections: Connections;
  emit(event: UserEvent): void;
  /** Entries of one batch were read. */
  read(group: string, entries: readonly GroupEntry[]): void;
}

/** What following a group is made with. @throws {Refusal} `not_member`; {UsageError} */
export function followOptions(
  target: string,
  range: FollowRange,
  { id, groups, connections, emit, read }: Follower,
): FollowOptions {
  checkGiven("Cannot follow", range, { "after?": "number", "since?": "number", "epoch?": "text" });
  const place = placeOf(range);
  const group = groups.member(target);
  const { link } = connections.open(group.id);
  const { cursor: after, epoch, base, tip } = groups.cursor(group);
  const checked = (epoch: string, proof: Proof) => groups.checked(group, epoch, proof);
  const fromCursor = place === "cursor";
  // What was seen proves also what comes behind the cursor.
  const isProved = fromCursor || (range.epoch === epoch && (range.after ?? -1) >= after);
  return {
    ...(fromCursor
      ? { after, epoch, signal: range.signal }
      : { ...range, fromNow: place === "now" }),
    ...(isProved ? { proof: { base, tip }, checked } : {}),
    link,
    read,
    note: (note) => {
      if (note.type === "typing" && note.user === id) return;
      emit({ ...note, group: group.name });
    },
    failed: (error) => {
      if (isOut(error)) groups.putOut(link.target, error);
    },
  };
}

/** Where to begin to follow. @throws {UsageError} it is said twice, or is no place */
function placeOf({ from, after, since }: FollowRange): "range" | "now" | "cursor" {
  const hasRange = after !== undefined || since !== undefined;
  if (from === undefined) return hasRange ? "range" : "cursor";
  if (hasRange) {
    const other = after === undefined ? "since" : "after";
    throw new UsageError(`Cannot follow from "${from}": ${other} says where, too; give one`);
  }
  if (from === "start") return "range";
  if (from === "now" || from === "cursor") return from;
  throw new UsageError(`Cannot follow from "${from}": expected now, cursor or start`);
}
