/**
 * Counts messages in frames of the live feed. All members get the same frames: what one holds is
 * read once and remembered by the seq it begins with.
 */

import type { FrameHead } from "./zmtp.ts";

/** `{"epoch":"<36 characters>","from":` comes before the digits. */
const FROM = 49;
const DIGITS = 55;
const F = "f".charCodeAt(0);
const ZERO = "0".charCodeAt(0);
const NINE = "9".charCodeAt(0);

const decoder = new TextDecoder();

/** See the head of this file. */
export class FeedCounter {
  readonly #counts = new Map<number, number>();
  #base = Infinity;

  /** Ordinals begin anew with the next frame. */
  start(): void {
    this.#counts.clear();
    this.#base = Infinity;
  }

  /** A payload; false when all of it is needed and has not come. */
  frame(
    buffer: Uint8Array,
    { body, length }: FrameHead,
    end: number,
    counted: (messages: number, ordinal: number) => void,
  ): boolean {
    if (length < DIGITS || buffer[body + FROM] !== F) return true;
    let from = 0;
    for (let at = body + DIGITS; buffer[at] >= ZERO && buffer[at] <= NINE; at++) {
      from = from * 10 + buffer[at] - ZERO;
    }
    let messages = this.#counts.get(from);
    if (messages === undefined) {
      if (end < body + length) return false;
      messages = countIn(buffer.subarray(body, body + length));
      this.#counts.set(from, messages);
    }
    if (messages === 0) return true;
    if (this.#base === Infinity) this.#base = from;
    counted(messages, from - this.#base);
    return true;
  }
}

function countIn(payload: Uint8Array): number {
  const { batches } = JSON.parse(decoder.decode(payload)) as {
    batches: { kind: string; count: number }[];
  };
  return batches.reduce((sum, { kind, count }) => sum + (kind === "message" ? count : 0), 0);
}
