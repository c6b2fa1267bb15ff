/** Whether the lease of a shared log is held, by watching it: no clock but our own is asked. */

import { setTimeout } from "node:timers/promises";
import type { Lease } from "./log.ts";

/** A lease that has not moved for so long is free, ms. */
const STILL = 5_000;
/** How often one that is held is looked at, ms. */
const LOOK_EVERY = 250;

/** A lease as it was seen last, and whether it may be claimed. */
export interface Seen {
  readonly lease: Lease;
  readonly free: boolean;
}

/** Looks at a lease until it is free, or moves. @throws what `look` throws; the signal's reason */
export async function watchLease(look: () => Promise<Lease>, signal: AbortSignal): Promise<Seen> {
  const seen = await look();
  const end = performance.now() + STILL;
  for (let lease = seen;;) {
    if (lease.holder === undefined) return { lease, free: true };
    if (lease.term !== seen.term || lease.turn !== seen.turn) return { lease, free: false };
    if (performance.now() >= end) return { lease, free: true };
    await setTimeout(LOOK_EVERY, undefined, { signal });
    lease = await look();
  }
}
