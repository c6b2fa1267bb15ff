/** Takes the packets of the live feed out of what a server sends, as a feed may drop them. */

import { Buffer } from "node:buffer";
import { KIND } from "../../../lib/session/packet.ts";
import { GREETING_BYTES, LONG, MORE } from "../../../lib/transport/zmtp/codec.ts";

/** One direction of a connection that speaks ZMTP 3. */
export class Sieve {
  /** While true, packets of the feed are left out. */
  closed = false;
  #rest: Buffer = Buffer.alloc(0);
  #greeted = false;
  /** Frames of the message that is not whole. */
  #message: Buffer[] = [];

  /** What passes now; what is not whole waits. */
  pass(chunk: Buffer): Buffer {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const passed: Buffer[] = [];
    if (!this.#greeted && this.#rest.length >= GREETING_BYTES) {
      passed.push(this.#take(GREETING_BYTES));
      this.#greeted = true;
    }
    for (let size = this.#next(); size <= this.#rest.length; size = this.#next()) {
      const frame = this.#take(size);
      this.#message.push(frame);
      if (frame[0] & MORE) continue;
      // The frame's own head is before the packet's first byte.
      const kind = frame[frame[0] & LONG ? 9 : 2];
      if (!(this.closed && this.#message.length > 1 && kind === KIND.feed)) {
        passed.push(...this.#message);
      }
      this.#message = [];
    }
    return Buffer.concat(passed);
  }

  #take(size: number): Buffer {
    const taken = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(size);
    return taken;
  }

  /** Bytes of the next frame, its head included; Infinity when its head is not here. */
  #next(): number {
    if (!this.#greeted || this.#rest.length < 2) return Infinity;
    if (!(this.#rest[0] & LONG)) return 2 + this.#rest[1];
    return this.#rest.length < 9 ? Infinity : 9 + Number(this.#rest.readBigUInt64BE(1));
  }
}
