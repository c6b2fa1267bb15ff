/** One peer of a ROUTER: the way back to it, and what it has asked and not yet got. */

import type { Totals } from "../totals.ts";
import type { Frames, OutFrames, Peer, PeerBounds } from "../transport.ts";

/** A peer that had no room for what may be dropped is spared more of it for this long, ms. */
const SLOW_MS = 100;
/** What a message that waits takes besides its bytes, about. */
const MESSAGE_BYTES = 512;

/** What a peer needs of its server. */
export interface PeerOwner {
  readonly totals: Totals;
  post(frames: OutFrames, onRefused: (code: string | undefined) => void): boolean;
  deliver(peer: RouterPeer, frames: Frames): void;
  admit(peer: RouterPeer): void;
  /** No more is heard of it: `cut` when that is its fault. */
  drop(peer: RouterPeer, why: string, cut: boolean): void;
  /** The bytes that wait have grown by so many. */
  hold(peer: RouterPeer, more: number): void;
}

export class RouterPeer implements Peer {
  readonly id: string;
  readonly ip = "";
  readonly waiting = 0;
  /** Its routing id in hex: what the tables know it by. */
  readonly key: string;
  /** When it was heard first, ms by performance.now(). */
  readonly since: number = performance.now();
  /** When a message came from it, or went out to it, last. */
  lively: number = this.since;
  bounds: PeerBounds;
  admitted = false;
  gone = false;
  /** Bytes of its messages that wait for requests under way. */
  heldBytes = 0;
  readonly #routingId: Uint8Array;
  readonly #owner: PeerOwner;
  #delimited = false;
  #requests = 0;
  #queue: { frames: Frames; delimited: boolean; bytes: number }[] = [];
  #delivering = false;
  #slowUntil = 0;

  constructor(
    owner: PeerOwner,
    id: string,
    key: string,
    routingId: Uint8Array,
    bounds: PeerBounds,
  ) {
    this.#owner = owner;
    this.id = id;
    this.key = key;
    this.#routingId = routingId;
    this.bounds = bounds;
  }

  send(frames: OutFrames, { droppable = false }: { readonly droppable?: boolean } = {}): boolean {
    if (this.gone) return false;
    const now = performance.now();
    if (droppable && now < this.#slowUntil) return this.#dropped();
    const head = this.#delimited ? [this.#routingId, ""] : [this.#routingId];
    this.lively = now;
    return this.#owner.post([...head, ...frames], (code) => this.#refused(code, droppable));
  }

  write(message: { frames: OutFrames }, options?: { readonly droppable?: boolean }): boolean {
    return this.send(message.frames, options);
  }

  admit(): void {
    if (!this.gone) this.#owner.admit(this);
  }

  begin(): void {
    this.#requests++;
  }

  end(): void {
    this.#requests--;
    this.#deliver();
  }

  cut(why: string): void {
    this.#owner.drop(this, why, true);
  }

  /** Delivers a message, now or when fewer requests are under way; the bound of `out` holds here too. */
  take(frames: Frames, delimited: boolean, bytes: number): void {
    this.#queue.push({ frames, delimited, bytes: bytes + MESSAGE_BYTES });
    this.#hold(bytes + MESSAGE_BYTES);
    this.#deliver();
    if (this.heldBytes > this.bounds.out) this.cut("asks faster than it can be answered");
  }

  /** Nothing goes to it or comes from it any more. */
  leave(): void {
    this.gone = true;
    this.#queue = [];
    this.#hold(-this.heldBytes);
  }

  #deliver(): void {
    if (this.#delivering) return; // an end() from within a delivery: the loop below goes on
    this.#delivering = true;
    try {
      while (this.#queue.length > 0 && this.#requests < this.bounds.requests) {
        const next = this.#queue.shift()!;
        this.#hold(-next.bytes);
        this.#delimited = next.delimited;
        this.#owner.deliver(this, next.frames);
      }
    } finally {
      this.#delivering = false;
    }
  }

  #hold(more: number): void {
    this.heldBytes += more;
    this.#owner.hold(this, more);
  }

  #dropped(): boolean {
    this.#owner.totals.count("dropped: reads too slowly");
    return false;
  }

  /** A lost answer would break the order of what is sealed, so only what may be dropped is. */
  #refused(code: string | undefined, droppable: boolean): void {
    if (this.gone) return;
    if (code === "EHOSTUNREACH") return this.#owner.drop(this, "disconnected", false);
    if (code !== "EAGAIN") return this.cut(`cannot send: ${code}`);
    if (!droppable) return this.cut("reads too slowly");
    this.#slowUntil = performance.now() + SLOW_MS;
    this.#dropped();
  }
}
