/** A DEALER's or REQ's side: one server, connected to again and again. */

import { clearTimeout, setTimeout } from "node:timers";
import { performance } from "node:perf_hooks";
import { UsageError } from "../../errors.ts";
import { type Endpoint, isIpc, parseAddress } from "../../text/addresses.ts";
import { backoff } from "../waiting.ts";
import type { Channel, ConnectOptions, OutFrames } from "../transport.ts";
import { Connection, NO_HANDSHAKE } from "./connection.ts";
import { startTicking, stopTicking, TICK_MS } from "../ticker.ts";

/** Pause before another try, ms: doubled from the first to the last, a random half of it taken off. */
const [FIRST_PAUSE_MS, LAST_PAUSE_MS] = [50, 1_000];
/**
 * How long a server may take for its part of the handshake, in ticks: doubled each time that was too
 * short. Thousands that give up and come again keep a busy server from ever serving one of them.
 */
const [FIRST_HANDSHAKE, LAST_HANDSHAKE] = [3_000 / TICK_MS, 6_000 / TICK_MS];
/** A connection that lasted this long, ms, was a good one: the pauses begin anew. */
const GOOD_MS = 1_000;

export class ZmtpChannel implements Channel {
  readonly options: ConnectOptions;
  readonly endpoint: Endpoint;
  handshakeTicks = FIRST_HANDSHAKE;
  #connection: Connection | undefined;
  #openedAt: number | undefined;
  /** Tries and short connections one after the other. */
  #failed = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed: Promise<void> | undefined;

  /** @throws {UsageError} not an address */
  constructor(options: ConnectOptions) {
    const endpoint = parseAddress(options.address);
    if (!endpoint || endpoint.port === 0) {
      const wayOut = isIpc(options.address) ? "; ipc:// needs --transport libzmq" : "";
      throw new UsageError(`Cannot connect to ${options.address}: it should be HOST:PORT${wayOut}`);
    }
    this.options = options;
    this.endpoint = endpoint;
    startTicking(this);
    this.#connect();
  }

  send(frames: OutFrames): boolean {
    return this.#openedAt !== undefined && this.#connection!.send(frames);
  }

  reconnect(why: string): void {
    this.#connection?.cut(why);
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  tick(): void {
    this.#connection?.tick();
  }

  #connect(): void {
    this.#connection = new Connection(this);
  }

  opened(): void {
    this.handshakeTicks = FIRST_HANDSHAKE;
    this.#openedAt = performance.now();
    this.options.onConnected?.();
  }

  lost(why: string): void {
    const lasted = this.#openedAt === undefined ? 0 : performance.now() - this.#openedAt;
    this.#connection = this.#openedAt = undefined;
    if (this.#closed) return;
    if (lasted >= GOOD_MS) this.#failed = 0;
    if (why === NO_HANDSHAKE) {
      this.handshakeTicks = Math.min(LAST_HANDSHAKE, 2 * this.handshakeTicks);
    }
    const pause = backoff(this.#failed++, FIRST_PAUSE_MS, LAST_PAUSE_MS);
    this.#timer = setTimeout(() => this.#connect(), pause);
    try {
      this.options.onGone?.(why);
    } catch {
      // What a listener throws must not end the program; the connection it hears of has ended.
    }
  }

  async #close(): Promise<void> {
    stopTicking(this);
    clearTimeout(this.#timer);
    await this.#connection?.farewell();
  }
}
