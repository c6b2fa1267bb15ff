/** Which key took which name, kept across restarts. */

/** A name, the key that took it, and when its group was seen last. */
export interface TakenName {
  readonly name: string;
  readonly key: string;
  /** ms since 1970, exact to a day. */
  readonly seen: number;
}

/** The names of one registry; its folder belongs to one process. */
export interface NameStore {
  /** What earlier runs kept, the one seen longest ago first. */
  all(): readonly TakenName[];
  /**
   * Resolves when it is on disk. Names that are added within a few milliseconds share one write.
   * Rejects with {@linkcode LogFailed} when it could not be written; then nothing of it is kept.
   */
  add(taken: TakenName): Promise<void>;
  /** The dates of names that are kept. Rejects like `add`. */
  see(taken: readonly TakenName[]): Promise<void>;
  /** Names that are free again. Rejects like `add`. */
  free(names: readonly string[]): Promise<void>;
  /** Writes what waits, and closes. */
  close(): void;
}

const done = () => Promise.resolve();

/** Names that are forgotten at the end. */
export const NO_NAMES: NameStore = { all: () => [], add: done, see: done, free: done, close() {} };
