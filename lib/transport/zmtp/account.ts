/** What a peer holds and asks, counted. Pure: the time is handed in, ms. */

import { Bucket } from "../../structures/buckets.ts";
import type { Totals } from "../totals.ts";
import type { Bounds, PeerBounds } from "../transport.ts";

/** Requests under way may hold this many times the longest message before more are read. */
const WORK_MESSAGES = 4;

/** Why a peer is not read from for a while. */
export type Pause = "slow reader" | "flood" | "too many requests";

/** The account of one peer. Every call costs the same, whatever the peer holds. */
export class Account {
  readonly #totals: Totals;
  readonly #known: PeerBounds;
  bounds: PeerBounds;
  admitted = false;
  /** Bytes charged. */
  held = 0;
  #messages: Bucket;
  #bytes: Bucket;
  #requests = 0;
  #work = 0;

  constructor(totals: Totals, { stranger, known }: Bounds, now: number) {
    this.#totals = totals;
    this.#known = known;
    this.bounds = stranger;
    this.#messages = new Bucket(stranger.rate, now);
    this.#bytes = new Bucket(stranger.bytes, now);
  }

  /** From now on the bounds of the known count, with full buckets. */
  admit(now: number): void {
    this.admitted = true;
    this.bounds = this.#known;
    this.#messages = new Bucket(this.#known.rate, now);
    this.#bytes = new Bucket(this.#known.bytes, now);
  }

  arrived(bytes: number, now: number): void {
    this.#bytes.take(bytes, now);
  }

  /** One message or command was taken. */
  asked(now: number): void {
    this.#messages.take(1, now);
  }

  /** A request whose message had this many bytes is under way. */
  begin(bytes: number): void {
    this.#requests++;
    this.#work += bytes;
  }

  /** True while something is done for the peer, who waits. */
  get serves(): boolean {
    return this.#requests > 0;
  }

  /** One is done: its share of the bytes is no longer held. */
  end(): void {
    if (this.#requests === 0) return;
    this.#work -= this.#work / this.#requests;
    if (--this.#requests === 0) this.#work = 0;
  }

  /** Why nothing may be read now; undefined: it may. */
  pause(waiting: number, now: number): Pause | undefined {
    const { out, requests, message } = this.bounds;
    if (waiting > out / 2) return "slow reader";
    if (this.#requests >= requests || this.#work > WORK_MESSAGES * message) {
      return "too many requests";
    }
    return this.#messages.empty(now) || this.#bytes.empty(now) ? "flood" : undefined;
  }

  /** Says what is buffered for the peer now, both ways; what requests hold is added here. */
  settle(buffered: number): void {
    const held = buffered + Math.ceil(this.#work);
    if (held === this.held) return;
    this.#totals.change(held - this.held);
    this.held = held;
  }

  close(): void {
    this.#requests = this.#work = 0;
    this.settle(0);
  }
}
