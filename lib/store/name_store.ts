/** Which key took which name, and where groups without a key are, kept across restarts. */

/** A name, the key that took it, and when its group was seen last. */
export interface TakenName {
  readonly name: string;
  readonly key: string;
  /** ms since 1970, exact to a day. */
  readonly seen: number;
}

/** Where a group without a key is: it registers once, and never again. */
export interface KeylessPlace {
  readonly name: string;
  readonly address: string;
  /** Who took the lease: an IP, as `networkOf` counts. */
  readonly origin: string;
  /** Whether connections to it are tried. */
  readonly probed: boolean;
}

/** What one registry keeps; its folder belongs to one process. */
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
  /** The places that earlier runs kept, the one kept longest ago first. */
  places(): readonly KeylessPlace[];
  /** Keeps a place, in place of others of its name or its address. Rejects like `add`. */
  keepPlace(place: KeylessPlace): Promise<void>;
  /** Places that ended, by name. Rejects like `add`. */
  dropPlaces(names: readonly string[]): Promise<void>;
  /** Writes what waits, and closes. */
  close(): void;
}

const done = () => Promise.resolve();

/** What is forgotten at the end. */
export const NO_NAMES: NameStore = {
  all: () => [],
  add: done,
  see: done,
  free: done,
  places: () => [],
  keepPlace: done,
  dropPlaces: done,
  close() {},
};
