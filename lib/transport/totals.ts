/** What the peers of one server hold together, and how often what was done to them. Pure. */

import type { Accounts } from "./transport.ts";

/** Reasons counted apart; beyond, they count as `other`: some are the owner's own texts. */
const MOST_REASONS = 128;

export class Totals implements Accounts {
  connections = 0;
  strangers = 0;
  held = 0;
  most = 0;
  readonly counts: Map<string, number> = new Map();

  count(what: string): void {
    const known = this.counts.has(what) || this.counts.size < MOST_REASONS;
    const key = known ? what : "other";
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }

  change(bytes: number): void {
    this.held += bytes;
    if (this.held > this.most) this.most = this.held;
  }
}
