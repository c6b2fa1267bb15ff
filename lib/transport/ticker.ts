/** One timer for all who want to be called twice a second. */

import { performance } from "node:perf_hooks";
import { clearInterval, setInterval } from "node:timers";

/** Between two calls, ms. */
export const TICK_MS = 500;
/**
 * A program that comes this late, ms, stood still: what others said meanwhile is still to be read.
 * One that always does is called every so many times, so that it does not wait for ever.
 */
const [LATE_MS, EVERY_LATE] = [TICK_MS / 2, 4];

const ticking = new Set<{ tick(): unknown }>();
let timer: ReturnType<typeof setInterval> | undefined;
let at = 0;
let late = 0;

/**
 * Calls `one.tick()` twice a second until it is told to stop; keeps no program alive. Who counts its
 * ticks counts the time in which this program ran.
 */
export function startTicking(one: { tick(): unknown }): void {
  ticking.add(one);
  if (timer) return;
  at = performance.now();
  timer = setInterval(tick, TICK_MS);
  timer.unref();
}

function tick(): void {
  const now = performance.now();
  const stood = now - at > TICK_MS + LATE_MS;
  at = now;
  if (stood && ++late % EVERY_LATE !== 0) return;
  for (const each of ticking) each.tick();
}

export function stopTicking(one: { tick(): unknown }): void {
  ticking.delete(one);
  if (ticking.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
