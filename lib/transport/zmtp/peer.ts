/** One connection to a server, from its greeting to its end. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { performance } from "node:perf_hooks";
import type { Bounds, Encoded, Frames, OutFrames, Peer } from "../transport.ts";
import { Account, type Pause, type Totals } from "./account.ts";
import {
  answerPing,
  DELIMITER,
  encodeError,
  encodeMessage,
  encodeReady,
  GREETING,
  PING,
  readProperties,
} from "./codec.ts";
import { Decoder, type DecoderBounds, type Item } from "./decoder.ts";
import { type Gate, type Origin, plainIp } from "./gate.ts";

/** Seconds without a byte from a peer before it is asked for a sign of life, and again. */
const PING_AFTER = [5, 10];
/** Seconds of silence, or of reading nothing, before a peer is cut. */
const PATIENCE = 15;
/** Each so many bytes that are on their way to a peer give it one second more: a slow line. */
const SLOW_LINE = 65_536;
/** Seconds for which requests under way may keep a peer from being read. */
const REQUEST_PATIENCE = 60;
/** Bytes that are written at once rather than at the end of the turn. */
const WRITE_NOW = 65_536;
/** Socket types that may talk to a ROUTER. */
const WELCOME = new Set(["DEALER", "REQ", "ROUTER"]);
const READY = encodeReady("ROUTER");

/** What a peer needs of its server. */
export interface Host {
  readonly bounds: Bounds;
  readonly decoderBounds: { readonly stranger: DecoderBounds; readonly known: DecoderBounds };
  readonly totals: Totals;
  readonly gate: Gate;
  /** True when so much is held by all that what may be dropped is. */
  readonly tight: boolean;
  /** Calls `turn()` when this turn of the event loop has run its code. */
  later(peer: ZmtpPeer): void;
  /** Calls `look()` again and again while it says true. */
  watch(peer: ZmtpPeer): void;
  /** All together hold more than they may. */
  overfull(): void;
  deliver(peer: Peer, frames: Frames): unknown;
  gone(peer: ZmtpPeer, why: string): void;
}

export class ZmtpPeer implements Peer {
  readonly id: string;
  readonly ip: string;
  readonly #host: Host;
  readonly #socket: Socket;
  readonly #origin: Origin;
  readonly #decoder: Decoder;
  readonly account: Account;
  #state: "greeting" | "ready" | "open" | "gone" = "greeting";
  #why = "closed by the peer";
  #minor = 0;
  #type = "";
  /** An empty frame stood before its last message, so one stands before each reply. */
  #delimited = false;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #due = false;
  #watched = false;
  #working = false;
  #paused: Pause | undefined;
  /** Bytes of the message that is being delivered. */
  #delivering = 0;
  /** Seconds: since it came, since a byte of it came, since it read, since it is not read from. */
  #age = 0;
  #quiet = 0;
  #stuck = 0;
  #unread = 0;
  /** Bytes written to it: ever, and since it was heard. */
  #sent = 0;
  #unheard = 0;
  #drained = 0;

