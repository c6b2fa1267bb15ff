/** How the batches of a log are chained: the hash of each covers all before it. */

import { Buffer } from "node:buffer";
import { createHash, type Hash } from "node:crypto";
import type { Batch } from "./batch.ts";

/** Where a batch ends, and the hash of the history up to there. */
export interface Checkpoint {
  readonly seq: number;
  /** Base64url, 43 characters. */
  readonly hash: string;
}

/** Before the first batch: 32 zero bytes. */
export const BEGINNING: Checkpoint = { seq: 0, hash: "A".repeat(43) };

/** SHA-256 of the hash before a batch and its JSON without `hash`. Stored and on the wire: do not change. */
export function chainHash(previous: Uint8Array, json: string): Uint8Array {
  return chained(previous, json).digest();
}

/** Whether a whole batch is the next one after a checkpoint, by its place and by its hash. */
export function follows(previous: Checkpoint, batch: Batch): boolean {
  if (batch.first !== previous.seq + 1 || batch.hash === undefined) return false;
  const before = Buffer.from(previous.hash, "base64url");
  return chained(before, hashedText(batch)).digest("base64url") === batch.hash;
}

/** The checkpoint behind a whole batch. */
export function checkpointOf({ first, count, hash = "" }: Batch): Checkpoint {
  return { seq: first + count - 1, hash };
}

/** `seq` of a batch's last entry. */
export function endOf({ first, count }: Pick<Batch, "first" | "count">): number {
  return first + count - 1;
}

function chained(previous: Uint8Array, json: string): Hash {
  return createHash("sha256").update(previous).update(json);
}

/** The JSON that was hashed. As it travels the hash stands at its end: so it need not be copied. */
function hashedText(batch: Batch): string {
  const json = JSON.stringify(batch);
  const end = `,"hash":"${batch.hash}"}`;
  if (json.endsWith(end)) return `${json.slice(0, -end.length)}}`;
  const { hash: _, ...rest } = batch;
  return JSON.stringify(rest);
}
