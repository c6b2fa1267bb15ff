/** How long a client waits before it tries for a session again. */

/** 250 ms, doubling to 5 s, each between half and all of that (jitter). */
export function patience(attempt: number, random: () => number = Math.random): number {
  const full = Math.min(5_000, 250 * 2 ** Math.min(attempt, 10));
  return full / 2 + (full / 2) * random();
}
