/** Tells once a minute, in one line of the log, what a server did to its peers. */

import type { Accounts } from "../transport/transport.ts";

/** How often, ms. */
const EVERY = 60_000;

interface AccountLogOptions {
  /** Whose counts; they only grow. */
  counts(): Accounts["counts"];
  warn(text: string): void;
  /** ms, default a minute. */
  readonly every?: number;
}

/** A line for each minute in which something happened. */
export class AccountLog {
  readonly #options: AccountLogOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #told: ReadonlyMap<string, number> = new Map();

  constructor(options: AccountLogOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.tell(), options.every ?? EVERY);
    this.#timer.unref();
  }

  /** Tells what came since the last time. */
  tell(): void {
    const counts = new Map(this.#options.counts());
    const news: string[] = [];
    for (const [what, count] of counts) {
      const more = count - (this.#told.get(what) ?? 0);
      if (more > 0) news.push(`${what} (${more})`);
    }
    this.#told = counts;
    if (news.length > 0) this.#options.warn(`Connections: ${news.sort().join(", ")}`);
  }

  /** Tells what is left to tell. */
  close(): void {
    clearInterval(this.#timer);
    this.tell();
  }
}
