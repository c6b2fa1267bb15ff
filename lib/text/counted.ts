/** How many of what, and how long, for people. */

/** `1 line`, `2,000 lines`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

/** A time in ms as seconds of at most one decimal: `0.3 s`, `12 s`; at least `0.1 s`. */
export function inSeconds(ms: number): string {
  const seconds = ms < 10_000 ? Math.round(ms / 100) / 10 : Math.round(ms / 1_000);
  return `${Math.max(0.1, seconds).toLocaleString("en-US")} s`;
}
