/**
 * Makes the pages that are asked for: for each connection one after the other, and none while it
 * does not take what it has. A request that waits holds a hundred bytes, a page half a megabyte.
 */

import { setImmediate, setTimeout } from "node:timers/promises";

/** A connection, as far as pages care. */
export interface Reader {
  readonly open: boolean;
  /** `waiting`: bytes that it has not taken. */
  readonly peer: { readonly waiting: number };
}

/** Bytes that may wait to go out when another page is made. */
const MOST_WAITING = 1_048_576;
/** Between two looks at who takes nothing, ms. */
const LOOK_EVERY = 50;

/** A page that is asked for: one of both is called. */
export interface Page {
  /** Must not reject. */
  make(): Promise<void>;
  /** The connection or its session is over. */
  drop(): void;
}

/** Pages that wait. Bounded by the requests that a connection may have under way. */
export class Pages {
  readonly #waiting = new Map<Reader, Page[]>();

  /** Connections for which pages are made. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Makes a page when it is its turn, the first one at once. */
  add(reader: Reader, page: Page): void {
    const queue = this.#waiting.get(reader);
    if (queue) return void queue.push(page);
    const first = [page];
    this.#waiting.set(reader, first);
    void this.#make(reader, first);
  }

  async #make(reader: Reader, queue: Page[]): Promise<void> {
    while (queue.length > 0 && reader.open) {
      if (reader.peer.waiting > MOST_WAITING) {
        await setTimeout(LOOK_EVERY);
        continue;
      }
      await queue.shift()!.make();
      if (queue.length > 0) await setImmediate(); // Everything else has its turn.
    }
    this.#waiting.delete(reader);
    for (const page of queue) page.drop();
  }
}
