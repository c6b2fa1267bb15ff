/** Clocks of programs under test, which can be set. */

import { Buffer } from "node:buffer";
import { chmodSync, closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { Fault } from "./fault.ts";

/** A clock in a file that `preload/clock.c` reads. */
export class Clock {
  readonly file: string;
  readonly #fd: number;

  constructor(fault: Fault, name: string) {
    this.file = join(fault.folder, `${name}.clock`);
    this.#fd = openSync(this.file, "w+");
    chmodSync(this.file, 0o644);
    fault.onClose(() => closeSync(this.#fd));
    this.#write(0, 0);
    this.#write(8, 0);
  }

  /** The date is so many seconds ahead of the true one. */
  set(ahead: number): void {
    this.#write(0, ahead);
  }

  /** The clock that never jumps is so many ms behind the true one. */
  lag(ms: number): void {
    this.#write(8, -Math.round(ms * 1e6));
  }

  #write(at: number, value: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, 8, at);
  }
}
