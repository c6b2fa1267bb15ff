/** Who hears what happens beside the entries. */

import process from "node:process";
import type { UserEvent } from "./types.ts";

type Listener = (event: UserEvent) => void;

/** Calls back for each event. What a listener throws becomes a warning of the process. */
export class Listeners {
  readonly #all = new Set<Listener>();
  readonly #found: string[];

  /** @param found warnings for the first who listens */
  constructor(found: readonly string[]) {
    this.#found = [...found];
  }

  /** Answers how to stop it. */
  add(listener: Listener): () => void {
    this.#all.add(listener);
    for (const text of this.#found.splice(0)) {
      queueMicrotask(() => this.emit({ type: "warning", text }));
    }
    return () => this.#all.delete(listener);
  }

  readonly emit = (event: UserEvent): void => {
    for (const listener of this.#all) {
      try {
        listener(event);
      } catch (error) {
        // A defect of the listener's, not of what goes on here.
        process.emitWarning(error instanceof Error ? error : String(error));
      }
    }
  };
}
