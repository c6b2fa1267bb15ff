/** Messages of a group as they are read and, where it does not answer, those kept on this disk. */

import { Unreachable } from "../../errors.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import { counted } from "../../text/counted.ts";
import { formatLocal } from "../../text/time.ts";
import type { ReadOptions } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import type { GroupRef } from "./targets.ts";

/** What is kept on this disk of what was wanted. */
export interface Kept {
  readonly kept: readonly GroupEntry[];
  /** Why the group was not asked, or does not answer. */
  readonly away?: unknown;
}

/** A range of a group, as it is kept on this disk. */
export async function fromDisk(
  user: Pick<User, "kept">,
  { id }: GroupRef,
  range: ReadOptions,
): Promise<Kept> {
  return { kept: await Array.fromAsync(user.kept(id, range)) };
}

/**
 * The entries of a range; of a group that does not answer what is kept of them, at once where that is
 * known already.
 *
 * @throws what {@linkcode User.read} throws; {Unreachable} where nothing is kept
 */
export async function* readOrKept(
  user: Pick<User, "kept" | "read" | "joined">,
  group: GroupRef,
  range: ReadOptions,
): AsyncGenerator<GroupEntry | Kept> {
  const isAway = user.joined().some(({ id, state }) => id === group.id && state === "unreachable");
  if (isAway) {
    const found = await fromDisk(user, group, range);
    if (found.kept.length > 0) return yield { ...found, away: true };
  }
  let isBegun = false;
  try {
    for await (const entry of user.read(group.id, range)) {
      isBegun = true;
      yield entry;
    }
  } catch (away) {
    if (isBegun || !(away instanceof Unreachable)) throw away;
    const found = await fromDisk(user, group, range);
    if (found.kept.length === 0) throw away;
    yield { ...found, away };
  }
}

/** `Lab does not answer: 312 of its messages from this disk, the newest of 14:02`. */
export function keptRemark({ name }: GroupRef, { kept, away }: Kept, now = Date.now()): string {
  const newest = kept.at(-1);
  if (newest === undefined) return `nothing of ${name} is kept on this disk`;
  const many = kept.filter(({ kind }) => kind === "message").length;
  const moment = formatLocal(newest.at);
  const isToday = moment.slice(0, 10) === formatLocal(now).slice(0, 10);
  const when = isToday ? moment.slice(11, 16) : moment.slice(0, 16);
  return away === undefined
    ? `${counted(many, "message")} of ${name} from this disk, the newest of ${when}`
    : `${name} does not answer: ${many.toLocaleString("en-US")} of its messages from this disk, ` +
      `the newest of ${when}`;
}

/** Whether a result is what is kept. */
export function isKept(result: GroupEntry | Kept): result is Kept {
  return "kept" in result;
}
