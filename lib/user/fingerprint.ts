/**
 * What history a user is shown, in 43 characters: the hash of a batch covers all before it, and is
 * computed here from what the group serves. Two members who get the same one for the same seq
 * were shown the same entries.
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { LogDamaged } from "../errors.ts";
import type { Batch } from "../protocol/batch.ts";
import type { Link } from "./link.ts";
import type { Fingerprint } from "./types.ts";

/**
 * Reads the log from its oldest entry to the batch that holds `at` (default the head) and
 * computes the chain.
 *
 * @throws {LogDamaged} a batch is not what its hash says; {Refusal} `not_member`; {Unreachable}
 */
export async function fingerprint(link: Link, at = Infinity): Promise<Fingerprint> {
  let from = 0;
  let seq = 0;
  let hash: Buffer = Buffer.alloc(32);
  let epoch = "";
  for (let head = Infinity; seq < Math.min(at, head);) {
    const page = await link.ask("read", { after: seq });
    const whole = page.batches.filter((batch) => batch.hash !== undefined);
    if (head === Infinity) head = page.head;
    if (whole.length === 0 || (epoch !== "" && page.epoch !== epoch)) break;
    epoch = page.epoch;
    const before = seq;
    for (const batch of whole) {
      if (batch.first > head || seq >= at) break;
      // Of what the group does not keep, only the last hash could be known.
      const known = from !== 0 || batch.first === 1;
      if (from === 0) from = batch.first;
      const follows = seq === 0 || batch.first === seq + 1;
      if (!follows || (known && next(hash, batch) !== batch.hash)) {
        const { name, address } = link.target;
        const is = `Cannot trust the history of "${name}" from entry ${batch.first} on`;
        throw new LogDamaged(address, batch.first, `${is}: it is not what its hashes say`);
      }
      hash = Buffer.from(batch.hash!, "base64url");
      seq = batch.first + batch.count - 1;
    }
    if (seq === before) break; // It serves what is not there: asking goes on for ever.
  }
  return { epoch, from, seq, hash: hash.toString("base64url") };
}

function next(previous: Uint8Array, { hash: _, ...batch }: Batch): string {
  return createHash("sha256").update(previous).update(JSON.stringify(batch)).digest("base64url");
}
