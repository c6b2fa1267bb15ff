/** One timer for all who want to be called twice a second. */

import { clearInterval, setInterval } from "node:timers";

/** Between two calls, ms. */
export const TICK_MS = 500;

const ticking = new Set<{ tick(): unknown }>();
let timer: ReturnType<typeof setInterval> | undefined;

/** Calls `one.tick()` twice a second until it is told to stop; keeps no program alive. */
export function startTicking(one: { tick(): unknown }): void {
  ticking.add(one);
  if (timer) return;
  timer = setInterval(() => {
    for (const each of ticking) each.tick();
  }, TICK_MS);
  timer.unref();
}

export function stopTicking(one: { tick(): unknown }): void {
  ticking.delete(one);
  if (ticking.size > 0) return;
  clearInterval(timer);
  timer = undefined;
}
