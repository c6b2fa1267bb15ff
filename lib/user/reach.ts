/** Whether a group answers, as far as a person is told. */

import type { LinkState } from "./types.ts";

/** A group of several servers is away for so long before it is called unreachable, ms. */
const CHANGE_OVER = 10_000;

/** Begins as `connecting`. */
export class Reach {
  state: LinkState = "connecting";
  readonly #changed: (state: LinkState) => void;
  #grace: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(changed: (state: LinkState) => void) {
    this.#changed = changed;
  }

  live(): void {
    this.#become("live");
  }

  /** It does not answer. @param several it has other servers: it is given time to answer there */
  away(several: boolean): void {
    if (!several) this.#become("unreachable");
    else if (this.state !== "unreachable" && !this.#closed) {
      this.#grace ??= setTimeout(() => this.#become("unreachable"), CHANGE_OVER);
    }
  }

  #become(state: LinkState): void {
    if (this.#grace !== undefined) clearTimeout(this.#grace);
    this.#grace = undefined;
    if (this.state === state || this.#closed) return;
    this.state = state;
    this.#changed(state);
  }

  /** Nothing is told any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#grace);
  }
}
