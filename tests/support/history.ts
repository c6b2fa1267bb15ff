/** Histories as a log chains them, by hand. */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type SigningKey, userId } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { type Batch, messageHash, signedText } from "../../lib/protocol/batch.ts";
import type { Checkpoint } from "../../lib/protocol/chain.ts";
import type { Message } from "../../lib/protocol/schema.ts";

export const EPOCH = "00000000-0000-4000-8000-000000000000";
export const OTHER_EPOCH = "11111111-1111-4111-8111-111111111111";

const mid = midMaker();

/** A history that grows. */
export class History {
  readonly batches: Batch[] = [];

  constructor(sizes: readonly number[] = []) {
    for (const size of sizes) this.add(size);
  }

  get head(): number {
    const last = this.batches.at(-1);
    return last ? last.first + last.count - 1 : 0;
  }

  get hash(): string {
    return this.batches.at(-1)?.hash ?? "A".repeat(43);
  }

  /** The end of the batch of an index. */
  end(index: number): Checkpoint {
    const { first, count, hash } = this.batches[index];
    return { seq: first + count - 1, hash: hash! };
  }

  /** Appends a batch of messages of a dialect, whose texts are their seqs. */
  add(count: number, changes: Partial<Batch> = {}): Batch {
    const first = this.head + 1;
    const messages = Array.from(
      { length: count },
      (_, i): Message => [mid(), `${first + i}`],
    );
    const own = { first, count, at: 1, kind: "message", author: "~a", name: "a" } as const;
    const batch: Batch = { ...own, messages, ...changes };
    const before = Buffer.from(this.hash, "base64url");
    const hash = createHash("sha256").update(before).update(JSON.stringify(batch));
    const chained = { ...batch, hash: hash.digest("base64url") };
    this.batches.push(chained);
    return chained;
  }

  /** The same up to the batch of an index, exclusive, to go on in another way. */
  until(index: number): History {
    const one = new History();
    one.batches.push(...this.batches.slice(0, index));
    return one;
  }
}

/** Messages as their author signs them for a group. */
export function signedBy(key: SigningKey, group: string, messages: readonly Message[]) {
  const author = userId(key.publicKey);
  const sig = key.sign(signedText(group, author, messages.map(messageHash)));
  return { author, key: key.publicKey, sig, messages };
}
