/** One connection to a server, from its greeting to its end. */

import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Bounds, Encoded, Frames, OutFrames, Peer } from "../transport.ts";
import { plainIp } from "../../text/addresses.ts";
import type { Totals } from "../totals.ts";
import { Account, type Pause } from "./account.ts";
import { DELIMITER, encodeError, encodeMessage, GREETING, PING } from "./codec.ts";
import { Decoder } from "./decoder.ts";
import { End } from "./end.ts";
import type { Gate, Origin } from "./gate.ts";
import { Pulse } from "./pulse.ts";

/** Socket types that may talk to a ROUTER. */
const WELCOME = new Set(["DEALER", "REQ", "ROUTER"]);
/** For peers that know no PING: the system looks whether their machine is there (not on Deno). */
const KEEPALIVE_MS = 5_000;
/** Where memory is tight, what may be dropped is when this part of the usual waits. */
const TIGHT = 16;
const REFUSAL = encodeError("wrong Socket-Type: DEALER, REQ or ROUTER, please");

/** What a peer needs of its server. */
export interface Host {
  readonly bounds: Bounds;
  /** What it says of itself. */
  readonly ready: Uint8Array;
  readonly accounts: Totals;
  readonly gate: Gate;
  /** True when so much is held by all that less of what may be dropped waits for each. */
  readonly tight: boolean;
  /** Calls `turn()` when this turn of the event loop has run its code. */
  later(peer: ZmtpPeer): void;
  /** Calls `look()` again and again while it says true. */
  watch(peer: ZmtpPeer): void;
  /** All together hold more than they may. */
  overfull(): void;
  readonly deliver: (peer: Peer, frames: Frames) => unknown;
  /** Its socket is closed; `why` where both sides had said what they are. */
  gone(peer: ZmtpPeer, why: string | undefined): void;
}

export class ZmtpPeer extends End implements Peer {
  readonly id: string;
  readonly ip: string;
  readonly account: Account;
  readonly #host: Host;
  readonly #origin: Origin;
  readonly #pulse: Pulse;
  #opened = false;
  #isReq = false;
  /** An empty frame stood before its last message, so one stands before each reply. */
  #delimited = false;
  #paused: Pause | undefined;
  /** Bytes of the message that is being delivered. */
  #delivering = 0;
  #due = false;
  #watched = false;

  constructor(host: Host, socket: Socket, origin: Origin, id: string) {
    super(socket, new Decoder(host.bounds, host.bounds.stranger), "closed by the peer");
    this.id = id;
    this.ip = plainIp(socket.remoteAddress ?? "");
    this.account = new Account(host.accounts, host.bounds, performance.now());
    this.#host = host;
    this.#origin = origin;
    this.#pulse = new Pulse(host.bounds.admitWithin);
    socket.write(GREETING);
  }

  get waiting(): number {
    return this.writes.waiting;
  }

