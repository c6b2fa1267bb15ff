/** What strangers may make a registry hold and do; SECURITY.md states the sums. */

import { MAX_PACKET } from "../protocol/limits.ts";
import { DEFAULT_BOUNDS } from "../transport/bounds.ts";
import type { Bounds } from "../transport/transport.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/**
 * Requests are small and pages of the list are not: who does not read its page gets no second one,
 * since more than half of `out` waits then. `connections` is to be set from the descriptor limit.
 */
export const REGISTRY_BOUNDS: Bounds = {
  ...DEFAULT_BOUNDS,
  known: {
    frame: 64 * KIB,
    // Room for what a socket hands over at once, so that who asks fast is slowed and not cut.
    message: 256 * KIB,
    out: 2 * MAX_PACKET + 64 * KIB,
    drop: MAX_PACKET,
    requests: 64,
    rate: 1_000,
    bytes: 2 * MIB,
  },
  total: 128 * MIB,
};

/** Requests of one IP, a second and at once; renewals of leases in time are free. */
export const REQUESTS = { rate: 200, burst: 10_000 } as const;
/** Names that one IP takes anew: a second, and at once. */
export const NEW_NAMES = { rate: 0.1, burst: 16_384 } as const;
/** A renewal counts as a request when the one before is not this long ago, ms. */
export const FREE_AFTER = 800;
/** So many servers of groups on a page count as one request more. */
export const GROUPS_A_REQUEST = 100;
/** A connection on which nothing was asked for this long is ended, ms. */
export const IDLE_AFTER = 60_000;
