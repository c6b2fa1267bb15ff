/**
 * Watches the memory that is not JavaScript's: frames that libzmq holds for peers that never end
 * a message, of which nobody is told. Unknown peers are shed first, by opening the door's socket
 * anew; everyone when memory grows on in spite of it.
 *
 * What is freed stays with malloc, so memory does not fall back after a cut and a new floor would
 * let the next flood hold as much again on top. The floor therefore never rises: above it the door
 * is opened anew again and again, at once while memory grows, more and more seldom while it does
 * not. An honest knock takes milliseconds and hardly notices.
 */

import process from "node:process";

const EVERY = 100;
/** Growth beyond the lowest ever at which unknown peers are shed, bytes. */
const SHED_UNKNOWN = 48 * 1_048_576;
/** Growth at which everyone is, because the unknown ones did not hold it, bytes. */
const SHED_ALL = 128 * 1_048_576;
/** Growth since the last cut that shows that somebody goes on, bytes. */
const GROWTH = 4 * 1_048_576;
/** Between two cuts of unknown peers: at first, and at last, ms. */
const [SOON, SELDOM] = [250, 30_000];
/** Between two cuts of everyone, ms. */
const ALL_PAUSE = 2_000;

export interface WatchdogOptions {
  /** Resident memory at which every connection is cut, bytes. */
  readonly limit: number;
  /** Cuts the peers at the door. */
  shedUnknown(): Promise<void>;
  /** Cuts every peer. */
  shedAll(): Promise<void>;
  warn(text: string): void;
  /** Resident memory and JavaScript's part of it, bytes; default those of the process. */
  memory?(): { readonly rss: number; readonly heapTotal: number };
  /** ms that only go forward; default `performance.now`. */
  now?(): number;
}

/** See the head of this file. Looks every 100 ms from the start on. */
export class Watchdog {
  readonly #options: WatchdogOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #lowest = Infinity;
  #highest = 0;
  #interval = SOON;
  #shedAt = -Infinity;
  #shedAllAt = -Infinity;
  #working: Promise<void> | undefined;

  constructor(options: WatchdogOptions) {
    this.#options = options;
    this.look();
    this.#timer = setInterval(() => this.look(), EVERY);
  }

  /** Looks now. */
  look(): void {
    if (this.#working) return;
    const { limit, shedUnknown, shedAll, memory = process.memoryUsage, now } = this.#options;
    const { rss, heapTotal } = memory();
    const native = rss - heapTotal;
    const time = (now ?? (() => performance.now()))();
    this.#lowest = Math.min(this.#lowest, native);
    const above = native - this.#lowest;
    const grows = native > this.#highest + GROWTH;
    const atLimit = rss > limit && native > limit / 2;
    if ((atLimit || (grows && above > SHED_ALL)) && time - this.#shedAllAt > ALL_PAUSE) {
      this.#highest = Math.max(this.#highest, native);
      this.#shedAllAt = time;
      return this.#shed(shedAll, "Cutting every connection: peers hold too much memory");
    }
    if (above <= SHED_UNKNOWN) {
      this.#interval = SOON;
      return;
    }
    if (!grows && time - this.#shedAt < this.#interval) return;
    const text = grows ? "Cutting unknown peers: they hold too much memory" : undefined;
    this.#interval = grows ? SOON : Math.min(SELDOM, 2 * this.#interval);
    this.#highest = Math.max(this.#highest, native);
    this.#shedAt = time;
    this.#shed(shedUnknown, text);
  }

  #shed(cut: () => Promise<void>, text: string | undefined): void {
    const { warn } = this.#options;
    if (text) warn(text);
    this.#working = cut().catch((error) => warn(String(error))).finally(() => {
      this.#working = undefined;
    });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#working;
  }
}
