/** Reads a group's log page by page. */

import { setImmediate as turn } from "node:timers/promises";
import { type Batch, checkSignature, entriesOf, type GroupEntry } from "../protocol/batch.ts";
import { MAX_READ } from "../protocol/limits.ts";
import type { Page } from "../protocol/schema.ts";
import type { Link } from "./link.ts";
import type { ReadOptions } from "./types.ts";

/**
 * Entries of a range, ascending. The next page is asked for while this one is taken.
 *
 * @param open asked when the first entry is wanted
 * @throws {Refusal} `not_member`; {Unreachable}
 */
export async function* readLog(open: () => Link, options: ReadOptions): AsyncGenerator<GroupEntry> {
  const link = open();
  if (options.last) {
    for (const entry of await readLast(link, options)) yield entry;
    return;
  }
  // One level of generators only: each costs as much as all else that is done for an entry.
  const { limit = Infinity, after = 0 } = options;
  let left = limit;
  let next = left > 0 ? readPage(link, { ...options, after, limit: left }) : undefined;
  while (next) {
    const { batches, epoch, more }: Page = await next;
    const count = batches.reduce((sum, batch) => sum + batch.count, 0);
    left -= count;
    next = undefined;
    if (more && left > 0 && count > 0) {
      const { first, count } = batches[batches.length - 1];
      next = readPage(link, { ...options, after: first + count - 1, limit: left });
      next.catch(() => {}); // Thrown where it is awaited; who stops before does not mind.
      await turn(); // It leaves before this page is taken, which may hold the loop for long.
    }
    for (const batch of batches) for (const entry of entries(link, epoch, batch)) yield entry;
  }
}

function readPage(link: Link, options: ReadOptions): Promise<Page> {
  const { after, before, since, until, limit = MAX_READ, last } = options;
  const range = { after, before, since, until, limit: Math.min(limit, MAX_READ), last };
  return link.ask("read", range);
}

async function readLast(link: Link, options: ReadOptions): Promise<GroupEntry[]> {
  let { limit: left = MAX_READ, before } = options;
  const found: GroupEntry[][] = [];
  while (left > 0) {
    const page = await readPage(link, { ...options, before, limit: left });
    const part = page.batches.flatMap((batch) => entries(link, page.epoch, batch));
    found.unshift(part);
    left -= part.length;
    if (!page.more || part.length === 0) break;
    before = part[0].seq;
  }
  return found.flat();
}

function entries({ target }: Link, epoch: string, batch: Batch): GroupEntry[] {
  const signature = checkSignature(target.id, batch);
  return entriesOf(batch, signature, target.name, epoch);
}
