/** A bound ROUTER: tells peers apart by their routing ids, and holds each to its bounds. */

import { Buffer } from "node:buffer";
import { clearInterval, setInterval } from "node:timers";
import { DEFAULT_BOUNDS } from "../bounds.ts";
import { Totals } from "../totals.ts";
import type {
  Accounts,
  Bounds,
  Encoded,
  Frames,
  OutFrames,
  ServeOptions,
  Server,
} from "../transport.ts";
import { type PeerOwner, RouterPeer } from "./peer.ts";
import { PeerTable } from "./peers.ts";
import type { RawSocket, Watcher } from "./readiness.ts";
import { EngineSocket } from "./socket.ts";

/** How often peers whose time is over are looked for, ms. */
const SWEEP_MS = 1_000;

const NO_BYTES = new Uint8Array(0);

export class RouterServer implements Server, PeerOwner {
  readonly address: string;
  readonly totals: Totals = new Totals();
  readonly #options: ServeOptions;
  readonly #bounds: Bounds;
  readonly #table: PeerTable<RouterPeer>;
  readonly #socket: EngineSocket;
  readonly #sweeper: ReturnType<typeof setInterval>;
  #numbers = 0;

  constructor(
    socket: RawSocket,
    watcher: Watcher | undefined,
    address: string,
    options: ServeOptions,
  ) {
    this.address = address;
    this.#options = options;
    this.#bounds = options.bounds ?? DEFAULT_BOUNDS;
    this.#table = new PeerTable(this.#bounds);
    this.#socket = new EngineSocket({
      socket,
      watcher,
      maxFrame: this.#bounds.known.frame,
      onMessage: (frames) => this.#arrived(frames),
      onFailure: (why) => this.totals.count(why),
    });
    const every = Math.min(SWEEP_MS, Math.max(10, this.#bounds.admitWithin / 4));
    this.#sweeper = setInterval(() => this.#sweep(), every);
  }

  get accounts(): Accounts {
    const { size: connections, strangers } = this.#table;
    return Object.assign(this.totals, { connections, strangers });
  }

  /** The engine makes the bytes itself, for each peer anew: `bytes` is empty. */
  encode(frames: OutFrames): Encoded {
    const made = frames.map((frame) => typeof frame === "string" ? Buffer.from(frame) : frame);
    return { frames: made, bytes: NO_BYTES };
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#socket.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Takes the envelope off a message, and gives it to its peer if that is within its bounds. */
  #arrived([routingId, ...rest]: Frames): void {
    const now = performance.now();
    const key = Buffer.from(routingId).toString("hex");
    if (this.#table.ignores(key, now)) return this.totals.count("ignored: cut before");
    const delimited = rest.length > 1 && rest[0].length === 0;
    const frames = delimited ? rest.slice(1) : rest;
    const peer = this.#peerOf(key, routingId, now);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    const { frame, message } = peer.bounds;
    if (frames.length > this.#bounds.frames) return peer.cut("too many frames");
    if (frames.some(({ length }) => length > frame)) return peer.cut("frame too long");
    if (bytes > message) return peer.cut("message too long");
    peer.take(frames, delimited, bytes);
  }

  #peerOf(key: string, routingId: Uint8Array, now: number): RouterPeer {
    let peer = this.#table.get(key);
    if (peer && this.#table.tooLong(peer, now)) {
      this.drop(peer, "not admitted in time", false);
      peer = undefined;
    }
    const { stranger } = this.#bounds;
    peer ??= new RouterPeer(this, String(++this.#numbers), key, routingId, stranger);
    peer.lively = now;
    this.#table.touch(peer);
    for (const [other, why] of this.#table.overfull()) this.drop(other, why, false);
    return peer;
  }

  #sweep(): void {
    for (const [peer, why] of this.#table.overdue(performance.now())) this.drop(peer, why, false);
  }

  post(frames: OutFrames, onRefused: (code: string | undefined) => void): boolean {
    return this.#socket.post(frames, onRefused);
  }

  deliver(peer: RouterPeer, frames: Frames): void {
    if (this.#socket.closed) return;
    try {
      this.#options.onMessage(peer, frames);
    } catch (error) {
      peer.cut(`a message could not be taken: ${String(error)}`);
    }
  }

  admit(peer: RouterPeer): void {
    peer.admitted = true;
    peer.bounds = this.#bounds.known;
    this.#table.touch(peer);
  }

  drop(peer: RouterPeer, why: string, cut: boolean): void {
    if (peer.gone) return;
    peer.leave();
    this.#table.delete(peer);
    if (cut) this.#table.ignore(peer.key, performance.now());
    const [reason] = why.split(":", 1); // what follows differs from case to case
    this.totals.count(`${cut ? "cut" : "forgotten"}: ${reason}`);
    try {
      this.#options.onGone?.(peer, why);
    } catch (error) {
      this.totals.count(`onGone failed: ${String(error)}`);
    }
  }

  hold(peer: RouterPeer, more: number): void {
    this.totals.change(more);
    if (more <= 0 || this.totals.held <= this.#bounds.total) return;
    let largest = peer;
    for (const one of this.#table) if (one.heldBytes > largest.heldBytes) largest = one;
    largest.cut("all together hold too much");
  }
}
