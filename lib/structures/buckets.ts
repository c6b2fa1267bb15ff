/** How fast something may happen: tokens that come back at a steady rate. Pure: the time is handed in, ms. */

/** One bucket of tokens, full at the beginning. */
export class Bucket {
  readonly #rate: number;
  readonly #most: number;
  #tokens: number;
  #at: number;

  /** @param rate tokens a second; @param burst tokens at once after a pause, in seconds' worth */
  constructor(rate: number, now: number, burst = 2) {
    this.#rate = rate / 1_000;
    this.#most = this.#tokens = rate * burst;
    this.#at = now;
  }

  /** Takes tokens, also those there are not: they are owed. */
  take(amount: number, now: number): void {
    this.#fill(now);
    this.#tokens -= amount;
  }

  /** True when tokens are owed. */
  empty(now: number): boolean {
    if (this.#tokens >= 0) return false;
    this.#fill(now);
    return this.#tokens < 0;
  }

  /** How long until so many (at most the burst) may be taken without owing any, ms; 0: now. */
  wait(amount: number, now: number): number {
    this.#fill(now);
    const missing = Math.min(amount, this.#most) - this.#tokens;
    return missing <= 0 ? 0 : Math.ceil(missing / this.#rate);
  }

  #fill(now: number): void {
    const passed = now > this.#at ? now - this.#at : 0; // The date may go back.
    const tokens = this.#tokens + passed * this.#rate;
    this.#tokens = tokens > this.#most ? this.#most : tokens;
    this.#at = now;
  }
}

/** Those who are remembered; the one seen longest ago is forgotten, and has a full bucket again. */
const MOST = 20_000;

/** A bucket for each of many. A limit delays, it never loses. */
export class Buckets {
  readonly #rate: number;
  readonly #burst: number;
  readonly #most: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param rate tokens a second, Infinity lets everything through; @param burst tokens at once */
  constructor(rate: number, burst: number, most: number = MOST) {
    this.#rate = rate;
    this.#burst = burst;
    this.#most = most;
  }

  /** Takes `n` tokens (at most the burst): 0, or how many ms to wait; then nothing is taken. */
  take(who: string, n: number, now: number): number {
    if (this.#rate === Infinity) return 0;
    const bucket = this.#bucket(who, now);
    const wait = bucket.wait(n, now);
    if (wait === 0) bucket.take(Math.min(n, this.#burst), now);
    return wait;
  }

  /** Takes tokens for what was done already, also those that are not there yet. */
  charge(who: string, n: number, now: number): void {
    if (this.#rate === Infinity) return;
    this.#bucket(who, now).take(n, now);
  }

  /** Nothing is taken for it any more. */
  forget(who: string): void {
    this.#buckets.delete(who);
  }

  #bucket(who: string, now: number): Bucket {
    const bucket = this.#buckets.get(who) ?? new Bucket(this.#rate, now, this.#burst / this.#rate);
    this.#buckets.delete(who);
    this.#buckets.set(who, bucket);
    if (this.#buckets.size > this.#most) this.#buckets.delete(this.#buckets.keys().next().value!);
    return bucket;
  }
}
