/** Fixed keys, ids and moments, so that what a test says is the same on every run. */

import { Buffer } from "node:buffer";
import { type SigningKey, signingKey } from "../../lib/identity/keys.ts";

export { randomFrom } from "../support/random.ts";

/** A key whose 32 secret bytes are `first`, `first + 1`, … */
export function fixedKey(first: number): SigningKey {
  const seed = Buffer.from(Array.from({ length: 32 }, (_, i) => (first + i) % 256));
  return signingKey(seed.toString("base64url"));
}

/** A moment: 2026-11-20T22:57:15.253Z. */
export const NOW = 1_795_215_435_253;

/** A message id made at `ms`; a greater `n` is a greater id. */
export function midAt(ms: number, n = 0): string {
  const time = ms.toString(16).padStart(12, "0");
  const tail = n.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${tail}`;
}

const utf8 = new TextEncoder();

/** A message's frames; what is no string or bytes goes as JSON. */
export function framesOf(...parts: unknown[]): Uint8Array[] {
  return parts.map((part) => {
    if (part instanceof Uint8Array) return part;
    return utf8.encode(typeof part === "string" ? part : JSON.stringify(part));
  });
}
