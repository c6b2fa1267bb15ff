/** Frames that nearly are requests: recorded good ones, changed in every way a peer can be wrong. */

import { Buffer } from "node:buffer";
import type { Fault } from "./fault.ts";

/** Makes mutated messages from good ones. */
export class Mutator {
  readonly #fault: Fault;
  readonly #good: readonly (readonly string[])[];

  constructor(fault: Fault, good: readonly (readonly string[])[]) {
    this.#fault = fault;
    this.#good = good;
  }

  /** The next message, its frames. */
  next(): Uint8Array[] {
    const fault = this.#fault;
    let [magic, json]: Buffer[] = this.#pick(this.#good).map((text) => Buffer.from(text));
    switch (fault.int(0, 10)) {
      case 0: // one bit
        json[fault.int(0, json.length)] ^= 1 << fault.int(0, 8);
        break;
      case 1: // cut anywhere
        json = json.subarray(0, fault.int(0, json.length));
        break;
      case 2: // a piece twice
        json = Buffer.concat([json.subarray(0, fault.int(0, json.length)), json]);
        break;
      case 3: { // random bytes inside
        const at = fault.int(0, json.length);
        json = Buffer.concat([json.subarray(0, at), this.#bytes(64), json.subarray(at)]);
        break;
      }
      case 4:
        magic = this.#bytes(8);
        break;
      case 5: // another number of frames
        return Array.from({ length: fault.int(1, 12) }, () => this.#pick([magic, json]));
      case 6:
        return [magic, this.#bytes(2_000)];
      default:
        json = Buffer.from(this.#wrongField(json.toString()));
    }
    return [magic, json];
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
        return this.#pick(["hello", "send", "constructor", "127.0.0.1:0", "-1:99999", "ffffffff"]);
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
    return Buffer.from(
      Array.from({ length: this.#fault.int(0, most) }, () => this.#fault.int(0, 256)),
    );
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#fault.int(0, from.length)];
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.keys(value).length > 0;
}