  send(frames: OutFrames, options?: { readonly droppable?: boolean }): boolean {
    if (this.state !== "open") return false;
    const bytes = encodeMessage(this.#delimited ? ["", ...frames] : frames);
    return this.#put(bytes, false, options?.droppable);
  }

  write(message: Encoded, options?: { readonly droppable?: boolean }): boolean {
    if (this.state !== "open") return false;
    return this.#put(message.bytes, this.#delimited, options?.droppable);
  }

  admit(): void {
    if (this.state === "gone" || this.account.admitted) return;
    this.account.admit(performance.now());
    this.#pulse.admitted = true;
    this.decoder.bounds = this.account.bounds;
    this.#host.gate.admit(this.#origin);
    if (this.#paused) this.#later();
  }

  begin(): void {
    this.account.begin(this.#delivering);
  }

  end(): void {
    this.account.end();
    this.measure();
    if (this.#paused === "too many requests") this.#later();
  }

  cut(why: string): void {
    if (this.state === "gone") return;
    this.#host.accounts.count(`cut: ${why.split(":")[0]}`); // what follows differs from peer to peer
    this.writes.flush(); // what was said in the same turn may still be heard
    this.leave(why);
    this.socket.destroy();
  }

  /** The end of a turn in which something was to be written, or to be read again. */
  turn(): void {
    this.#due = false;
    if (this.#paused) this.#work(performance.now());
    else this.#flush();
  }

  /** Looks again at a peer that reads slowly or is not read from; false: that is over. */
  look(now: number): boolean {
    if (this.#paused) this.#work(now);
    this.measure();
    const waits = this.#paused !== undefined || this.socket.writableLength > 0;
    return this.#watched = this.state !== "gone" && waits;
  }

  /** Once a second. */
  tick(): void {
    if (this.state === "gone") {
      this.socket.destroy();
      return;
    }
    const verdict = this.#pulse.tick({
      waiting: this.waiting,
      written: this.writes.written,
      paused: this.#paused,
      open: this.state === "open",
      served: this.account.serves,
      pings: this.pings,
    });
    if (verdict === "ping") this.#put(PING, false);
    else if (verdict) this.cut(verdict.cut);
  }

  /** Brings its account up to date. */
  measure(): void {
    if (this.state === "gone") return;
    const arrived = this.decoder.held + (this.#paused ? this.socket.readableLength : 0);
    this.account.settle(arrived + this.socket.writableLength);
  }

  /** Ends the connection so that what was written can still be read; nothing more is delivered. */
  farewell(why: string): void {
    if (this.state === "gone") return;
    this.#flush();
    this.leave(why);
    this.socket.end();
    this.socket.resume(); // its own end is to be seen
  }

  destroy(): void {
    this.socket.destroy();
  }

  protected arrived(chunk: Uint8Array): void {
    if (this.state === "gone") return;
    const now = performance.now();
    this.#pulse.heard(this.writes.written);
    this.account.arrived(chunk.length, now);
    this.decoder.feed(chunk);
    this.#work(now);
  }

  /** Takes what has come, until there is no more or the peer must wait; then writes. */
  #work(now: number): void {
    if (this.working || this.state === "gone") return;
    this.working = true;
    while (this.#step(now));
    this.working = false;
    this.#flush();
    this.#settle();
  }

  /** Takes one thing that has come; false: no more now. */
  #step(now: number): boolean {
    const pause = this.account.pause(this.waiting, now);
    if (pause) {
      this.#pause(pause);
      return false;
    }
    const item = this.decoder.next();
    if (!item) {
      if (this.#paused) this.socket.resume();
      this.#paused = undefined;
      return false;
    }
    this.account.asked(now);
    this.take(item);
    return this.state !== "gone";
  }

  #pause(why: Pause): void {
    if (this.#paused === undefined) {
      this.#host.accounts.count(`paused: ${why}`);
      this.socket.pause();
      this.#watch();
    }
    this.#paused = why;
    const unread = this.decoder.unread + this.socket.readableLength;
    if (unread > this.account.bounds.message) this.cut(`sends on and on: ${why}`);
  }

  protected deliver(frames: Frames, bytes: number): void {
    const delimited = frames.length > 1 && frames[0].length === 0;
    if (!delimited && this.#isReq) return this.cut("no delimiter");
    this.#delimited = delimited;
    if (delimited) frames.shift();
    this.#delivering = bytes;
    try {
      const result = this.#host.deliver(this, frames);
      if (result instanceof Promise) result.catch(() => this.cut("a listener failed"));
    } catch {
      this.cut("a listener failed");
    }
    this.#delivering = 0;
  }

  protected welcome(properties: ReadonlyMap<string, string>): void {
    const type = properties.get("socket-type");
    if (!WELCOME.has(type ?? "")) {
      const why = "wrong Socket-Type";
      this.#host.accounts.count(`cut: ${why}`);
      this.leave(why);
      return void this.socket.end(REFUSAL, () => this.socket.destroy()); // It hears why.
    }
    if (!this.pings) this.socket.setKeepAlive(true, KEEPALIVE_MS);
    this.#isReq = this.#delimited = type === "REQ";
    this.state = "open";
    this.#opened = true;
    this.decoder.open();
    this.#put(this.#host.ready, false);
  }

  protected refused(): void {
    this.cut("refuses us");
  }

  protected answer(pong: Uint8Array): void {
    this.#put(pong, false);
  }

  protected closed(why: string): void {
    this.#host.gone(this, this.#opened ? why : undefined);
  }

  #put(bytes: Uint8Array, delimiter: boolean, droppable = false): boolean {
    const { waiting } = this;
    const { out, drop } = this.account.bounds;
    const over = waiting + bytes.length > out;
    // Where memory is tight, who reads all it gets goes on getting it.
    const slow = waiting >= (this.#host.tight ? drop / TIGHT : drop);
    if (droppable && (over || slow)) {
      this.#host.accounts.count("dropped: slow reader");
      return false;
    }
    if (over) {
      this.cut("does not read");
      return false;
    }
    if (delimiter) this.writes.put(DELIMITER);
    // What may be dropped goes to many: whoever writes it in slices must see what each write takes.
    if (this.writes.put(bytes) || droppable) this.#flush();
    else if (!this.working) this.#later();
    return true;
  }

  #flush(): void {
    if (!this.writes.flush() || this.socket.writableLength === 0) return;
    this.#watch();
    this.#settle();
  }

  #settle(): void {
    this.measure();
    if (this.#host.accounts.held > this.#host.bounds.total) this.#host.overfull();
  }

  #later(): void {
    if (this.#due) return;
    this.#due = true;
    this.#host.later(this);
  }

  #watch(): void {
    if (this.#watched) return;
    this.#watched = true;
    this.#host.watch(this);
  }

  /** It holds nothing from now on, either. */
  protected override leave(why: string): void {
    if (this.state === "gone") return;
    super.leave(why);
    this.account.close();
    this.#host.gate.leave(this.#origin, this.account.admitted, performance.now());
  }
}
