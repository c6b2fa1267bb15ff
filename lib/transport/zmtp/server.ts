/** A ROUTER's side: many peers at one port, each with an account; see {@linkcode ZmtpServer}. */

import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { DEFAULT_BOUNDS } from "../bounds.ts";
import { Totals } from "../totals.ts";
import { pause } from "../waiting.ts";
import type { Bounds, Encoded, OutFrames, ServeOptions, Server } from "../transport.ts";
import { encodeMessage, encodeReady } from "./codec.ts";
import { Gate } from "./gate.ts";
import { Listener } from "./listener.ts";
import { type Host, ZmtpPeer } from "./peer.ts";

/** Between two looks at peers that wait, ms; each peer's own second is one of `SLOTS` of them. */
const TICK_MS = 50;
/** Peers are looked at in turns: 10,000 PINGs at once would hold the loop for 100 ms. */
const SLOTS = 1_000 / TICK_MS;
/** Where none waits, slots of so many peers share a tick: an idle server wakes up seldom. */
const MOST_AT_ONCE = 400;
/** How long a closing server waits for what it wrote to be read, ms. */
const FAREWELL_MS = 200;

export class ZmtpServer implements Server, Host {
  readonly bounds: Bounds;
  readonly ready: Uint8Array;
  readonly accounts: Totals = new Totals();
  readonly gate: Gate;
  readonly deliver: Host["deliver"];
  readonly #options: ServeOptions;
  readonly #slots: Set<ZmtpPeer>[] = Array.from({ length: SLOTS }, () => new Set());
  readonly #watched = new Set<ZmtpPeer>();
  /** In the order of their coming; some are no strangers any more. */
  readonly #strangers = new Set<ZmtpPeer>();
  #due: ZmtpPeer[] = [];
  #listener!: Listener;
  #made = 0;
  #peers = 0;
  #slot = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** How many slots have their turn at the next tick. */
  #turns = 0;
  /** Since when nobody is in a hurry; undefined: somebody is. */
  #resting: number | undefined;
  #closing: Promise<void> | undefined;
  /** Aborted when the last peer is gone from a server that closes. */
  readonly #empty = new AbortController();

  private constructor(options: ServeOptions) {
    this.#options = options;
    this.bounds = options.bounds ?? DEFAULT_BOUNDS;
    this.ready = encodeReady("ROUTER", options.protocol);
    this.deliver = options.onMessage;
    this.gate = new Gate(this.bounds, this.accounts);
  }

  /** @throws {Refusal} `address_taken`, `bad_request` */
  static async open(options: ServeOptions): Promise<ZmtpServer> {
    const server = new ZmtpServer(options);
    server.#listener = await Listener.open({
      address: options.address,
      onConnection: (socket) => server.#connected(socket),
      onTrouble: (what) => server.accounts.count(what),
    });
    return server;
  }

  get address(): string {
    return this.#listener.address;
  }

  get tight(): boolean {
    return this.accounts.held > this.bounds.total / 2;
  }

  encode(frames: OutFrames): Encoded {
    return { frames, bytes: encodeMessage(frames) };
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connected(socket: Socket): void {
    const origin = this.#closing
      ? "closing"
      : this.gate.enter(socket.remoteAddress ?? "", performance.now(), () => this.#makeRoom());
    if (typeof origin === "string") {
      this.accounts.count(`turned away: ${origin}`);
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const peer = new ZmtpPeer(this, socket, origin, (++this.#made).toString(36));
    this.#slotOf(peer).add(peer);
    this.#strangers.add(peer);
    this.#peers++;
    if (!this.#timer) this.#rest();
    else if (this.#turns > this.#slotsAtOnce()) this.#hurry();
  }

  /** Cuts the stranger that came first of those for whom nothing is done; false: there is none. */
  #makeRoom(): boolean {
    for (const peer of this.#strangers) {
      if (!peer.account.admitted && peer.account.serves) continue;
      this.#strangers.delete(peer);
      if (peer.account.admitted) continue;
      peer.cut("strangers make room");
      return true;
    }
    return false;
  }

  #slotOf(peer: ZmtpPeer): Set<ZmtpPeer> {
    return this.#slots[parseInt(peer.id, 36) % SLOTS];
  }

  /** Until the next tick. */
  #rest(): void {
    const idle = this.#watched.size === 0;
    this.#turns = idle ? this.#slotsAtOnce() : 1;
    this.#resting = idle ? performance.now() : undefined;
    this.#wait(this.#turns * TICK_MS);
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tick(), ms);
  }

  #slotsAtOnce(): number {
    return Math.max(1, Math.min(SLOTS, Math.floor(SLOTS * MOST_AT_ONCE / this.#peers)));
  }

  /** There is a peer that waits, or there are many: the next tick is brought forward. */
  #hurry(): void {
    if (this.#resting === undefined) return;
    // Time in which this program stood still is no peer's silence.
    const rested = Math.min(performance.now() - this.#resting, (this.#turns - 1) * TICK_MS);
    this.#resting = undefined;
    if (this.#turns === 1) return;
    this.#turns = Math.floor(rested / TICK_MS) + 1;
    this.#wait(TICK_MS - rested % TICK_MS);
  }

  #tick(): void {
    const now = performance.now();
    this.#resting = undefined;
    for (const peer of this.#watched) {
      if (!peer.look(now)) this.#watched.delete(peer);
    }
    for (let turn = 0; turn < this.#turns; turn++) {
      this.#slot = (this.#slot + 1) % SLOTS;
      for (const peer of this.#slots[this.#slot]) peer.tick();
    }
    if (this.#timer) this.#rest();
  }

  later(peer: ZmtpPeer): void {
    if (this.#due.push(peer) === 1) process.nextTick(this.#turn);
  }

  readonly #turn = (): void => {
    const due = this.#due;
    this.#due = [];
    for (const peer of due) peer.turn();
  };

  watch(peer: ZmtpPeer): void {
    this.#watched.add(peer);
    this.#hurry();
  }

  /** Looks what is really held, and cuts the largest until an eighth is free. */
  overfull(): void {
    for (const peer of this.#watched) peer.measure();
    const { total } = this.bounds;
    if (this.accounts.held <= total) return;
    const largest = [...this.#all()].sort((a, b) => b.account.held - a.account.held);
    for (const peer of largest) {
      if (this.accounts.held <= total * 7 / 8) return;
      peer.cut("holds most of all");
    }
  }

  *#all(): Generator<ZmtpPeer> {
    for (const slot of this.#slots) yield* slot;
  }

  gone(peer: ZmtpPeer, why: string | undefined): void {
    this.#slotOf(peer).delete(peer);
    this.#watched.delete(peer);
    this.#strangers.delete(peer);
    if (--this.#peers === 0) {
      clearTimeout(this.#timer);
      this.#timer = this.#resting = undefined;
      if (this.#closing) this.#empty.abort();
    }
    try {
      if (why !== undefined) this.#options.onGone?.(peer, why);
    } catch {
      this.accounts.count("a listener failed");
    }
  }

  async #close(): Promise<void> {
    this.#listener.close();
    if (this.#peers === 0) return;
    const peers = [...this.#all()];
    for (const peer of peers) peer.farewell("the server closes");
    const { signal } = this.#empty;
    await pause(FAREWELL_MS, signal);
    for (const peer of peers) peer.destroy();
    await pause(FAREWELL_MS, signal);
    clearTimeout(this.#timer);
  }
}
