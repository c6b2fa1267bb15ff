/** What a person has read, kept on the person's own disk: a copy for when a group does not answer. */

import type { GroupEntry } from "../protocol/batch.ts";
import type { GroupTarget } from "./user_store.ts";

/** Which of the kept entries. Times in ms since 1970. */
export interface KeptRange {
  /** Entries with `at` >= since, `at` <= until. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  /** Entries with `seq` > after, `seq` < before. */
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  /** At most so many; default all. */
  readonly limit?: number | undefined;
  /** The newest of them instead of the oldest, still in ascending order. */
  readonly last?: boolean | undefined;
}

/**
 * Of each group the newest entries. It is a copy: nothing of it is ever missed, so no call throws,
 * and what cannot be kept or read is not there.
 */
export interface KeptStore {
  /** Keeps entries of one batch soon in the place of those that are kept under their seqs. */
  keep(group: string, entries: readonly GroupEntry[]): void;
  /** Entries of a range, ascending; those of the newest epoch that was kept. */
  read(group: Pick<GroupTarget, "id" | "name">, range: KeptRange): GroupEntry[];
  /** Removes what is kept of a group. */
  forget(group: string): void;
  /** Writes what waits. */
  close(): void;
}
