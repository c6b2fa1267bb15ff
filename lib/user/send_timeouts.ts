/** How long the callers of a send are left waiting: one timer for all of them. */

import { Unreachable } from "../errors.ts";
import { inSeconds } from "../text/counted.ts";
import type { Link } from "./link.ts";

/** A caller who waits. */
export interface Waiting {
  /** Since when, by `performance.now()`. */
  since: number;
  /** How long at most, ms; Infinity for one who waits for ever, or who was told already. */
  timeout: number;
  reject(error: unknown): void;
}

/**
 * Rejects those who wait longer than they want for a group that does not answer. A group that
 * answers but makes us wait (a rate, a full disk) is waited for.
 */
export class SendTimeouts {
  readonly #link: Pick<Link, "state" | "target">;
  readonly #waiting: () => Iterable<Waiting>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Infinity;

  /** @param waiting everybody who waits now, in any order */
  constructor(link: Pick<Link, "state" | "target">, waiting: () => Iterable<Waiting>) {
    this.#link = link;
    this.#waiting = waiting;
  }

  /** Somebody waits from now on. */
  watch({ since, timeout }: Waiting): void {
    if (since + timeout < this.#due) this.#lookAt(since + timeout);
  }

  #lookAt(due: number): void {
    clearTimeout(this.#timer);
    this.#due = due;
    if (due === Infinity) return;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, due - performance.now()));
  }

  #look(): void {
    const now = performance.now();
    let due = Infinity;
    for (const waiting of this.#waiting()) {
      if (waiting.since + waiting.timeout <= now) {
        if (this.#link.state === "live") waiting.since = now;
        else this.#giveUp(waiting);
      }
      due = Math.min(due, waiting.since + waiting.timeout);
    }
    this.#lookAt(due);
  }

  #giveUp(waiting: Waiting): void {
    const { name, address } = this.#link.target;
    const message = `Cannot reach the group "${name}" at ${address}: no answer within ` +
      `${inSeconds(waiting.timeout)}; the message is kept and goes out when the group answers`;
    waiting.timeout = Infinity;
    waiting.reject(new Unreachable(address, message));
  }

  /** Nobody waits any more. */
  close(): void {
    this.#lookAt(Infinity);
  }
}
