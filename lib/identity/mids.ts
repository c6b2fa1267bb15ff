/** Message ids: version 7 UUIDs that only grow within one maker. */

import { createHash, randomBytes } from "node:crypto";
import { isMid, isUuid, midTime } from "./ids.ts";

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

/** What no clock says any more: the time in ids that are made of other UUIDs lies before it, ms. */
const NAMED_BEFORE = 2 ** 40;

/** Whether the time in a message id is none: the id was made of another UUID. */
export function isNamedMid(mid: string): boolean {
  return midTime(mid) < NAMED_BEFORE;
}

/**
 * The message id that a UUID stands for; undefined where the text is none. A version 7 UUID is one
 * itself; of another version one is made, always the same, whose time lies before 2005.
 */
export function midOf(text: string): string | undefined {
  const uuid = text.toLowerCase();
  if (isMid(uuid)) return uuid;
  if (!isUuid(uuid)) return undefined;
  const hash = createHash("sha256").update(`zgroup message id 1\n${uuid}`).digest("hex");
  const variant = VARIANT[parseInt(hash[10], 16) & 3];
  const prefix = prefixOf(parseInt(hash.slice(0, 10), 16));
  return `${prefix}${hash.slice(11, 14)}-${variant}${hash.slice(14, 17)}-${hash.slice(17, 29)}`;
}

const VARIANT = "89ab";

/** Time and version, up to the counter. */
function prefixOf(ms: number): string {
  const time = ms.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7`;
}
