/**
 * Which handshakes a server does next, and how much of its time they may take. Those with a good
 * ticket come first; those of strangers take a fifth of a core at most, measured, and take turns by
 * the IP they come from. Pure but for the clock handed in.
 */

/** Part of a core that handshakes of strangers take together at most. */
export const STRANGERS_SHARE = 0.2;
/** Part of a core that handshakes with a good ticket take together at most. */
export const TICKETS_SHARE = 0.5;
/** Time that an idle server has saved up for a rush, ms. */
const SAVED = 100;

/** A share of the time: what is spent comes back at its rate. Times in ms. */
export class Share {
  readonly #rate: number;
  #left: number;
  #at: number;

  constructor(rate: number, now: number) {
    this.#rate = rate;
    this.#left = SAVED;
    this.#at = now;
  }

  /** How long nothing more may be spent, ms; 0: now. */
  wait(now: number): number {
    this.#left = Math.min(SAVED, this.#left + (now - this.#at) * this.#rate);
    this.#at = now;
    return this.#left > 0 ? 0 : -this.#left / this.#rate + 1;
  }

  spend(ms: number): void {
    this.#left -= ms;
  }
}

/** Handshakes that wait for one budget: bounded in all and for each IP, taken in turns by IP. */
export class FairQueue<T> {
  readonly #byIp = new Map<string, Set<T>>();
  readonly #most: number;
  readonly #mostPerIp: number;
  #size = 0;

  constructor(most: number, mostPerIp: number) {
    this.#most = most;
    this.#mostPerIp = mostPerIp;
  }

  get size(): number {
    return this.#size;
  }

  /** False when there is no room. */
  add(ip: string, item: T): boolean {
    const own = this.#byIp.get(ip);
    if (this.#size >= this.#most || (own?.size ?? 0) >= this.#mostPerIp) return false;
    if (own) own.add(item);
    else this.#byIp.set(ip, new Set([item]));
    this.#size++;
    return true;
  }

  delete(ip: string, item: T): void {
    const own = this.#byIp.get(ip);
    if (!own?.delete(item)) return;
    if (own.size === 0) this.#byIp.delete(ip);
    this.#size--;
  }

  /** The oldest of the IP whose turn it is. */
  take(): T | undefined {
    for (const [ip, items] of this.#byIp) {
      this.#byIp.delete(ip); // Its next turn is behind all others.
      this.#byIp.set(ip, items);
      const [item] = items;
      this.delete(ip, item);
      return item;
    }
    return undefined;
  }
}
