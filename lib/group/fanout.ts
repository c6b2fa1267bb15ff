/** Does something for each of many, without holding the event loop. */

import { setImmediate } from "node:timers/promises";

/** How long the loop is held at a stretch, ms. */
const SLICE = 4;

/**
 * Calls `each` for all, in order. The first slice runs at once, so that few are done when this
 * returns; between two slices everything else has its turn.
 *
 * @param each must not throw
 * @param now ms that only go forward
 */
export async function inSlices<T>(
  all: readonly T[],
  each: (one: T) => void,
  now: () => number = () => performance.now(),
): Promise<void> {
  let end = now() + SLICE;
  for (const one of all) {
    if (now() >= end) {
      await setImmediate();
      end = now() + SLICE;
    }
    each(one);
  }
}
