/** Opens the packets of a live feed: each once, in order, with the key of their generation. */

import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { sealingKey } from "./noise.ts";
import { openFeed, readFeedHead } from "./packet.ts";

interface Generation {
  readonly text: string;
  readonly key: KeyObject;
  /** Counter of the last packet taken; -1 before the first. */
  last: number;
}

/** Generations whose keys are held: the one that ends, and the next. */
const HELD = 2;

/** Holds the keys of the last generations. */
export class FeedReader {
  #held = new Map<number, Generation>();
  /** Of an earlier session: what was taken there is not taken again. */
  #former: ReadonlyMap<number, Generation> = this.#held;
  /** The generation whose key was missing last. */
  #missing = -1;

  /** The key of a generation, base64url, as `subscribe` or a push gave it. */
  add(generation: number, text: string): void {
    const known = this.#held.get(generation) ?? this.#former.get(generation);
    const same = known?.text === text;
    const key = same ? known.key : sealingKey(Buffer.from(text, "base64url"));
    this.#held.delete(generation);
    this.#held.set(generation, { text, key, last: same ? known.last : -1 });
    if (this.#held.size > HELD) this.#held.delete(this.#held.keys().next().value!);
    this.#missing = -1;
  }

  /** From here on nothing opens until keys are added anew. */
  suspend(): void {
    if (this.#held.size === 0) return;
    this.#former = this.#held;
    this.#held = new Map();
    this.#missing = -1;
  }

  /**
   * The plaintext; undefined for a packet that is not behind the last one, or without a key.
   *
   * @param missing called with a generation whose key is not here, once
   * @throws {Error} it was changed on its way, or is no feed packet
   */
  read(packet: Uint8Array, missing: (generation: number) => void): Uint8Array | undefined {
    const head = readFeedHead(packet);
    if (!head) throw new Error("Cannot read a feed packet: its head is wrong");
    const generation = this.#held.get(head.generation);
    if (!generation) {
      const told = this.#missing === head.generation;
      this.#missing = head.generation;
      if (!told) missing(head.generation);
      return undefined;
    }
    if (head.counter <= generation.last) return undefined;
    const plaintext = openFeed(generation.key, head.counter, packet);
    generation.last = head.counter;
    return plaintext;
  }
}
