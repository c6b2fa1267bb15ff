/** A bound ROUTER: tells peers apart by their routing ids, and holds each to its bounds. */

import { Buffer } from "node:buffer";
import { clearInterval, setInterval } from "node:timers";
import { DEFAULT_BOUNDS } from "../bounds.ts";
import type {
  Accounts,
  Bounds,
  Encoded,
  Frames,
  OutFrames,
  PeerBounds,
  ServeOptions,
  Server,
} from "../transport.ts";
import { type PeerOwner, RouterPeer } from "./peer.ts";
import { PeerTable } from "./peers.ts";
import type { RawSocket, Watcher } from "./readiness.ts";
import { EngineSocket } from "./socket.ts";

/** How often peers whose time is over are looked for, ms. */
const SWEEP_MS = 1_000;
/** Kinds of things that are counted; what comes on top is counted as one. */
const MAX_COUNTS = 100;

const NO_BYTES = new Uint8Array(0);

export class RouterServer implements Server {
  readonly address: string;
  readonly #socket: EngineSocket;
  readonly #ledger: Ledger;
  readonly #sweeper: ReturnType<typeof setInterval>;

  constructor(
    socket: RawSocket,
    watcher: Watcher | undefined,
    address: string,
    options: ServeOptions,
  ) {
    this.address = address;
    const bounds = options.bounds ?? DEFAULT_BOUNDS;
    this.#socket = new EngineSocket({
      socket,
      watcher,
      maxFrame: bounds.known.frame,
      onMessage: (frames) => this.#ledger.arrived(frames),
      onFailure: (why) => this.#ledger.count(why),
    });
    this.#ledger = new Ledger(this.#socket, bounds, options);
    const every = Math.min(SWEEP_MS, Math.max(10, bounds.admitWithin / 4));
    this.#sweeper = setInterval(() => this.#ledger.sweep(), every);
  }

  get accounts(): Accounts {
    return this.#ledger;
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
}

/** The accounts of all peers of one server. */
class Ledger implements PeerOwner, Accounts {
  readonly counts: Map<string, number> = new Map();
  held = 0;
  most = 0;
  readonly #socket: EngineSocket;
  readonly #bounds: Bounds;
  readonly #options: ServeOptions;
  readonly #table: PeerTable<RouterPeer>;
  #numbers = 0;

  constructor(port: EngineSocket, bounds: Bounds, options: ServeOptions) {
    this.#socket = port;
    this.#bounds = bounds;
    this.#options = options;
    this.#table = new PeerTable(bounds);
  }

  get connections(): number {
    return this.#table.size;
  }

  get strangers(): number {
    return this.#table.strangers;
  }

  /** Takes the envelope off a message, and gives it to its peer if that is within its bounds. */
  arrived([routingId, ...rest]: Frames): void {
    const now = performance.now();
    const key = Buffer.from(routingId).toString("hex");
    if (this.#table.ignores(key, now)) return this.count("ignored: cut before");
    const delimited = rest.length > 1 && rest[0].length === 0;
    const frames = delimited ? rest.slice(1) : rest;
    const peer = this.#peerOf(key, routingId, now);
    const bytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    const problem = this.#problem(peer, frames, bytes);
    if (problem) return peer.cut(problem);
    peer.take(frames, delimited, bytes);
  }

  sweep(): void {
    for (const [peer, why] of this.#table.overdue(performance.now())) this.drop(peer, why, false);
  }

  boundsOf(peer: RouterPeer): PeerBounds {
    return peer.admitted ? this.#bounds.known : this.#bounds.stranger;
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
    this.#table.touch(peer);
  }

  drop(peer: RouterPeer, why: string, cut: boolean): void {
    if (peer.gone) return;
    peer.leave();
    this.#table.delete(peer);
    if (cut) this.#table.ignore(peer.key, performance.now());
    const [reason] = why.split(":", 1); // what follows differs from case to case
    this.count(`${cut ? "cut" : "forgotten"}: ${reason}`);
    try {
      this.#options.onGone?.(peer, why);
    } catch (error) {
      this.count(`onGone failed: ${String(error)}`);
    }
  }

  hold(peer: RouterPeer, more: number): void {
    this.held += more;
    this.most = Math.max(this.most, this.held);
    if (more <= 0 || this.held <= this.#bounds.total) return;
    let largest = peer;
    for (const one of this.#table) if (one.heldBytes > largest.heldBytes) largest = one;
    largest.cut("all together hold too much");
  }

  count(what: string): void {
    const known = this.counts.has(what) || this.counts.size < MAX_COUNTS;
    const name = known ? what : "others";
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  #peerOf(key: string, routingId: Uint8Array, now: number): RouterPeer {
    let peer = this.#table.get(key);
    if (peer && this.#table.tooLong(peer, now)) {
      this.drop(peer, "not admitted in time", false);
      peer = undefined;
    }
    peer ??= new RouterPeer(this, String(++this.#numbers), key, routingId, now);
    peer.lively = now;
    this.#table.touch(peer);
    for (const [other, why] of this.#table.overfull()) this.drop(other, why, false);
    return peer;
  }

  #problem(peer: RouterPeer, frames: Frames, bytes: number): string | undefined {
    const { frame, message } = this.boundsOf(peer);
    if (frames.length > this.#bounds.frames) return "too many frames";
    if (frames.some(({ length }) => length > frame)) return "frame too long";
    return bytes > message ? "message too long" : undefined;
  }
}
