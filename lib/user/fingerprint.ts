/**
 * What history a user is shown, in 43 characters: the hash of a batch covers all before it, and is
 * computed here from what the group serves. Two members who get the same one for the same seq
 * were shown the same entries.
 */

import { LogDamaged } from "../errors.ts";
import type { Batch } from "../protocol/batch.ts";
import { BEGINNING, type Checkpoint, checkpointOf, endOf, follows } from "../protocol/chain.ts";
import { backoff, pause } from "../transport/waiting.ts";
import type { Checked } from "./groups.ts";
import type { Link } from "./link.ts";
import type { Fingerprint } from "./types.ts";

/** Messages that are looked for a second time at most, and authors whose ids are compared. */
const MOST = 262_144;
/** Looks for entries that the group says it has: four seconds. */
const LOOKS = 4;

interface FingerprintOptions {
  /** Seq of an entry that is to be covered; default the head. */
  readonly at?: number;
  /** Waits before another look; the first attempt is 0. */
  rest?(attempt: number): Promise<void>;
}

/**
 * Reads the log from its oldest entry to the batch that holds `at` (default the head), computes the
 * chain, and compares it with what was seen. Where messages came under ids that do not grow, it is
 * read again: none of 262,144 of those may stand anywhere else.
 *
 * @throws {LogDamaged} a batch is not what its hash says, or was another one when it was shown; a
 * message is there twice; {Refusal} `not_member`; {Unreachable}
 */
export async function fingerprint(
  link: Link,
  seen: Checked,
  { at = Infinity, rest = (n) => pause(backoff(n, 250, 4_000), link.signal) }: FingerprintOptions =
    {},
): Promise<Fingerprint> {
  const mids = new Mids();
  const wrong = (seq: number, why: string) => {
    const { name, address } = link.target;
    const is = `Cannot trust the history of "${name}" from entry ${seq} on`;
    return new LogDamaged(address, seq, `${is}: ${why}`);
  };
  const first = (batch: Batch) => {
    const twice = mids.first(batch);
    if (twice !== undefined) throw wrong(twice, TWICE);
  };
  const look = { link, seen, rest, wrong };
  const found = await walk(look, at, first);
  if (mids.suspects.size === 0) return found;
  const again = await walk(look, found.seq, (batch) => {
    const twice = mids.again(batch);
    if (twice !== undefined) throw wrong(twice, TWICE);
  });
  if (again.epoch === found.epoch && again.hash !== found.hash) {
    throw wrong(again.seq, "it changes while it is read");
  }
  return found;
}

const TWICE = "a message stands there that its author sent once, and that is elsewhere, too";

interface Look extends Required<Pick<FingerprintOptions, "rest">> {
  readonly link: Link;
  readonly seen: Checked;
  readonly wrong: (seq: number, why: string) => LogDamaged;
}

/** Reads and checks; `visit` gets each batch after that. */
async function walk(
  { link, seen, rest, wrong }: Look,
  at: number,
  visit: (batch: Batch) => void,
): Promise<Fingerprint> {
  let from = 0;
  let end: Checkpoint = BEGINNING;
  let epoch = "";
  let looks = 0;
  for (let head = Infinity; end.seq < Math.min(at, head);) {
    const page = await link.ask("read", { after: end.seq });
    const whole = page.batches.filter((batch) => batch.hash !== undefined);
    if (head === Infinity) head = page.head;
    if (epoch !== "" && page.epoch !== epoch) break;
    epoch = page.epoch;
    const points = epoch === seen.epoch ? seen.points : [];
    const lost = points.find(({ seq }) => seq > page.head);
    if (lost) {
      throw wrong(page.head + 1, `it ends there, and you have seen ${lost.seq}: it was put back`);
    }
    // What is not kept any more cannot be compared with what comes after it.
    if (page.tail > end.seq + 1) from = 0;
    const dropped = page.tail - 1;
    const next = whole.find((batch) => endOf(batch) > end.seq);
    if (!next || next.first > Math.max(end.seq, dropped) + 1) {
      if (dropped >= head) break;
      // It drops old entries right now, and has not said so yet.
      if (looks === LOOKS) throw wrong(end.seq + 1, "the group does not show what it has");
      await rest(looks++);
      continue;
    }
    looks = 0;
    for (const batch of whole) {
      if (batch.first > head || end.seq >= at) break;
      // Of what the group does not keep, only the last hash could be known.
      const known = from !== 0 || batch.first === 1;
      if (from === 0) from = batch.first;
      if (known && !follows(end, batch)) throw wrong(batch.first, "it is not what its hashes say");
      end = checkpointOf(batch);
      for (const { seq, hash } of points) {
        if (seq < batch.first || seq > end.seq || (seq === end.seq && hash === end.hash)) continue;
        throw wrong(batch.first, "it is not what was shown to you when you followed");
      }
      visit(batch);
    }
  }
  return { epoch, from, seq: end.seq, hash: end.hash };
}

/** Finds messages that stand in a log twice, without keeping all of their ids. */
class Mids {
  /** Author → greatest id so far: what is above it was not there before. */
  readonly #greatest = new Map<string, string>();
  /** Author and id of those that were not above it → where they are. */
  readonly suspects = new Map<string, number>();

  /** Batches in order; the seq of a message that was met as a suspect before. */
  first({ first, author, messages = [] }: Batch): number | undefined {
    for (const [i, [mid]] of messages.entries()) {
      if (mid > (this.#greatest.get(author) ?? "")) {
        if (this.#greatest.size < MOST || this.#greatest.has(author)) {
          this.#greatest.set(author, mid);
        }
        continue;
      }
      if (this.suspects.has(mid + author)) return first + i;
      if (this.suspects.size < MOST) this.suspects.set(mid + author, first + i);
    }
  }

  /** The same batches again; the seq of a suspect that stands elsewhere, too. */
  again({ first, author, messages = [] }: Batch): number | undefined {
    for (const [i, [mid]] of messages.entries()) {
      const suspect = this.suspects.get(mid + author);
      if (suspect !== undefined && suspect !== first + i) return suspect;
    }
  }
}
