/** A group's history for the pager: its log, or what is kept of it while it does not answer. */

import type { User } from "../../user/user.ts";
import type { PageSource } from "../console/pager.ts";
import type { Context } from "./command.ts";
import { isKept, readOrKept } from "./kept.ts";
import type { GroupRef } from "./targets.ts";

interface HistoryOptions {
  readonly user: Pick<User, "kept" | "read" | "joined" | "seen">;
  readonly dated: Context["dated"];
  /** Whether what is shown there is read by that. */
  readonly marksRead: boolean;
  /** As {@linkcode PageSource.from}. */
  readonly from?: number | undefined;
  /** What is kept on this disk alone. */
  readonly kept?: boolean;
}

export function historyOf(
  group: GroupRef,
  { user, dated, marksRead, from, kept = false }: HistoryOptions,
): PageSource {
  let fromDisk = kept;
  const isAway = () =>
    user.joined().some(({ id, state }) => id === group.id && state === "unreachable");
  return {
    get title() {
      return fromDisk ? `${group.name}, kept on this disk` : group.name;
    },
    from,
    async *read(range) {
      // Nobody waits at each page for a group that did not answer.
      if (kept || (fromDisk && isAway())) return yield* user.kept(group.id, range);
      fromDisk = false;
      for await (const found of readOrKept(user, group, range)) {
        fromDisk = isKept(found);
        yield* isKept(found) ? found.kept : [found];
      }
    },
    line: (one) => dated(group, one),
    seen: ({ seq, epoch }) => {
      if (marksRead && !fromDisk) user.seen(group.id, seq, epoch);
    },
  };
}
