/** The peers a ROUTER has heard, and those it hears no more; both tables are bounded. */

import type { Bounds } from "../transport.ts";
import type { RouterPeer } from "./peer.ts";

type TableBounds = Pick<Bounds, "connections" | "strangers" | "admitWithin">;

type Listed = Pick<RouterPeer, "key" | "since" | "lively" | "admitted">;

/** A peer with which nothing was exchanged for so long is forgotten, ms. */
const SILENT_MS = 60_000;
/** Peers cut that are remembered, and for how long each, ms. */
const MAX_CUT = 10_000;
const CUT_MS = 10_000;

export class PeerTable<P extends Listed> {
  readonly #bounds: TableBounds;
  /** Each ordered by the last message, the oldest first. */
  readonly #strangers = new Map<string, P>();
  readonly #known = new Map<string, P>();
  readonly #cut = new Map<string, number>();

  constructor(bounds: TableBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#known.size + this.#strangers.size;
  }

  get strangers(): number {
    return this.#strangers.size;
  }

  /** In the order in which they must go: strangers first. */
  *[Symbol.iterator](): Generator<P> {
    yield* this.#strangers.values();
    yield* this.#known.values();
  }

  get(key: string): P | undefined {
    return this.#known.get(key) ?? this.#strangers.get(key);
  }

  /** Puts a peer behind all others; call it after each of its messages, and when it is admitted. */
  touch(peer: P): void {
    this.delete(peer);
    (peer.admitted ? this.#known : this.#strangers).set(peer.key, peer);
  }

  delete(peer: P): void {
    if (this.get(peer.key) !== peer) return; // another has taken the key
    this.#known.delete(peer.key);
    this.#strangers.delete(peer.key);
  }

  /** Messages of this key are to be ignored for {@linkcode CUT_MS} from now on. */
  ignore(key: string, now: number): void {
    this.#cut.delete(key);
    this.#cut.set(key, now);
    if (this.#cut.size > MAX_CUT) this.#cut.delete(this.#cut.keys().next().value!);
  }

  /** Whether a message of this key that came now is to be ignored. */
  ignores(key: string, now: number): boolean {
    const since = this.#cut.get(key);
    return since !== undefined && now - since < CUT_MS;
  }

  /** Those that must go, with the reason, since there are too many. */
  *overfull(): Generator<[P, string]> {
    while (this.#strangers.size > this.#bounds.strangers) yield [this.#next, "too many strangers"];
    while (this.size > this.#bounds.connections) yield [this.#next, "too many peers"];
  }

  get #next(): P {
    return this[Symbol.iterator]().next().value!;
  }

  /** Those that must go, with the reason, since their time is over. */
  *overdue(now: number): Generator<[P, string]> {
    for (const [key, since] of this.#cut) {
      if (now - since < CUT_MS) break;
      this.#cut.delete(key);
    }
    for (const peer of this) {
      if (this.tooLong(peer, now)) yield [peer, "not admitted in time"];
      else if (now - peer.lively >= SILENT_MS) yield [peer, "silent"];
    }
  }

  /** Whether a peer has been a stranger for too long. */
  tooLong(peer: P, now: number): boolean {
    return !peer.admitted && now - peer.since >= this.#bounds.admitWithin;
  }
}
