/** Reads a group's log page by page. */

import { setImmediate as turn } from "node:timers/promises";
import { BadReply } from "../errors.ts";
import { type Batch, checkSignature, entriesOf, type GroupEntry } from "../protocol/batch.ts";
import { type Checkpoint, checkpointOf, follows } from "../protocol/chain.ts";
import { MAX_READ } from "../protocol/limits.ts";
import type { Page } from "../protocol/schema.ts";
import { checkGiven } from "../text/given.ts";
import type { Link } from "./link.ts";
import type { ReadOptions } from "./types.ts";

/** Told of the entries of a batch. */
type Read = (group: string, entries: readonly GroupEntry[]) => void;

/**
 * Entries of a range, ascending. The next page is asked for while this one is taken.
 *
 * @param open asked when the first entry is wanted
 * @param read told of each batch when it is reached
 * @throws {Refusal} `not_member`; {Unreachable}
 */
export async function* readLog(
  open: () => Link,
  options: ReadOptions,
  read: Read,
): AsyncGenerator<GroupEntry> {
  checkRead(options);
  const link = open();
  if (options.last) {
    for (const entry of await readLast(link, options, read)) yield entry;
    return;
  }
  // One level of generators only: each costs as much as all else that is done for an entry.
  const { limit = Infinity, after = 0 } = options;
  let [left, last] = [limit, after];
  /** Of what is there now; what comes meanwhile is for who follows. */
  let end: number | undefined;
  const range = new Range(link, read);
  let next = left > 0 ? readPage(link, { ...options, after, limit: left }) : undefined;
  while (next) {
    const page: Page = await next;
    const { batches, head, more } = page;
    end ??= head;
    left -= batches.reduce((sum, batch) => sum + batch.count, 0);
    last = endOfPage(link, batches, last, more);
    next = undefined;
    if (more && left > 0 && last < end) {
      next = readPage(link, { ...options, after: last, limit: left });
      next.catch(() => {}); // Thrown where it is awaited; who stops before does not mind.
      await turn(); // It leaves before this page is taken, which may hold the loop for long.
    }
    for (const batch of batches) for (const entry of range.entries(page, batch)) yield entry;
  }
}

/** @throws {UsageError} options that cannot be */
export function checkRead(options: ReadOptions): void {
  checkGiven("Cannot read", options, {
    ...{ "since?": "number", "until?": "number", "after?": "number", "before?": "number" },
    ...{ "limit?": "number", "last?": "flag" },
  });
}

/**
 * The last seq of a page, which goes on behind an entry.
 *
 * @throws {BadReply} it does not: asking for the next would never end
 */
function endOfPage({ target }: Link, batches: readonly Batch[], after: number, more: boolean) {
  let last = after;
  for (const { first, count } of batches) {
    if (first <= last) throw notForward(target, `entry ${first} behind entry ${last}`);
    last = first + count - 1;
  }
  if (more && batches.length === 0) {
    throw notForward(target, "nothing where it says that there is more");
  }
  return last;
}

function notForward({ name, address }: Link["target"], what: string): BadReply {
  return new BadReply(
    `Cannot use the log of the group "${name}" at ${address}: it gives ${what}; ` +
      "tell its owner, or leave it",
  );
}

function readPage(link: Link, options: ReadOptions): Promise<Page> {
  const { after, before, since, until, limit = MAX_READ, last } = options;
  const range = { after, before, since, until, limit: Math.min(limit, MAX_READ), last };
  return link.ask("read", range);
}

async function readLast(link: Link, options: ReadOptions, read: Read): Promise<GroupEntry[]> {
  let { limit: left = MAX_READ, before } = options;
  const found: Page[] = [];
  while (left > 0) {
    const page = await readPage(link, { ...options, before, limit: left });
    const end = endOfPage(link, page.batches, options.after ?? 0, page.more);
    if (before !== undefined && end >= before) {
      throw notForward(
        link.target,
        `entry ${end} where it was asked for what comes before ${before}`,
      );
    }
    found.unshift(page);
    left -= page.batches.reduce((sum, { count }) => sum + count, 0);
    if (!page.more) break;
    before = page.batches[0].first;
  }
  const range = new Range(link, read);
  return found.flatMap((page) => page.batches.flatMap((batch) => range.entries(page, batch)));
}

/** Entries that were read one after the other, and whether they go on from one another. */
class Range {
  readonly #link: Link;
  readonly #read: Read;
  #epoch = "";
  /** Where the last batch ended that was whole; none at the start, and behind one that was cut. */
  #end: Checkpoint | undefined;
  #broken = false;

  constructor(link: Link, read: Read) {
    this.#link = link;
    this.#read = read;
  }

  entries({ epoch, tail }: Page, batch: Batch): GroupEntry[] {
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#end = undefined;
      this.#broken = false;
    }
    const { target } = this.#link;
    // What lay between was dropped meanwhile.
    if (this.#end && this.#end.seq < tail - 1) this.#end = undefined;
    if (this.#end && batch.hash !== undefined && !this.#broken && !follows(this.#end, batch)) {
      this.#broken = true;
      this.#link.alarm("forked", epoch, batch.first);
    }
    this.#end = batch.hash === undefined ? undefined : checkpointOf(batch);
    const signature = this.#broken ? "invalid" : checkSignature(target.id, batch);
    const entries = entriesOf(batch, signature, target.name, epoch);
    this.#read(target.id, entries);
    return entries;
  }
}