  constructor(host: Host, socket: Socket, origin: Origin, id: string) {
    this.id = id;
    this.ip = plainIp(socket.remoteAddress ?? "");
    this.#host = host;
    this.#socket = socket;
    this.#origin = origin;
    this.#decoder = new Decoder(host.decoderBounds.stranger);
    this.account = new Account(host.totals, host.bounds, performance.now());
    socket.on("data", (chunk) => this.#arrived(chunk as unknown as Uint8Array));
    socket.on("error", (error) => {
      if (this.#state !== "gone") this.#why = error.message;
    });
    socket.on("close", () => {
      this.#leave(this.#why);
      host.gone(this, this.#why);
    });
    socket.write(GREETING);
  }

  get waiting(): number {
    return this.#socket.writableLength + this.#pendingBytes;
  }

  send(frames: OutFrames, options?: { readonly droppable?: boolean }): boolean {
    if (this.#state !== "open") return false;
    const bytes = encodeMessage(this.#delimited ? ["", ...frames] : frames);
    return this.#put(bytes, false, options?.droppable);
  }

  write(message: Encoded, options?: { readonly droppable?: boolean }): boolean {
    if (this.#state !== "open") return false;
    return this.#put(message.bytes, this.#delimited, options?.droppable);
  }

  admit(): void {
    if (this.#state === "gone" || this.account.admitted) return;
    this.account.admit(performance.now());
    this.#decoder.bounds = this.#host.decoderBounds.known;
    this.#host.gate.admit(this.#origin);
    if (this.#paused) this.#later();
  }

  begin(): void {
    this.account.begin(this.#delivering);
  }

  end(): void {
    this.account.end();
    if (this.#paused === "too many requests") this.#later();
  }

  cut(why: string): void {
    if (this.#state === "gone") return;
    this.#host.totals.count(`cut: ${why}`);
    this.#leave(why);
    this.#socket.destroy();
  }

  /** The end of a turn in which something was to be written, or to be read again. */
  turn(): void {
    this.#due = false;
    if (this.#state === "gone") return;
    if (this.#paused) this.#work(performance.now());
    this.#flush();
  }

  /** Looks again at a peer that reads slowly or is not read from; false: that is over. */
  look(now: number): boolean {
    if (this.#state === "gone") return this.#watched = false;
    if (this.#paused) this.#work(now);
    this.#settle();
    return this.#watched = this.#paused !== undefined || this.#socket.writableLength > 0;
  }

  /** Once a second. */
  tick(): void {
    this.#age++;
    if (this.#state === "gone") {
      this.#socket.destroy();
      return;
    }
    const why = this.#lateness();
    if (why !== undefined) return this.cut(why);
    if (this.#minor > 0 && this.#state === "open" && PING_AFTER.includes(this.#quiet)) {
      this.#put(PING, false, false);
    }
  }

  /** Why it has had time enough; counts the second. */
  #lateness(): string | undefined {
    if (!this.account.admitted && this.#age * 1_000 > this.#host.bounds.admitWithin) {
      return this.#state === "open" ? "not admitted in time" : "no handshake in time";
    }
    const { waiting } = this;
    const drained = this.#sent - waiting;
    this.#stuck = waiting > 0 && drained === this.#drained ? this.#stuck + 1 : 0;
    this.#drained = drained;
    if (this.#stuck > PATIENCE + waiting / SLOW_LINE) return "does not read";
    this.#unread = this.#paused ? this.#unread + 1 : 0;
    if (this.#unread > REQUEST_PATIENCE && this.#paused === "too many requests") {
      return "requests do not end";
    }
    this.#quiet = this.#paused ? 0 : this.#quiet + 1;
    if (this.#minor > 0 && this.#quiet > PATIENCE + this.#unheard / SLOW_LINE) return "silent";
    return undefined;
  }

  /** Brings its account up to date. */
  measure(): void {
    if (this.#state === "gone") return;
    const arrived = this.#decoder.held + (this.#paused ? this.#socket.readableLength : 0);
    this.account.settle(arrived + this.#socket.writableLength);
  }

  /** Ends the connection so that what was written can still be read; nothing more is delivered. */
  farewell(why: string): void {
    if (this.#state === "gone") return;
    this.#flush();
    this.#leave(why);
    this.#socket.end();
    this.#socket.resume(); // its own end is to be seen
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #settle(): void {
    this.measure();
    if (this.#host.totals.held > this.#host.bounds.total) this.#host.overfull();
  }

  #arrived(chunk: Uint8Array): void {
    if (this.#state === "gone") return;
    const now = performance.now();
    this.#quiet = this.#unheard = 0;
    this.account.arrived(chunk.length, now);
    this.#decoder.feed(chunk);
    this.#work(now);
    this.#flush();
  }

  /** Takes what has come, until there is no more or the peer must wait. */
  #work(now: number): void {
    if (this.#working) return;
    this.#working = true;
    for (;;) {
      const pause = this.account.pause(this.waiting, now);
      if (pause) {
        this.#pause(pause);
        break;
      }
      const item = this.#decoder.next();
      if (!item) {
        this.#resume();
        break;
      }
      this.account.asked(now);
      this.#take(item);
      if (this.#stateNow() === "gone") break;
    }
    this.#working = false;
    this.#settle();
  }

  #stateNow(): string {
    return this.#state;
  }

  #pause(why: Pause): void {
    if (this.#paused === undefined) {
      this.#host.totals.count(`paused: ${why}`);
      this.#socket.pause();
      this.#watch();
    }
    this.#paused = why;
    const unread = this.#decoder.unread + this.#socket.readableLength;
    if (unread > this.account.bounds.message) this.cut(`sends on and on: ${why}`);
  }

  #resume(): void {
    if (this.#paused === undefined) return;
    this.#paused = undefined;
    this.#socket.resume();
  }

  #take(item: Item): void {
    switch (item.kind) {
      case "fault":
        return this.cut(item.why);
      case "greeting":
        this.#minor = item.minor;
        this.#state = "ready";
        return;
      case "command":
        return this.#state === "open"
          ? this.#command(item.name, item.data)
          : this.#handshake(item.name, item.data);
      case "message":
        return this.#deliver(item.frames, item.bytes);
    }
  }

  #handshake(name: string, data: Uint8Array): void {
    if (name === "ERROR") return this.cut("refuses us");
    if (name !== "READY") return this.cut("no READY");
    const properties = readProperties(data);
    if (!properties) return this.cut("bad READY");
    const type = properties.get("socket-type") ?? "";
    if (!WELCOME.has(type)) return this.#refuse();
    this.#type = type;
    this.#delimited = type === "REQ";
    this.#state = "open";
    this.#decoder.open();
    this.#put(READY, false, false);
  }

  /** Says why before it closes. */
  #refuse(): void {
    const why = "wrong Socket-Type";
    this.#host.totals.count(`cut: ${why}`);
    this.#leave(why);
    this.#socket.end(encodeError("wrong Socket-Type: DEALER, REQ or ROUTER, please"), () => {
      this.#socket.destroy();
    });
  }

  #command(name: string, data: Uint8Array): void {
    switch (name) {
      case "PING": {
        const pong = answerPing(data);
        if (!pong) return this.cut("bad PING");
        this.#put(pong, false, false);
        return;
      }
      case "READY":
        return this.cut("second READY");
      case "ERROR":
        return this.cut("refuses us");
    } // all others mean nothing to a ROUTER
  }

  #deliver(frames: Frames, bytes: number): void {
    const delimited = frames.length > 1 && frames[0].length === 0;
    if (!delimited && this.#type === "REQ") return this.cut("no delimiter");
    this.#delimited = delimited;
    if (delimited) frames.shift();
    this.#delivering = bytes;
    try {
      const result = this.#host.deliver(this, frames);
      if (result instanceof Promise) result.catch(() => this.cut("its message made us fail"));
    } catch {
      this.cut("its message made us fail");
    }
    this.#delivering = 0;
  }

  #put(bytes: Uint8Array, delimiter: boolean, droppable = false): boolean {
    const { waiting } = this;
    const { out, drop } = this.account.bounds;
    const over = waiting + bytes.length > out;
    if (droppable && (over || waiting >= drop || this.#host.tight)) {
      this.#host.totals.count("dropped: slow reader");
      return false;
    }
    if (over) {
      this.cut("does not read");
      return false;
    }
    if (delimiter) this.#pending.push(DELIMITER);
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length + (delimiter ? DELIMITER.length : 0);
    if (this.#pendingBytes >= WRITE_NOW) this.#flush();
    else if (!this.#working) this.#later();
    return true;
  }

  /** Hands what this turn wrote to the system, in one piece. */
  #flush(): void {
    if (this.#pendingBytes === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    this.#sent += this.#pendingBytes;
    this.#unheard += this.#pendingBytes;
    this.#pendingBytes = 0;
    this.#socket.write(pending.length === 1 ? pending[0] : Buffer.concat(pending));
    if (this.#socket.writableLength === 0) return;
    this.#watch();
    this.#settle();
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

  /** From now on it holds nothing, and nothing is heard of it or said to it. */
  #leave(why: string): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#why = why;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.account.close();
    this.#host.gate.leave(this.#origin, this.account.admitted, performance.now());
  }
}
