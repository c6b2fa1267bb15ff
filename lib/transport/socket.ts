/** One ZeroMQ socket that is read for ever, written without waiting, and closed safely. */

import { Buffer } from "node:buffer";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { type RawSocket, turn, type Watched, type Watcher } from "./readiness.ts";
import type { Frames, OutFrames } from "./transport.ts";

const ZMQ_EVENTS = 15;
const POLLIN = 1;
const POLLOUT = 2;

/** Messages taken before the event loop may do something else. */
const BURST = 256;

/** The out-queue of a channel: what waits above the engine's own high-water mark. */
const MAX_QUEUED = 10_000;
const MAX_QUEUED_BYTES = 64 * 1_048_576;

/** Between two looks whether a full engine has room again, in ms; doubled up to the second. */
const [RETRY_MS, MAX_RETRY_MS] = [2, 64];
/** A server that refused the handshake ends the connection for good: then make another. */
const STUCK_MS = 3_000;

/** The longest frame that may travel, in bytes, either way. */
export const MAX_FRAME = 1_048_576;

/** `refused`: messages that a peer gone or too slow did not take. */
export const socketCounters = { refused: 0 };

export interface PortOptions {
  readonly socket: RawSocket;
  /** Undefined: the engine waits by itself. */
  readonly watcher: Watcher | undefined;
  /** What it throws is thrown again as an uncaught exception, after the messages behind it. */
  onMessage(frames: Frames): void;
  /** True: the next message leaves the engine only after `onMessage` returned. */
  readonly oneByOne?: boolean;
  /** Gives the connection up, with what waits in it, and makes another. */
  reconnect?(): void;
}

export class Port implements Watched {
  readonly socket: RawSocket;
  readonly #watcher: Watcher | undefined;
  readonly #onMessage: (frames: Frames) => void;
  readonly #burst: number;
  readonly #reconnect: (() => void) | undefined;
  readonly #queue: OutFrames[] = [];
  #queuedBytes = 0;
  #closed = false;
  #draining = false;
  #discarding = false;
  #flushing = false;
  #lookDue = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_MS;
  #stuckSince: number | undefined;

