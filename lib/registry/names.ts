/** Which key took which name, kept across restarts. The engine is in `lib/log/`. */

/** A name and the key that took it. */
export interface TakenName {
  readonly name: string;
  readonly key: string;
}

/** The names of one registry; its folder belongs to one process. */
export interface NameStore {
  /** What earlier runs kept. */
  all(): readonly TakenName[];
  /** On disk when it returns. @throws {LogFailed} it cannot be written */
  add(taken: TakenName): void;
  close(): void;
}

/** Names that are forgotten at the end. */
export const NO_NAMES: NameStore = { all: () => [], add() {}, close() {} };
