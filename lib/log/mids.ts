/** Message ids as bytes: 16 each, in the order of the ids themselves. Stored: do not change. */

import { Buffer } from "node:buffer";
import { midTime } from "../identity/ids.ts";
import { MID_SPAN } from "../protocol/limits.ts";

const BYTES = 16;

/** An author's batches of several mids that a search looks into, unless it is for one mid. */
export const MAX_OVER = 16;

/** Ids one after the other, 16 bytes each. */
export function packMids(mids: readonly string[]): Uint8Array {
  return Buffer.from(mids.join("").replaceAll("-", ""), "hex");
}

/** The inverse of {@linkcode packMids}. */
export function unpackMids(bytes: Uint8Array): string[] {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
  return Array.from({ length: bytes.byteLength / BYTES }, (_, i) => {
    const id = hex.slice(i * 32, i * 32 + 32);
    return [id.slice(0, 8), id.slice(8, 12), id.slice(12, 16), id.slice(16, 20), id.slice(20)]
      .join("-");
  });
}

/** The greatest id that can stand in one batch with `mid`: all of a batch lie within `MID_SPAN`. */
export function spanEnd(mid: string): string {
  const time = (midTime(mid) + MID_SPAN).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-ffff-ffff-ffffffffffff`;
}

/** Ids in ascending order, cut where one is too far from its cluster's first to share a batch. */
export function clusters(mids: readonly string[]): string[][] {
  const found: string[][] = [];
  let end = "";
  for (const mid of mids.toSorted()) {
    if (mid > end) {
      found.push([]);
      end = spanEnd(mid);
    }
    found[found.length - 1].push(mid);
  }
  return found;
}
