/** One connection of a client, from its first byte to its end. */

import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { sentence } from "../../errors.ts";
import { MAX_PACKET } from "../../protocol/limits.ts";
import { Bucket } from "../../structures/buckets.ts";
import type { Frames, OutFrames } from "../transport.ts";
import {
  answerPing,
  encodeMessage,
  encodeReady,
  GREETING,
  PING,
  readError,
  readProperties,
} from "./codec.ts";
import { Decoder, type Item } from "./decoder.ts";
import { TICK_MS } from "../ticker.ts";
import { WriteBuffer } from "./write_buffer.ts";

/** Until there is a connection, in ticks: TCP sends a lost SYN again after 1 and 3 s, then 7 s. */
const CONNECT_WITHIN = 3_500 / TICK_MS;
/** Silence after which the server is asked for a sign of life, and given up, in ticks. */
const [PING_AFTER, GONE_AFTER] = [3_000 / TICK_MS, 5_000 / TICK_MS];
/** Each so many bytes sent since then give it one tick more, up to a minute: a slow line. */
const [SLOW_LINE, MOST_SILENCE] = [32_768, 60_000 / TICK_MS];
/** Bytes that may wait to go out. */
const MAX_WAITING = 64 * 1_048_576;
/** How long a channel that closes waits for what it sent to leave, ms. */
const FAREWELL_MS = 200;
/** Commands a second, with a burst of twice that; a server that sends more is left. */
const COMMANDS = 100;
/** Frames of one message, bytes of one command. */
const [MAX_FRAMES, MAX_COMMAND] = [8, 4_096];
/** Room in a message beside its longest frame, bytes. */
const ENVELOPE = 1_024;

/** Why a connection ends whose server is too busy, or none. */
export const NO_HANDSHAKE = "no handshake in time";

/** Socket types that our types may talk to. */
const PARTNERS = {
  DEALER: new Set(["ROUTER", "REP", "DEALER"]),
  REQ: new Set(["ROUTER", "REP"]),
};

interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly type: "DEALER" | "REQ";
  readonly maxFrame?: number;
  /** How long the server may take to say what it is once there is a connection, in ticks. */
  readonly handshakeTicks: number;
  onOpen(): void;
  readonly onMessage: (frames: Frames) => unknown;
  /** Called once, last; never before the constructor returned. */
  onEnd(why: string): void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  readonly #writes: WriteBuffer;
  readonly #decoder: Decoder;
  readonly #commands: Bucket = new Bucket(COMMANDS, performance.now());
  #state: "greeting" | "ready" | "open" | "ended" = "greeting";
  #why = "closed by the server";
  /** The server's version knows PING. */
  #pings = false;
  #working = false;
  #due = false;
  /** There is a connection, though perhaps nobody has accepted it. */
  #connected = false;
  /** Ticks since something was heard (before READY: since the last step), and bytes written before. */
  #quiet = 0;
  #writtenWhenHeard = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const frame = options.maxFrame ?? MAX_PACKET;
    this.#decoder = new Decoder({
      frame,
      message: frame + ENVELOPE,
      frames: MAX_FRAMES,
      command: MAX_COMMAND,
    });
    this.#socket = connect({ host: options.host, port: options.port, noDelay: true });
    this.#writes = new WriteBuffer(this.#socket);
    this.#socket.on("connect", () => {
      this.#connected = true;
      this.#quiet = 0;
    });
    this.#socket.write(Buffer.concat([GREETING, encodeReady(options.type)]));
    this.#socket.on("data", (chunk) => this.#arrived(chunk as unknown as Uint8Array));
    this.#socket.on("error", (error) => {
      if (this.#state !== "ended") this.#why = error.message || "cannot connect";
    });
    this.#socket.on("close", () => {
      this.#stop(this.#why);
      options.onEnd(this.#why);
    });
  }

  send(frames: OutFrames): boolean {
    if (this.#state !== "open") return false;
    const bytes = encodeMessage(this.#options.type === "REQ" ? ["", ...frames] : frames);
    if (this.#writes.waiting + bytes.length > MAX_WAITING) return false;
    this.#flush(this.#writes.put(bytes));
    return true;
  }

  end(why: string): void {
    this.#stop(why);
    this.#socket.destroy();
  }

  /** Lets what was sent leave, for a short time, and ends. */
  async farewell(): Promise<void> {
    const open = this.#state === "open";
    this.#writes.flush();
    this.#stop("closed");
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#socket.destroy();
        resolve();
      }, FAREWELL_MS);
      this.#socket.on("close", () => {
        clearTimeout(timer);
        resolve();
      });
      if (open) this.#socket.end(() => this.#socket.destroy());
      else this.#socket.destroy();
    });
  }

  /** Twice a second. Counts ticks, so that time in which this program stood still is no silence. */
  tick(): void {
    this.#quiet++;
    if (this.#state === "greeting" || this.#state === "ready") return this.#beginning();
    if (this.#state !== "open" || !this.#pings) return;
    const underWay = (this.#writes.written - this.#writtenWhenHeard) / SLOW_LINE;
    if (this.#quiet >= Math.min(GONE_AFTER + underWay, MOST_SILENCE)) this.end("silent");
    else if (this.#quiet >= PING_AFTER && this.#quiet % PING_AFTER === 0) {
      this.#flush(this.#writes.put(PING));
    }
  }

  #beginning(): void {
    const most = this.#connected ? this.#options.handshakeTicks : CONNECT_WITHIN;
    if (this.#quiet > most) this.end(this.#connected ? NO_HANDSHAKE : "no connection in time");
  }

  #arrived(chunk: Uint8Array): void {
    if (this.#ended) return;
    if (this.#state === "open") this.#quiet = 0; // One byte a second is no handshake.
    this.#writtenWhenHeard = this.#writes.written;
    this.#decoder.feed(chunk);
    this.#working = true;
    try {
      while (!this.#ended) {
        const item = this.#decoder.next();
        if (!item) break;
        this.#take(item);
      }
    } catch (error) {
      this.end(`a listener failed: ${sentence(error)}`);
    }
    this.#working = false;
    this.#writes.flush();
  }

  get #ended(): boolean {
    return this.#state === "ended";
  }

  #take(item: Item): void {
    switch (item.kind) {
      case "fault":
        return this.end(item.why);
      case "greeting":
        this.#pings = item.minor > 0;
        this.#state = "ready";
        return;
      case "command":
        this.#commands.take(1, performance.now());
        if (this.#commands.empty(performance.now())) return this.end("too many commands");
        return this.#state === "open"
          ? this.#command(item.name, item.data)
          : this.#handshake(item.name, item.data);
      case "message":
        break;
    }
    const { frames } = item;
    if (this.#options.type === "REQ") {
      if (frames.length < 2 || frames[0].length > 0) return this.end("no delimiter");
      frames.shift();
    }
    const result = this.#options.onMessage(frames);
    if (!(result instanceof Promise)) return;
    result.catch((error) => this.end(`a listener failed: ${sentence(error)}`));
  }

  #handshake(name: string, data: Uint8Array): void {
    if (name === "ERROR") return this.end(`refused: ${readError(data)}`);
    if (name !== "READY") return this.end("no READY");
    const type = readProperties(data)?.get("socket-type");
    if (type === undefined) return this.end("bad READY");
    if (!PARTNERS[this.#options.type].has(type)) return this.end("wrong Socket-Type");
    this.#state = "open";
    this.#quiet = 0;
    this.#decoder.open();
    this.#options.onOpen();
  }

  #command(name: string, data: Uint8Array): void {
    switch (name) {
      case "PING": {
        const pong = answerPing(data);
        if (!pong || this.#writes.waiting > MAX_WAITING) return this.end("bad PING");
        return this.#flush(this.#writes.put(pong));
      }
      case "READY":
        return this.end("second READY");
      case "ERROR":
        return this.end(`refused: ${readError(data)}`);
    } // all others mean nothing here
  }

  /** Writes what waits: now, or at the end of this turn. */
  #flush(now: boolean): void {
    if (now) return void this.#writes.flush();
    if (this.#working || this.#due) return;
    this.#due = true;
    process.nextTick(() => {
      this.#due = false;
      this.#writes.flush();
    });
  }

  #stop(why: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#why = why;
    this.#writes.clear();
  }
}
