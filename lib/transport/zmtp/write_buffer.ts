/** What waits to go out on one socket; what one turn of the event loop says leaves in one piece. */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** Bytes that are written at once rather than at the end of the turn. */
const WRITE_NOW = 65_536;

export class WriteBuffer {
  readonly #socket: Socket;
  #pending: Uint8Array[] = [];
  #bytes = 0;
  /** Bytes handed to the system or to the socket's queue, ever. */
  written = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes the system has not taken. */
  get waiting(): number {
    return this.#socket.writableLength + this.#bytes;
  }

  /** True when it is so much that `flush()` should not be put off. */
  put(bytes: Uint8Array): boolean {
    this.#pending.push(bytes);
    this.#bytes += bytes.length;
    return this.#bytes >= WRITE_NOW;
  }

  /** Writes what was put; false: there was nothing. */
  flush(): boolean {
    if (this.#bytes === 0) return false;
    const pending = this.#pending;
    this.written += this.#bytes;
    this.clear();
    // One buffer: a list of them costs more than copying these few bytes.
    this.#socket.write(pending.length === 1 ? pending[0] : Buffer.concat(pending));
    return true;
  }

  clear(): void {
    this.#pending = [];
    this.#bytes = 0;
  }
}
