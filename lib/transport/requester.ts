/** Requests over a channel: matches replies by id, gives up after a time, never hangs. */

import { Closed, Unreachable } from "../errors.ts";
import { decodeReply, encodeRequest } from "../protocol/codec.ts";
import type { Channel, ClientSecurity, Frames, Transport } from "./transport.ts";

export interface RequesterOptions {
  readonly transport: Transport;
  readonly address: string;
  readonly security?: ClientSecurity;
  /** What is at the address, for sentences: "the registry". */
  readonly what: string;
  /** Called for each reply, also one that comes too late. */
  heard?(): void;
}

interface Waiting {
  resolve(ok: Record<string, unknown>): void;
  reject(error: unknown): void;
  timer: ReturnType<typeof setTimeout>;
}

/** Requests of this channel that may wait at once. */
const MAX_WAITING = 10_000;

/** See the head of this file. */
export class Requester implements AsyncDisposable {
  readonly address: string;
  readonly #what: string;
  readonly #channel: Channel;
  readonly #heard: () => void;
  readonly #waiting = new Map<number, Waiting>();
  #id = 0;
  #closed = false;

  constructor({ transport, address, security, what, heard }: RequesterOptions) {
    this.address = address;
    this.#what = what;
    this.#heard = heard ?? (() => {});
    this.#channel = transport.connect({
      address,
      ...(security ? { security } : {}),
      onMessage: (frames) => this.#receive(frames),
    });
  }

  /**
   * The `ok` of the reply.
   *
   * @param timeout ms, default 4,000
   * @throws {Refusal} what the server answered; {Unreachable} nothing in time; {Closed}
   */
  request(op: string, fields: object, timeout = 4_000): Promise<Record<string, unknown>> {
    if (this.#closed) return Promise.reject(new Closed(`Cannot ask ${this.#what}: closed`));
    const id = ++this.#id;
    return new Promise((resolve, reject) => {
      if (
        this.#waiting.size >= MAX_WAITING || !this.#channel.send(encodeRequest(id, op, fields))
      ) {
        return reject(this.#unreachable("too much waits to be sent"));
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(this.#unreachable(`no answer within ${timeout / 1000} s`));
      }, timeout);
      this.#waiting.set(id, { resolve, reject, timer });
    });
  }

  #unreachable(why: string): Unreachable {
    return new Unreachable(
      this.address,
      `Cannot reach ${this.#what} at ${this.address}: ${why}; is it running?`,
    );
  }

  #receive(frames: Frames): void {
    let reply;
    try {
      reply = decodeReply(frames);
    } catch {
      return; // Not a reply of this protocol: the request that wanted one runs into its time-out.
    }
    this.#heard();
    const waiting = reply.id === null ? undefined : this.#waiting.get(reply.id);
    if (!waiting || reply.id === null) return;
    this.#waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if ("ok" in reply) waiting.resolve(reply.ok);
    else waiting.reject(reply.error);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new Closed(`Cannot ask ${this.#what}: closed`));
    }
    this.#waiting.clear();
    await this.#channel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
