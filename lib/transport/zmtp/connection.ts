/** One connection of a client, from its first byte to its end. */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { sentence } from "../../errors.ts";
import { MAX_PACKET } from "../../protocol/limits.ts";
import { Bucket } from "../../structures/buckets.ts";
import type { Endpoint } from "../../text/addresses.ts";
import { TICK_MS } from "../ticker.ts";
import {
  type ConnectOptions,
  FOREIGN,
  type Frames,
  type OutFrames,
  PROTOCOL_PROPERTY,
} from "../transport.ts";
import { pause } from "../waiting.ts";
import { encodeMessage, encodeReady, GREETING, PING } from "./codec.ts";
import { Decoder, type Item } from "./decoder.ts";
import { End } from "./end.ts";

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
const BOUNDS = { frames: 8, command: 4_096 };
/** Room in a message beside its longest frame, bytes. */
const ENVELOPE = 1_024;

/** Why a connection ends whose server is too busy, or none. */
export const NO_HANDSHAKE = "no handshake in time";

/** Socket types that our types may talk to. */
const PARTNERS = {
  DEALER: new Set(["ROUTER", "REP", "DEALER"]),
  REQ: new Set(["ROUTER", "REP"]),
};

/** What a connection needs of its channel. */
interface Owner {
  readonly options: ConnectOptions;
  readonly endpoint: Endpoint;
  /** How long the server may take to say what it is once there is a connection, in ticks. */
  readonly handshakeTicks: number;
  opened(): void;
  /** Called once, last; never before the constructor returned. */
  lost(why: string): void;
}

export class Connection extends End {
  readonly #owner: Owner;
  readonly #type: keyof typeof PARTNERS;
  readonly #commands: Bucket = new Bucket(COMMANDS, performance.now());
  #due = false;
  /** There is a connection, though perhaps nobody has accepted it. */
  #connected = false;
  /** Ticks since something was heard (before READY: since the last step), and bytes written before. */
  #quiet = 0;
  #writtenWhenHeard = 0;

  constructor(owner: Owner) {
    const { maxFrame: frame = MAX_PACKET, type = "DEALER" } = owner.options;
    const decoder = new Decoder(BOUNDS, { frame, message: frame + ENVELOPE });
    super(connect({ ...owner.endpoint, noDelay: true }), decoder, "closed by the server");
    this.#owner = owner;
    this.#type = type;
    this.socket.on("connect", () => {
      this.#connected = true;
      this.#quiet = 0;
    });
    this.socket.write(Buffer.concat([GREETING, encodeReady(type)]));
  }

  send(frames: OutFrames): boolean {
    if (this.state !== "open") return false;
    const bytes = encodeMessage(this.#type === "REQ" ? ["", ...frames] : frames);
    if (this.writes.waiting + bytes.length > MAX_WAITING) return false;
    this.#put(bytes);
    return true;
  }

  cut(why: string): void {
    this.leave(why);
    this.socket.destroy();
  }

  /** Lets what was sent leave, for a short time, and ends. */
  async farewell(): Promise<void> {
    const open = this.state === "open";
    this.writes.flush();
    this.leave("closed");
    const closed = new AbortController();
    this.socket.on("close", () => closed.abort());
    if (open) this.socket.end(() => this.socket.destroy());
    else this.socket.destroy();
    await pause(FAREWELL_MS, closed.signal);
    this.socket.destroy();
  }

  /** Twice a second. Counts ticks, so that time in which this program stood still is no silence. */
  tick(): void {
    this.#quiet++;
    if (this.state === "greeting" || this.state === "ready") {
      const most = this.#connected ? this.#owner.handshakeTicks : CONNECT_WITHIN;
      if (this.#quiet > most) this.cut(this.#connected ? NO_HANDSHAKE : "no connection in time");
    } else if (this.state === "open" && this.pings) {
      const underWay = (this.writes.written - this.#writtenWhenHeard) / SLOW_LINE;
      if (this.#quiet >= Math.min(GONE_AFTER + underWay, MOST_SILENCE)) this.cut("silent");
      else if (this.#quiet >= PING_AFTER && this.#quiet % PING_AFTER === 0) this.#put(PING);
    }
  }

  protected arrived(chunk: Uint8Array): void {
    if (this.#gone) return;
    if (this.state === "open") this.#quiet = 0; // One byte a second is no handshake.
    this.#writtenWhenHeard = this.writes.written;
    this.decoder.feed(chunk);
    this.working = true;
    try {
      while (!this.#gone) {
        const item = this.decoder.next();
        if (!item) break;
        this.take(item);
      }
    } catch (error) {
      this.cut(`a listener failed: ${sentence(error)}`);
    }
    this.working = false;
    this.writes.flush();
  }

  get #gone(): boolean {
    return this.state === "gone";
  }

  protected override take(item: Item): void {
    if (item.kind === "command") {
      this.#commands.take(1, performance.now());
      if (this.#commands.empty(performance.now())) return this.cut("too many commands");
    }
    super.take(item);
  }

  protected deliver(frames: Frames): void {
    if (this.#type === "REQ") {
      if (frames.length < 2 || frames[0].length > 0) return this.cut("no delimiter");
      frames.shift();
    }
    const result: unknown = this.#owner.options.onMessage(frames);
    if (!(result instanceof Promise)) return;
    result.catch((error) => this.cut(`a listener failed: ${sentence(error)}`));
  }

  protected welcome(properties: ReadonlyMap<string, string>): void {
    const type = properties.get("socket-type");
    if (type === undefined) return this.cut("bad READY");
    const { protocol } = this.#owner.options;
    if (protocol !== undefined && !this.#speaks(protocol, properties)) return this.cut(FOREIGN);
    if (!PARTNERS[this.#type].has(type)) return this.cut("wrong Socket-Type");
    this.state = "open";
    this.#quiet = 0;
    this.decoder.open();
    this.#owner.opened();
  }

  /** Servers from before did not say what they speak; their engine was ours, and not libzmq. */
  #speaks(protocol: string, properties: ReadonlyMap<string, string>): boolean {
    const said = properties.get(PROTOCOL_PROPERTY.toLowerCase());
    return said === protocol || (said === undefined && this.padding === 0);
  }

  protected refused(why: string): void {
    this.cut(`refused: ${why}`);
  }

  protected answer(pong: Uint8Array): void {
    if (this.writes.waiting > MAX_WAITING) this.cut("bad PING");
    else this.#put(pong);
  }

  protected closed(why: string): void {
    this.#owner.lost(why);
  }

  /** Writes it with what waits: now, or at the end of this turn. */
  #put(bytes: Uint8Array): void {
    if (this.writes.put(bytes)) return void this.writes.flush();
    if (this.working || this.#due) return;
    this.#due = true;
    process.nextTick(() => {
      this.#due = false;
      this.writes.flush();
    });
  }
}
