/** What many tests need. */

import { setTimeout } from "node:timers/promises";

/**
 * Waits until `fn` gives a true value, and gives it back; fails after `ms` with `what`.
 *
 * @param ms what only a defect reaches, by which the event never comes: no promise. What is promised
 * in time (RELIABILITY.md 5) is measured by `tests/faults`, on a machine that nobody else uses
 */
export async function until<T>(
  fn: () => T | Promise<T>,
  ms: number,
  what: string,
): Promise<NonNullable<T>> {
  const end = performance.now() + ms;
  for (;;) {
    const value = await fn();
    if (value) return value;
    if (performance.now() > end) throw new Error(`Not within ${ms} ms: ${what}`);
    await setTimeout(5);
  }
}

/** Runs `body` and closes, last first, all that it handed to `keep`, also when it fails. */
export async function closing(
  body: (keep: <T extends AsyncDisposable>(one: T) => T) => Promise<void>,
): Promise<void> {
  const kept: AsyncDisposable[] = [];
  const keep = <T extends AsyncDisposable>(one: T): T => {
    kept.push(one);
    return one;
  };
  try {
    await body(keep);
  } finally {
    for (const one of kept.reverse()) await one[Symbol.asyncDispose]();
  }
}
