/**
 * Counts messages in packets of the live feed. All members get the same ones: what one holds is
 * opened and read once, and remembered by its generation and counter.
 */

import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { sealingKey } from "../../lib/session/noise.ts";
import { openFeed, readFeedHead } from "../../lib/session/packet.ts";
import type { FrameHead } from "./zmtp.ts";

/** What a packet holds: so many messages, the first of which has this seq. */
interface Held {
  readonly messages: number;
  readonly from: number;
}

interface Entries {
  readonly batches?: readonly {
    readonly kind: string;
    readonly first: number;
    readonly count: number;
  }[];
}

const decoder = new TextDecoder();

/** See the head of this file. */
export class FeedCounter {
  readonly #keys = new Map<number, KeyObject>();
  readonly #held = new Map<string, Held>();
  #base = Infinity;

  /** The key of a generation, base64url, as `subscribe` gives it. */
  learn(generation: number, key: string): void {
    this.#keys.set(generation, sealingKey(Buffer.from(key, "base64url")));
  }

  /** Ordinals begin anew with the next packet that holds messages. */
  start(): void {
    this.#held.clear();
    this.#base = Infinity;
  }

  /** A packet; false when all of it is needed and has not come. */
  packet(
    buffer: Uint8Array,
    { body, length }: FrameHead,
    end: number,
    counted: (messages: number, ordinal: number) => void,
  ): boolean {
    const head = readFeedHead(buffer.subarray(body, body + length));
    if (!head) throw new Error("The group sent a feed packet without a head");
    const name = `${head.generation} ${head.counter}`;
    let held = this.#held.get(name);
    if (!held) {
      if (end < body + length) return false;
      const key = this.#keys.get(head.generation);
      if (!key) return true; // It came in one read with its key: nothing is counted yet.
      held = read(openFeed(key, head.counter, buffer.subarray(body, body + length)));
      this.#held.set(name, held);
    }
    if (held.messages === 0) return true;
    if (this.#base === Infinity) this.#base = held.from;
    counted(held.messages, held.from - this.#base);
    return true;
  }
}

function read(payload: Uint8Array): Held {
  const { batches = [] } = JSON.parse(decoder.decode(payload)) as Entries;
  const messages = batches.filter(({ kind }) => kind === "message");
  const count = messages.reduce((sum, { count }) => sum + count, 0);
  return { messages: count, from: messages[0]?.first ?? 0 };
}
