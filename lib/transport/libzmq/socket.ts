/** One ZeroMQ socket that is read for ever, written without waiting, and closed safely. */

import { Buffer } from "node:buffer";
import { clearTimeout, setTimeout } from "node:timers";
import { codeOf } from "../binding.ts";
import type { Frames, OutFrames } from "../transport.ts";
import { type RawSocket, turn, type Watched, type Watcher } from "./readiness.ts";

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
/** After a receive that failed for no known reason, ms. */
const FAILED_MS = 50;

interface EngineSocketOptions {
  readonly socket: RawSocket;
  /** Undefined: the engine waits by itself. */
  readonly watcher: Watcher | undefined;
  /** Longest frame that may be sent, bytes. */
  readonly maxFrame: number;
  /** Must not throw. */
  onMessage(frames: Frames): void;
  /** The socket cannot be read, for now, for this reason. */
  onFailure(why: string): void;
  /** Nothing of what {@linkcode EngineSocket.queue} took has moved for {@linkcode STUCK_MS}. */
  onStuck?(): void;
}

export class EngineSocket implements Watched {
  readonly socket: RawSocket;
  closed = false;
  readonly #options: EngineSocketOptions;
  #queue: OutFrames[] = [];
  #queuedBytes = 0;
  #draining = false;
  #flushing = false;
  #lookDue = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_MS;
  #stuckSince: number | undefined;

  constructor(options: EngineSocketOptions) {
    this.socket = options.socket;
    this.#options = options;
    if (options.watcher) options.watcher.add(this);
    else void this.#receiveForever();
  }

  /** Hands a message to the engine now, or never; a refusal comes afterwards, with its code. */
  post(frames: OutFrames, onRefused: (code: string | undefined) => void): boolean {
    if (this.closed || measure(frames, this.#options.maxFrame) === Infinity) return false;
    this.socket.send(frames).catch((error) => {
      if (!this.closed) onRefused(codeOf(error));
    });
    this.mayHaveEatenEdge();
    return true;
  }

  /** Hands a message to the engine in order, keeping it while the engine is full; false: no room. */
  queue(frames: OutFrames): boolean {
    const bytes = this.#queuedBytes + measure(frames, this.#options.maxFrame);
    if (this.closed || this.#queue.length >= MAX_QUEUED || bytes > MAX_QUEUED_BYTES) return false;
    this.#queue.push(frames);
    this.#queuedBytes = bytes;
    void this.#flush();
    return true;
  }

  /** Drops what was queued and did not reach the engine. */
  forget(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#stuckSince = undefined;
  }

  /** See {@linkcode Watched.look}. */
  look(): boolean {
    if (this.closed) return false;
    // One look for both: a second one could eat the news of a message that came after the first.
    const events = eventsOf(this.socket);
    const sends = (events & POLLOUT) !== 0 && this.#queue.length > 0 && !this.#flushing;
    const receives = (events & POLLIN) !== 0 && !this.#draining;
    if (sends) void this.#flush();
    if (receives) void this.#drain();
    return sends || receives;
  }

  /**
   * Call after an operation on the socket: it takes in what the engine's I/O thread reports, and
   * with it the news of a message.
   */
  mayHaveEatenEdge(): void {
    if (this.#options.watcher === undefined || this.#draining || this.#lookDue) return;
    this.#lookDue = true;
    queueMicrotask(this.#lookAgain);
  }

  /** What is not yet sent or delivered is dropped. Twice is harmless. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.forget();
    clearTimeout(this.#retry);
    this.socket.close();
    await this.#options.watcher?.remove(this);
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    let taken = 0;
    while (!this.closed && this.socket.readable) {
      let last: Promise<void>;
      do {
        last = this.socket.receive().then(this.#deliver, this.#receiveFailed);
        taken++;
      } while (taken % BURST !== 0 && this.socket.readable);
      await last;
      if (taken % BURST === 0) await turn();
    }
    this.#draining = false;
  }

  async #receiveForever(): Promise<void> {
    for (let taken = 1; !this.closed; taken++) {
      await this.socket.receive().then(this.#deliver, this.#receiveFailed);
      if (taken % BURST === 0) await turn();
    }
  }

  readonly #deliver = (frames: Frames): void => {
    if (!this.closed) this.#options.onMessage(frames);
  };

  readonly #receiveFailed = (error: unknown): Promise<void> | void => {
    if (this.closed || codeOf(error) === "EAGAIN") return;
    this.#options.onFailure(`cannot receive: ${codeOf(error) ?? String(error)}`);
    return new Promise((resolve) => setTimeout(resolve, FAILED_MS));
  };

  /** In order, one at a time: a message must not overtake one that the engine had no room for. */
  async #flush(): Promise<void> {
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#queue.length > 0 && !this.closed) {
      const queue = this.#queue;
      const sent = await this.socket.send(queue[0]).then(yes, isNotFull);
      this.mayHaveEatenEdge();
      if (queue !== this.#queue) continue; // forgotten meanwhile
      if (!sent) {
        this.#retryLater();
        break;
      }
      this.#stuckSince = undefined;
      this.#retryMs = RETRY_MS;
      const gone = queue.shift();
      if (gone) this.#queuedBytes -= measure(gone, this.#options.maxFrame);
    }
    this.#flushing = false;
  }

  #retryLater(): void {
    if (this.closed || this.#retry !== undefined) return;
    const now = performance.now();
    this.#stuckSince ??= now;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#flush();
    }, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, MAX_RETRY_MS);
    if (now - this.#stuckSince <= STUCK_MS) return;
    this.#stuckSince = now;
    this.#options.onStuck?.();
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

/** The size of a message in bytes, about; Infinity when a frame is longer than `maxFrame`. */
function measure(frames: OutFrames, maxFrame: number): number {
  let total = 0;
  for (const frame of frames) {
    let length = frame.length;
    if (typeof frame === "string" && length > maxFrame / 3) length = Buffer.byteLength(frame);
    if (length > maxFrame) return Infinity;
    total += length;
  }
  return total;
}
