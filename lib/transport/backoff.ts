/** How long to wait before trying again. */

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
