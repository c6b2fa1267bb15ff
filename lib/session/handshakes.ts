/** The hellos that wait for a server: in which order, within which budget, and for how long. */

import { Buffer } from "node:buffer";
import { Buckets } from "../structures/buckets.ts";
import { networkOf } from "../text/addresses.ts";
import type { Peer } from "../transport/transport.ts";
import { FairQueue, Share, STRANGERS_SHARE, TICKETS_SHARE } from "./budget.ts";
import { KEY_BYTES } from "./noise.ts";
import type { Tickets } from "./ticket.ts";

/** Hellos that wait at once: of strangers, of one IP of theirs, and with a good ticket. */
const STRANGERS = 1_024;
const STRANGERS_PER_IP = 512;
const TICKETED = 4_096;
/** A hello that waited longer is not answered any more, ms. */
const MAX_AGE = 2_000;
/** Handshakes that the loop is held for at most, ms: one more may begin before it. */
const SLICE = 2;
/** Handshakes that a ticket of one user brings forward, a second. */
const PER_TICKET_USER = 20;

/** Time that one handshake counts at most, ms: what is longer, other programs took. */
const MOST_EACH = 5;

/** Who says hello; while it waits for us, its own time does not run. */
export type Origin = Pick<Peer, "id" | "ip" | "begin" | "end">;

/** A hello that waits. */
export interface Hello<P extends Origin> {
  readonly peer: P;
  /** Noise message 1. */
  readonly message: Uint8Array;
  readonly at: number;
  readonly priority: Priority;
}

/** With a good ticket, or without. */
export type Priority = "ticketed" | "strangers";

interface HandshakesOptions<P extends Origin> {
  readonly tickets?: Tickets;
  /** Does one handshake; never throws. */
  run(hello: Hello<P>): void;
  /** This one cannot be done now. */
  busy(peer: P): void;
  count(what: string): void;
}

/** Those with a ticket first, then those of strangers, each from its own budget. */
export class Handshakes<P extends Origin> {
  readonly #options: HandshakesOptions<P>;
  readonly #waiting = new Map<string, Hello<P>>();
  readonly #queues = {
    ticketed: new FairQueue<Hello<P>>(TICKETED, TICKETED),
    strangers: new FairQueue<Hello<P>>(STRANGERS, STRANGERS_PER_IP),
  };
  readonly #shares = {
    ticketed: new Share(TICKETS_SHARE, performance.now()),
    strangers: new Share(STRANGERS_SHARE, performance.now()),
  };
  readonly #users = new Buckets(PER_TICKET_USER, PER_TICKET_USER, 10_000);
  /** Who showed a ticket that is not good; another one is not looked at, for looking costs time. */
  readonly #doubted = new WeakSet<P>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #immediate: ReturnType<typeof setImmediate> | undefined;

  constructor(options: HandshakesOptions<P>) {
    this.#options = options;
  }

  /** A peer said hello: once more, when one of its own waits still. */
  add(peer: P, message: Uint8Array): void {
    const former = this.#waiting.get(peer.id);
    if (former) this.drop(peer);
    const now = performance.now();
    const priority = former?.priority ?? this.#priorityOf(peer, message, now);
    // A copy: what came with it, in a buffer of up to 64 KiB, need not wait along.
    const hello = { peer, message: Buffer.from(message), at: now, priority };
    if (!this.#queues[priority].add(networkOf(peer.ip), hello)) return this.#busy(peer);
    this.#waiting.set(peer.id, hello);
    peer.begin();
    this.#immediate ??= setImmediate(() => this.#pump());
  }

  #priorityOf(peer: P, message: Uint8Array, now: number): Priority {
    const { tickets, count } = this.#options;
    if (!tickets || message.length === KEY_BYTES || this.#doubted.has(peer)) return "strangers";
    const user = tickets.userOf(message.subarray(KEY_BYTES));
    this.spend("strangers", performance.now() - now);
    if (user === undefined) {
      this.#doubted.add(peer);
      count("handshake: its ticket is not good");
    } else if (this.#users.take(user, 1, now) > 0) count("handshake: too many with one ticket");
    else return "ticketed";
    return "strangers";
  }

  /** The peer is gone, or says hello once more. */
  drop(peer: P): void {
    const hello = this.#waiting.get(peer.id);
    if (!hello) return;
    this.#done(hello);
    this.#queues[hello.priority].delete(networkOf(peer.ip), hello);
  }

  #done({ peer }: Hello<P>): void {
    this.#waiting.delete(peer.id);
    peer.end();
  }

  /** Time that came of a handshake was spent, ms. */
  spend(priority: Priority, ms: number): void {
    this.#shares[priority].spend(Math.min(ms, MOST_EACH));
  }

  #busy(peer: P): void {
    this.#options.count("handshake: put off");
    this.#options.busy(peer);
  }

  #pump(): void {
    this.#immediate = undefined;
    clearTimeout(this.#timer);
    const end = performance.now() + SLICE;
    for (let now = end - SLICE; now < end;) {
      const hello = this.#take("ticketed", now) ?? this.#take("strangers", now);
      if (!hello) return this.#later(now);
      this.#done(hello);
      if (now - hello.at > MAX_AGE) this.#busy(hello.peer);
      else this.#options.run(hello);
      const after = performance.now();
      this.spend(hello.priority, after - now);
      now = after;
    }
    this.#immediate = setImmediate(() => this.#pump());
  }

  #take(priority: Priority, now: number): Hello<P> | undefined {
    return this.#shares[priority].wait(now) === 0 ? this.#queues[priority].take() : undefined;
  }

  /** Those that wait for their share of the time. */
  #later(now: number): void {
    const waits = (["ticketed", "strangers"] as const)
      .filter((priority) => this.#queues[priority].size > 0)
      .map((priority) => this.#shares[priority].wait(now));
    if (waits.length > 0) this.#timer = setTimeout(() => this.#pump(), Math.min(...waits));
  }

  close(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#waiting.clear();
  }
}
