/** Token buckets: how fast one identity may ask. A limit delays, it never loses. */

/** Buckets kept; beyond it full ones are forgotten, then the oldest, so many at once. */
const MAX_BUCKETS = 20_000;
const ROOM = MAX_BUCKETS / 8;

interface Bucket {
  tokens: number;
  at: number;
}

/** One bucket for each key; each refills at `rate` a second up to `burst`. */
export class Buckets {
  readonly #rate: number;
  readonly #burst: number;
  readonly #buckets = new Map<string, Bucket>();

  /** @param rate tokens a second; Infinity lets everything through */
  constructor(rate: number, burst: number) {
    this.#rate = rate;
    this.#burst = burst;
  }

  /** Takes `n` tokens (at most the burst): 0, or how many ms to wait; then nothing is taken. */
  take(key: string, n: number, now: number): number {
    if (this.#rate === Infinity) return 0;
    const bucket = this.#bucket(key, now);
    const passed = Math.max(0, now - bucket.at);
    bucket.tokens = Math.min(this.#burst, bucket.tokens + (passed * this.#rate) / 1_000);
    bucket.at = now;
    const wanted = Math.min(n, this.#burst);
    if (bucket.tokens >= wanted) {
      bucket.tokens -= wanted;
      return 0;
    }
    return Math.ceil(((wanted - bucket.tokens) * 1_000) / this.#rate);
  }

  /** Nothing is taken for the key any more. */
  forget(key: string): void {
    this.#buckets.delete(key);
  }

  #bucket(key: string, now: number): Bucket {
    const known = this.#buckets.get(key);
    if (known) return known;
    if (this.#buckets.size >= MAX_BUCKETS) this.#forget(now);
    const bucket = { tokens: this.#burst, at: now };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  #forget(now: number): void {
    const refill = (this.#burst * 1_000) / this.#rate;
    for (const [key, { at }] of this.#buckets) if (now - at > refill) this.#buckets.delete(key);
    while (this.#buckets.size > MAX_BUCKETS - ROOM) {
      this.#buckets.delete(this.#buckets.keys().next().value!);
    }
  }
}
