/** What a client's callers wait for: a session, or the reply to a request. */

import type { Reply } from "../protocol/codec.ts";
import { Deadline } from "./deadline.ts";

/** A request; without `text` somebody who waits for a session alone. */
export type Pending =
  & { readonly id: number; reject(error: unknown): void }
  & (
    | { readonly text?: undefined; opened(): void }
    /** `text` is JSON; what `settle` throws is for the owner to reject it with. */
    | { readonly text: string; settle(reply: Reply): void }
  );

interface Waiting {
  readonly pending: Pending;
  readonly deadline: Deadline;
  /** It went out. */
  asked: boolean;
}

/** All that wait, oldest first, each for a bounded time. */
export class PendingRequests {
  readonly #waiting = new Map<number, Waiting>();

  get size(): number {
    return this.#waiting.size;
  }

  /** Adds one that waits for a session; after `timeout` ms it is rejected with `late()`. */
  add(pending: Pending, timeout: number, late: () => Error): void {
    const end = () => this.take(pending.id)?.reject(late());
    const deadline = new Deadline(end, timeout);
    this.#waiting.set(pending.id, { pending, deadline, asked: false });
  }

  /** It went out, and waits for its reply. */
  sent(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting) waiting.asked = true;
  }

  /** Those that wait for their reply, or those that wait for a session. */
  all(which: "asked" | "unasked"): Pending[] {
    const found = [...this.#waiting.values()].filter(({ asked }) => asked === (which === "asked"));
    return found.map(({ pending }) => pending);
  }

  /** One that waits, or only one that waits for its reply; from then on it does not. */
  take(id: number, which?: "asked"): Pending | undefined {
    const waiting = this.#waiting.get(id);
    if (!waiting || (which === "asked" && !waiting.asked)) return undefined;
    this.#waiting.delete(id);
    waiting.deadline.clear();
    return waiting.pending;
  }

  /** Rejects all that wait for their reply, or all that wait for a session. */
  reject(which: "asked" | "unasked", error: unknown): void {
    for (const { id } of this.all(which)) this.take(id)?.reject(error);
  }
}
