/** How far the user has seen each group; moved often, kept on disk a moment later. */

import type { StoredGroup, UserStore } from "../store/user_store.ts";

/** How long a cursor may wait to be kept, ms. */
const DELAY = 50;

/** See the head of this file. */
export class Cursors {
  readonly #store: Pick<UserStore, "moveCursor">;
  readonly #moved = new Map<string, { epoch: string; cursor: number }>();
  readonly #kept: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param kept called when moved cursors were put on disk by themselves */
  constructor(store: Pick<UserStore, "moveCursor">, kept: () => void) {
    this.#store = store;
    this.#kept = () => {
      this.keep();
      kept();
    };
  }

  /** Moves the cursor of a group forward; another epoch begins again. */
  move(group: StoredGroup, epoch: string, cursor: number): void {
    const now = this.of(group);
    if (epoch === now.epoch && cursor <= now.cursor) return;
    this.#moved.set(group.id, { epoch, cursor });
    this.#timer ??= setTimeout(this.#kept, DELAY);
  }

  /** Where the cursor of a group is, kept or not. */
  of({ id, epoch, cursor }: StoredGroup): { readonly epoch: string; readonly cursor: number } {
    return this.#moved.get(id) ?? { epoch, cursor };
  }

  /** Puts on disk what has moved. */
  keep(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [id, { epoch, cursor }] of this.#moved) {
      try {
        this.#store.moveCursor(id, epoch, cursor);
      } catch {
        // No room, or held too long: the next start shows some entries again.
      }
    }
    this.#moved.clear();
  }
}
