/** A DEALER that talks to one server, with or without the delimiter of a REQ socket. */

import { clearTimeout, setTimeout } from "node:timers";
import { sentence } from "../../errors.ts";
import { MAX_PACKET } from "../../protocol/limits.ts";
import type { Channel, ConnectOptions, Frames, OutFrames } from "../transport.ts";
import type { RawSocket, Watcher } from "./readiness.ts";
import { EngineSocket } from "./socket.ts";

/** Between giving a connection up and counting on another, ms. */
const AGAIN_MS = 50;

export class DealerChannel implements Channel {
  readonly #socket: EngineSocket;
  readonly #relink: () => void;
  readonly #options: ConnectOptions;
  readonly #delimited: boolean;
  /** Whether the owner was told of the present connection. */
  #connected = false;
  #telling: ReturnType<typeof setTimeout> | undefined;

  /** `relink` gives the connection up, with what waits in it, and makes another. */
  constructor(
    socket: RawSocket,
    watcher: Watcher | undefined,
    relink: () => void,
    options: ConnectOptions,
  ) {
    this.#relink = relink;
    this.#options = options;
    this.#delimited = options.type === "REQ";
    this.#socket = new EngineSocket({
      socket,
      watcher,
      maxFrame: options.maxFrame ?? MAX_PACKET,
      onMessage: (frames) => this.#arrived(frames),
      onFailure: (why) => this.reconnect(why),
      onStuck: () => this.reconnect("what was sent does not go out"),
    });
    this.#tellSoon(0);
  }

  send(frames: OutFrames): boolean {
    if (!this.#connected) return false;
    return this.#socket.queue(this.#delimited ? ["", ...frames] : frames);
  }

  reconnect(why: string): void {
    if (!this.#connected || this.#socket.closed) return;
    this.#connected = false;
    this.#socket.forget();
    let reason = why;
    try {
      this.#relink();
    } catch (error) {
      reason = `${why}; no other connection: ${sentence(error)}`;
    }
    this.#socket.mayHaveEatenEdge();
    this.#tellSoon(AGAIN_MS);
    this.#call(() => this.#options.onGone?.(reason));
  }

  async close(): Promise<void> {
    this.#connected = false;
    clearTimeout(this.#telling);
    await this.#socket.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #tellSoon(ms: number): void {
    this.#telling = setTimeout(() => {
      this.#connected = true;
      this.#call(() => this.#options.onConnected?.());
    }, ms);
  }

  #arrived(frames: Frames): void {
    if (!this.#connected) return; // of a connection given up
    if (this.#delimited && (frames[0].length > 0 || frames.length < 2)) return;
    this.#call(() => this.#options.onMessage(this.#delimited ? frames.slice(1) : frames));
  }

  /** What a callback throws ends the connection, never the program. */
  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.reconnect(`a message could not be taken: ${sentence(error)}`);
    }
  }
}
