/** Tells once a minute, in one line of the log, what a server did to its peers. */

import type { Accounts } from "../transport/transport.ts";

/** How often, ms. */
const EVERY = 60_000;

/** A line for each minute in which something happened. */
export class AccountLog {
  readonly #counts: () => Accounts["counts"];
  readonly #warn: (text: string) => void;
  readonly #timer: ReturnType<typeof setInterval>;
  #told: ReadonlyMap<string, number> = new Map();

  /** @param counts whose they are; they only grow */
  constructor(counts: () => Accounts["counts"], warn: (text: string) => void) {
    this.#counts = counts;
    this.#warn = warn;
    this.#timer = setInterval(() => this.tell(), EVERY);
    this.#timer.unref();
  }

  /** Tells what came since the last time. */
  tell(): void {
    const counts = new Map(this.#counts());
    const news: string[] = [];
    for (const [what, count] of counts) {
      const more = count - (this.#told.get(what) ?? 0);
      if (more > 0) news.push(`${what} (${more})`);
    }
    this.#told = counts;
    if (news.length > 0) this.#warn(`Connections: ${news.sort().join(", ")}`);
  }

  /** Tells what is left to tell. */
  close(): void {
    clearInterval(this.#timer);
    this.tell();
  }
}
