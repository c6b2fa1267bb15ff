/** How fast one identity may ask, and how much of the log keeps its content. */

import { Refusal } from "../errors.ts";
import { Buckets } from "../structures/buckets.ts";
import { inSeconds } from "../text/counted.ts";

/** Budgets of one identity; Infinity for no limit. */
export interface Rates {
  /** Messages a second. */
  readonly messages: number;
  /** Messages that may come at once after a pause; at least 256, a whole request. */
  readonly burst: number;
  /** Pages of history a second, with a burst of four times that. */
  readonly reads: number;
  /** Other requests a second, with a burst of four times that. */
  readonly others: number;
}

/** What a person or a busy script needs, with room. */
export const DEFAULT_RATES: Rates = { messages: 500, burst: 1_000, reads: 200, others: 50 };

/** Rates for so many messages a second: a burst of twice that; Infinity lifts every limit. */
export function ratesFor(messages: number): Rates {
  if (messages !== Infinity) return { ...DEFAULT_RATES, messages, burst: 2 * messages };
  return { messages, burst: messages, reads: messages, others: messages };
}

/** How much of the log keeps its content; absent: all of it. */
export interface Keep {
  /** So many of the newest entries. */
  readonly entries?: number;
  /** Entries of the last so many ms. */
  readonly time?: number;
}

/** What a request is taken from. */
export type Budget = "messages" | "reads" | "others" | "unproved";

/** Time that looking up one user's ids may take, ms a second, and at once after a pause. */
const [LOOK_UP, LOOK_UP_BURST] = [50, 100];
/** Wrong invites a second of everybody together, with a burst of five times that. */
const WRONG_INVITES = 20;

/** The budgets of all identities; `unproved` is that of a connection. */
export class Limits {
  readonly #buckets: Readonly<Record<Budget, Buckets>>;
  readonly #lookUps: Buckets;
  readonly #wrong = new Buckets(WRONG_INVITES, 5 * WRONG_INVITES);

  constructor({ messages, burst, reads, others }: Rates = DEFAULT_RATES) {
    this.#buckets = {
      messages: new Buckets(messages, Math.max(256, burst)),
      reads: new Buckets(reads, 4 * reads),
      others: new Buckets(others, 4 * others),
      unproved: new Buckets(others, 4 * others),
    };
    this.#lookUps = new Buckets(messages === Infinity ? Infinity : LOOK_UP, LOOK_UP_BURST);
  }

  /** Takes `n` from the budget of a user or connection. @throws {Refusal} `rate_limited`, with how long to wait */
  take(budget: Budget, who: string, n: number, now: number): void {
    const wait = this.#buckets[budget].take(who, n, now);
    if (wait === 0) return;
    throw new Refusal("rate_limited", `Cannot do that so fast: try again in ${inSeconds(wait)}`, {
      retryAfter: wait,
    });
  }

  /** Before ids of a user's messages are looked up. @throws {Refusal} `rate_limited`: that took too long */
  lookUp(user: string, now: number): void {
    const wait = this.#lookUps.take(user, 0, now);
    if (wait === 0) return;
    const message = `Cannot look up more of your ids now: try again in ${inSeconds(wait)}`;
    throw new Refusal("rate_limited", message, { retryAfter: wait });
  }

  /** Ids of a user's messages were looked up, in so many ms. */
  lookedUp(user: string, ms: number, now: number): void {
    this.#lookUps.charge(user, ms, now);
  }

  /** A connection is gone. */
  forget(connection: string): void {
    this.#buckets.unproved.forget(connection);
  }

  /**
   * A request was refused. Who guesses invites, guesses for everybody.
   *
   * @throws {Refusal} `rate_limited`: too many do
   */
  refused(error: unknown, now: number): void {
    if (!(error instanceof Refusal) || error.code !== "bad_invite") return;
    const wait = this.#wrong.take("", 1, now);
    if (wait === 0) return;
    const message = "Cannot enter now: too many wrong invites, try again later";
    throw new Refusal("rate_limited", message, { retryAfter: wait });
  }
}
