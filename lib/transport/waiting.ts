/** Waiting: for how long before another try, and how to end it early. */

import { setTimeout } from "node:timers/promises";

/** `first` ms, doubling to `most`, each between half and all of that (jitter). */
export function backoff(
  attempt: number,
  first: number,
  most: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(most, first * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random();
}

/** Resolves after `ms`, or at once when the signal is aborted. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {});
}

/** What the work gives, or at once an error when the signal is aborted first. */
export function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  why: () => Error,
): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(why());
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** For those who wait to ask again, and need not wait any longer when something is heard. */
export class Rest {
  #woken = new AbortController();
  #resting = 0;

  /** Resolves after `ms`, or when the rest is ended. */
  async until(ms: number): Promise<void> {
    this.#resting++;
    await pause(ms, this.#woken.signal);
    this.#resting--;
  }

  /** Ends it for all who rest now. */
  end(): void {
    if (this.#resting === 0) return;
    this.#woken.abort();
    this.#woken = new AbortController();
  }
}
