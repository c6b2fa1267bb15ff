/** What nearly is right: recorded good requests, changed in every way a peer can be wrong. */

import { Buffer } from "node:buffer";
import { MAGIC } from "../../../lib/protocol/limits.ts";
import { KIND, TICKET_BYTES } from "../../../lib/session/packet.ts";
import { encodeMessage, encodeReady, GREETING, PING } from "../../../lib/transport/zmtp/codec.ts";
import type { Fault } from "./fault.ts";

/** Makes wrong requests, packets and bytes from good ones. */
export class Mutator {
  readonly #fault: Fault;
  readonly #good: readonly string[];

  /** @param good the JSON of requests */
  constructor(fault: Fault, good: readonly string[]) {
    this.#fault = fault;
    this.#good = good;
  }

  /** What a peer with a session might seal, at most so many bytes. */
  request(most: number): Uint8Array {
    for (;;) {
      const request = this.#request();
      if (request.length <= most) return request;
    }
  }

  #request(): Uint8Array {
    const json = this.#pick(this.#good);
    if (this.#fault.int(0, 10) === 0) return this.#bytes(2_000);
    return this.#fault.int(0, 2) === 0
      ? this.#changed(Buffer.from(json))
      : Buffer.from(this.#wrongField(json));
  }

  /** A message that a peer without a session might send, its frames. */
  frames(): Uint8Array[] {
    const fault = this.#fault;
    const packet = this.#changed(Buffer.concat([
      Uint8Array.of(this.#pick([...Object.values(KIND), 5, 255])),
      this.#exactly(this.#pick([0, 1, 16, 31, 32, 33, 32 + TICKET_BYTES, 500])),
    ]));
    switch (fault.int(0, 6)) {
      case 0:
        return [this.#bytes(8), packet];
      case 1: // a dialect, or nothing that anybody knows
        return [this.#changed(Buffer.from(this.#pick(this.#good)))];
      case 2: // another number of frames
        return Array.from({ length: fault.int(1, 12) }, () => this.#pick([MAGIC_BYTES, packet]));
      default:
        return [MAGIC_BYTES, packet];
    }
  }

  /** The bytes of a connection: none of ZMTP, or ZMTP that goes wrong anywhere. */
  stream(): Uint8Array {
    const fault = this.#fault;
    if (fault.int(0, 4) === 0) return this.#bytes(2_000);
    const ready = encodeReady(this.#pick(["DEALER", "REQ", "ROUTER", "PUB", "\u0000"]));
    const messages = Array.from({ length: fault.int(0, 6) }, () => encodeMessage(this.frames()));
    const good = [GREETING, ready, PING, ...messages];
    const bytes = Buffer.concat(good);
    return fault.int(0, 4) === 0 ? bytes : this.#changed(bytes);
  }

  /** One bit, a piece or some bytes of it are wrong. */
  #changed(bytes: Buffer): Buffer {
    const fault = this.#fault;
    if (bytes.length === 0) return bytes;
    const at = fault.int(0, bytes.length);
    switch (fault.int(0, 4)) {
      case 0:
        bytes[at] ^= 1 << fault.int(0, 8);
        return bytes;
      case 1:
        return bytes.subarray(0, at);
      case 2: // a piece twice
        return Buffer.concat([bytes.subarray(0, at), bytes]);
      default:
        return Buffer.concat([bytes.subarray(0, at), this.#bytes(64), bytes.subarray(at)]);
    }
  }

  /** A value of the right JSON in the wrong type, length or place. */
  #wrongField(json: string): string {
    const fault = this.#fault;
    const object = JSON.parse(json);
    const holder = this.#pick([object, ...Object.values(object).filter(isObject)]);
    const name = this.#pick(Object.keys(holder));
    holder[name] = this.#value(3);
    if (fault.int(0, 8) === 0) delete holder[this.#pick(Object.keys(holder))];
    return JSON.stringify(object);
  }

  #value(depth: number): unknown {
    const fault = this.#fault;
    const few = (most: number) => Array.from({ length: fault.int(0, most) });
    switch (fault.int(0, depth > 0 ? 12 : 10)) {
      case 0:
        return null;
      case 1:
        return fault.int(0, 2) === 0;
      case 2:
        return this.#pick([0, -1, 1.5, 2 ** 53, -(2 ** 53), 1e308, 256, 65_537]);
      case 3:
        return "x".repeat(this.#pick([0, 1, 43, 86, 129, 70_000]));
      case 4:
        return this.#pick(["\ud800", "\u0000", "\u202e\u001b[2J", "../../etc", "__proto__"]);
      case 5:
        return this.#bytes(40).toString("latin1");
      case 6:
        return this.#pick(["prove", "send", "constructor", "127.0.0.1:0", "-1:99999", "ffffffff"]);
      case 7:
        return few(300);
      case 8:
        return { __proto__: null, constructor: 1, toString: 2 };
      case 9:
        return fault.random(-1e9, 1e9);
      case 10:
        return few(6).map(() => this.#value(depth - 1));
      default:
        return Object.fromEntries(few(6).map((_, i) => [`f${i}`, this.#value(depth - 1)]));
    }
  }

  #bytes(most: number): Buffer {
    return this.#exactly(this.#fault.int(0, most));
  }

  #exactly(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#fault.int(0, 256)));
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#fault.int(0, from.length)];
  }
}

const MAGIC_BYTES = Buffer.from(MAGIC);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}
