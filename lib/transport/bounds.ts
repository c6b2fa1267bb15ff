/** How much the peers of a server may hold; SECURITY.md states the sum. */

import { MAX_PACKET } from "../protocol/limits.ts";
import type { Bounds } from "./transport.ts";

const KIB = 1_024;
const MIB = 1_024 * KIB;

/** Bounds where the caller names no others; what is said of connections is to be set
 * from the descriptor limit. */
export const DEFAULT_BOUNDS: Bounds = {
  stranger: {
    frame: 4 * KIB,
    message: 8 * KIB,
    out: 64 * KIB,
    drop: 16 * KIB,
    requests: 8,
    rate: 50,
    bytes: 64 * KIB,
  },
  known: {
    frame: MAX_PACKET,
    message: MAX_PACKET + KIB,
    out: 8 * MIB,
    drop: MIB,
    requests: 256,
    rate: 20_000,
    bytes: 256 * MIB,
  },
  frames: 8,
  command: 4 * KIB,
  admitWithin: 10_000,
  connections: 16_384,
  connectionsPerIp: 12_288,
  strangersPerIp: 1_024,
  strangers: 4_096,
  connectsPerIp: 2_000,
  total: 256 * MIB,
};