  constructor({ socket, watcher, onMessage, oneByOne = false, reconnect }: PortOptions) {
    this.socket = socket;
    this.#watcher = watcher;
    this.#onMessage = onMessage;
    this.#burst = oneByOne ? 1 : BURST;
    this.#reconnect = reconnect;
    if (watcher) watcher.add(this);
    else void this.#receiveForever();
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Hands a message to the engine now, or never: for sockets that drop rather than wait. */
  post(frames: OutFrames): boolean {
    if (this.#closed || measure(frames) === Infinity) return false;
    this.socket.send(frames).catch(countRefused);
    this.#mayHaveEatenEdge();
    return true;
  }

  /** Hands a message to the engine in order, keeping it while the engine is full; false: no room. */
  queue(frames: OutFrames): boolean {
    const bytes = this.#queuedBytes + measure(frames);
    if (this.#closed || this.#queue.length >= MAX_QUEUED || bytes > MAX_QUEUED_BYTES) return false;
    this.#queue.push(frames);
    this.#queuedBytes = bytes;
    void this.#flush();
    return true;
  }

  /** Drops all that has arrived and is not yet delivered. */
  discardArrived(): void {
    this.#discarding = true;
  }

  /** Gives the connection up, with what waits in the engine; what waits here goes on. */
  reconnect(): void {
    if (this.#closed) return;
    this.#reconnect?.();
    this.#mayHaveEatenEdge();
  }

  /** See {@linkcode Watched.look}. */
  look(): boolean {
    if (this.#closed) return false;
    // One look for both: a second one could eat the news of a message that came after the first.
    const events = eventsOf(this.socket);
    const sends = (events & POLLOUT) !== 0 && this.#queue.length > 0 && !this.#flushing;
    const receives = (events & POLLIN) !== 0 && !this.#draining;
    if (sends) void this.#flush();
    if (receives) void this.#drain();
    return sends || receives;
  }

  /** What is not yet sent or delivered is dropped. Twice is harmless. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.length = 0;
    clearTimeout(this.#retry);
    this.socket.close();
    await this.#watcher?.remove(this);
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    let taken = 0;
    while (!this.#closed && this.socket.readable) {
      let last: Promise<void>;
      do {
        last = this.socket.receive().then(this.#deliver, this.#receiveFailed);
        taken++;
      } while (taken % this.#burst !== 0 && this.socket.readable);
      await last;
      if (this.#discarding) await this.#discard();
      if (taken % BURST === 0) await turn();
    }
    this.#draining = false;
  }

  async #receiveForever(): Promise<void> {
    for (let taken = 1; !this.#closed; taken++) {
      await this.socket.receive().then(this.#deliver, this.#receiveFailed);
      if (this.#discarding) await this.#discard();
      if (taken % BURST === 0) await turn();
    }
  }

  /** Until the engine itself says that nothing is left; `readable` would eat Node's wake-up. */
  async #discard(): Promise<void> {
    const timeout = this.#closed ? 0 : this.socket.receiveTimeout;
    let taken = 0;
    while (this.#discarding && !this.#closed) {
      this.socket.receiveTimeout = 0;
      await this.socket.receive().catch(() => {
        this.#discarding = false;
      });
      if (++taken % BURST === 0) await turn();
    }
    if (!this.#closed) this.socket.receiveTimeout = timeout;
  }

  readonly #deliver = (frames: Frames): void => {
    if (this.#closed) return;
    try {
      this.#onMessage(frames);
    } catch (error) {
      throwLater(error);
    }
  };

  readonly #receiveFailed = (error: unknown): Promise<void> | void => {
    if (this.#closed || codeOf(error) === "EAGAIN") return;
    throwLater(error);
    return turn();
  };

  /** In order, one at a time: a message must not overtake one that the engine had no room for. */
  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#queue.length > 0 && !this.#closed) {
      const sent = await this.socket.send(this.#queue[0]).then(yes, isNotFull);
      this.#mayHaveEatenEdge();
      if (!sent) {
        this.#retryLater();
        break;
      }
      this.#stuckSince = undefined;
      this.#retryMs = RETRY_MS;
      const gone = this.#queue.shift();
      if (gone) this.#queuedBytes -= measure(gone);
    }
    this.#flushing = false;
  }

  #retryLater(): void {
    if (this.#closed || this.#retry !== undefined) return;
    const now = performance.now();
    this.#stuckSince ??= now;
    if (now - this.#stuckSince > STUCK_MS) {
      this.#stuckSince = now;
      this.reconnect();
    }
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#flush();
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
  }

  /** A send takes in what the engine's I/O thread reports, and with it the news of a message. */
  #mayHaveEatenEdge(): void {
    if (this.#watcher === undefined || this.#draining || this.#lookDue) return;
    this.#lookDue = true;
    queueMicrotask(this.#lookAgain);
  }

  readonly #lookAgain = (): void => {
    this.#lookDue = false;
    this.look();
  };
}

/** What the engine says a socket can do now; a signal to this process may interrupt the question. */
function eventsOf(socket: RawSocket): number {
  for (;;) {
    try {
      return socket.getInt32Option(ZMQ_EVENTS);
    } catch (error) {
      if (codeOf(error) !== "EINTR") throw error;
    }
  }
}

const yes = (): boolean => true;

/** A message that can never be sent is dropped, so that it does not stop those behind it. */
function isNotFull(error: unknown): boolean {
  return codeOf(error) !== "EAGAIN";
}

function countRefused(): void {
  socketCounters.refused++;
}

/** The size of a message in bytes, about; Infinity when a frame is above {@linkcode MAX_FRAME}. */
function measure(frames: OutFrames): number {
  let total = 0;
  for (const frame of frames) {
    let length = frame.length;
    if (typeof frame === "string" && length > MAX_FRAME / 3) length = Buffer.byteLength(frame);
    if (length > MAX_FRAME) return Infinity;
    total += length;
  }
  return total;
}

/** Node and Deno end the process for it unless a listener of `uncaughtException` takes it. */
function throwLater(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}
