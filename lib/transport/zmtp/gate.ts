/** Who may connect: bounds of all connections, and of those of one network address. Pure. */

import { Bucket } from "../../structures/buckets.ts";
import { networkOf } from "../../text/addresses.ts";
import type { Bounds } from "../transport.ts";
import type { Totals } from "../totals.ts";

/** A burst of connections from one address, seconds' worth. */
const BURST = 4;
/** Addresses without a connection that are remembered for their rate, at most twice as many. */
const MOST_IDLE = 8_192;

/** What one address has; kept by its connections, so that nothing is looked up when they go. */
export interface Origin {
  readonly network: string;
  readonly rate: Bucket;
  connections: number;
  strangers: number;
}

/** Counts connections in and out; every call costs the same. */
export class Gate {
  readonly #bounds: Bounds;
  readonly #totals: Totals;
  /** Addresses with connections. */
  readonly #origins = new Map<string, Origin>();
  /** Those without, and those that had none before; the latter are dropped all at once. */
  #idle = new Map<string, Origin>();
  #idleBefore = new Map<string, Origin>();
  #idleSince = 0;

  constructor(bounds: Bounds, totals: Totals) {
    this.#bounds = bounds;
    this.#totals = totals;
  }

  /** Addresses remembered now. */
  get size(): number {
    return this.#origins.size + this.#idle.size + this.#idleBefore.size;
  }

  /**
   * Lets a connection in as a stranger, or says why not.
   *
   * @param makeRoom ends another stranger, if one can be spared: else who comes first and does nothing
   * would keep those out who would prove themselves
   */
  enter(ip: string, now: number, makeRoom: () => boolean = () => false): Origin | string {
    const { connections, connectionsPerIp, strangers, strangersPerIp } = this.#bounds;
    if (this.#totals.connections >= connections) return "too many connections";
    const origin = this.#find(networkOf(ip), now);
    if (origin.rate.empty(now)) return "connects too often";
    origin.rate.take(1, now);
    if (origin.connections >= connectionsPerIp) return "too many connections of one address";
    if (origin.strangers >= strangersPerIp) return "too many strangers of one address";
    if (this.#totals.strangers >= strangers && !makeRoom()) return "too many strangers";
    if (origin.connections++ === 0) this.#origins.set(origin.network, origin);
    origin.strangers++;
    this.#totals.connections++;
    this.#totals.strangers++;
    return origin;
  }

  /** One that was let in is no stranger any more. */
  admit(origin: Origin): void {
    origin.strangers--;
    this.#totals.strangers--;
  }

  /** One that was let in is gone. */
  leave(origin: Origin, admitted: boolean, now: number): void {
    if (!admitted) this.admit(origin);
    this.#totals.connections--;
    if (--origin.connections > 0) return;
    this.#origins.delete(origin.network);
    this.#rest(origin, now);
  }

  #find(network: string, now: number): Origin {
    const known = this.#origins.get(network) ?? this.#idle.get(network) ??
      this.#idleBefore.get(network);
    if (known) return known;
    const rate = new Bucket(this.#bounds.connectsPerIp, now, BURST);
    const origin: Origin = { network, rate, connections: 0, strangers: 0 };
    this.#rest(origin, now);
    return origin;
  }

  /** Remembers an address until its bucket is full again. */
  #rest(origin: Origin, now: number): void {
    if (now - this.#idleSince > BURST * 1_000 || this.#idle.size >= MOST_IDLE) {
      this.#idleBefore = this.#idle;
      this.#idle = new Map();
      this.#idleSince = now;
    }
    this.#idle.set(origin.network, origin);
  }
}
