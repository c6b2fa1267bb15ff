/** How much each IP may ask: a bucket of tokens for each, that refills. Pure but for the clock given. */

interface Bucket {
  tokens: number;
  at: number;
}

/** IPs remembered; beyond it the one seen first is forgotten, and has a full bucket again. */
const MAX_BUCKETS = 20_000;

/** See the head of this file. */
export class Buckets {
  readonly #rate: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param rate tokens a second @param burst tokens at once after a pause */
  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
  }

  /** Takes a token: 0, or how many ms to wait; then none is taken. `now` in ms. */
  take(who: string, now: number): number {
    const bucket = this.#bucket(who, now);
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) * 1_000 / this.#rate);
    bucket.tokens--;
    return 0;
  }

  /** Takes tokens for what was done already, also those that are not there yet. */
  charge(who: string, tokens: number, now: number): void {
    this.#bucket(who, now).tokens -= tokens;
  }

  #bucket(who: string, now: number): Bucket {
    let bucket = this.#buckets.get(who);
    if (!bucket) {
      if (this.#buckets.size >= MAX_BUCKETS) {
        this.#buckets.delete(this.#buckets.keys().next().value!);
      }
      this.#buckets.set(who, bucket = { tokens: this.#burst, at: now });
    }
    const passed = Math.max(0, now - bucket.at);
    bucket.tokens = Math.min(this.#burst, bucket.tokens + passed * this.#rate / 1_000);
    bucket.at = now;
    return bucket;
  }
}
