/** Message ids: version 7 UUIDs that only grow within one maker. */

import { randomBytes } from "node:crypto";
import { midTime } from "./ids.ts";

/** Ids per millisecond that a maker can give out before it borrows from the next one: 12 bit. */
const COUNTER = 0x1000;

/**
 * Makes message ids: each greater than the one before, also when the clock stands or goes back,
 * and greater than `after` where it is given (the last id of an earlier run).
 */
export function midMaker(after?: string, now: () => number = Date.now): () => string {
  let ms = after ? midTime(after) + 1 : 0;
  let counter = 0;
  let prefix = prefixOf(ms);
  let pool = "";
  let used = 0;
  const tick = (time: number) => {
    ms = time;
    counter = 0;
    prefix = prefixOf(ms);
  };
  return () => {
    const clock = now();
    if (clock > ms) tick(clock);
    else if (++counter === COUNTER) tick(ms + 1);
    if (used === pool.length) {
      pool = randomBytes(8 * 128).toString("hex");
      used = 0;
    }
    const variant = VARIANT[parseInt(pool[used], 16) & 3];
    const tail = pool.slice(used + 1, used += 16);
    const count = counter.toString(16).padStart(3, "0");
    return `${prefix}${count}-${variant}${tail.slice(0, 3)}-${tail.slice(3)}`;
  };
}

const VARIANT = "89ab";

/** Time and version, up to the counter. */
function prefixOf(ms: number): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7`;
}
