/** Reads the log for those who ask: pages of batches, cut to a range exactly, and whole histories. */

import type { Log, ReadBatch } from "../log/log.ts";
import { type Batch, cutBatch, encodeBatch } from "../protocol/batch.ts";
import type { PlainMessage } from "../dialects/dialect.ts";
import { MAX_FRAME, MAX_READ, READ_UNITS } from "../protocol/limits.ts";

/** The checked fields of a `read` request. */
export interface ReadRequest {
  readonly after?: number;
  readonly before?: number;
  readonly since?: number;
  readonly until?: number;
  readonly limit: number;
  readonly last: boolean;
}

/** JSON text of a page: `{epoch, head, tail, more, batches}`. */
export async function readPage(
  log: Log,
  request: ReadRequest,
  at: { epoch: string; head: number },
): Promise<string> {
  const { limit, last } = request;
  const found = await log.read({ ...request, bytes: READ_UNITS });
  // Asked afterwards: what is dropped meanwhile makes no page that begins above it.
  const { tail } = log;
  let after = request.after ?? 0;
  let before = Math.min(request.before ?? Infinity, at.head + 1);
  const total = found.reduce((sum, batch) => sum + inside(batch, after, before), 0);
  const surplus = Math.max(0, total - limit);
  if (surplus > 0) {
    if (last) after = seqAt(found, after, before, surplus) - 1;
    else before = limit < MAX_READ ? seqAt(found, after, before, limit) : wholeEnd(found);
  }
  const texts = found
    .filter((batch) => inside(batch, after, before) > 0)
    .map((batch) => cutText(batch, after, before));
  const first = Math.max(found[0]?.first ?? 0, after + 1);
  const end = found.length > 0 ? Math.min(endOf(found[found.length - 1]), before) : 0;
  const more = found.length > 0 &&
    (last
      ? first > Math.max(tail, (request.after ?? 0) + 1)
      : end < Math.min(request.before ?? Infinity, at.head + 1));
  const head = JSON.stringify({ ...at, tail, more });
  return `${head.slice(0, -1)},"batches":[${texts.join(",")}]}`;
}

/**
 * Where a full page ends that is followed by another: before the batch that would have to be cut,
 * which costs both sides its hashes, twice. One batch always fits.
 */
function wholeEnd(found: readonly ReadBatch[]): number {
  return found[found.length - 1].first;
}

function endOf(batch: ReadBatch): number {
  return batch.first + batch.count;
}

function inside(batch: ReadBatch, after: number, before: number): number {
  return Math.max(0, Math.min(endOf(batch), before) - Math.max(batch.first, after + 1));
}

/** The seq of the entry that has `n` entries of the range before it. */
function seqAt(found: readonly ReadBatch[], after: number, before: number, n: number): number {
  let left = n;
  for (const batch of found) {
    const here = inside(batch, after, before);
    if (left < here) return Math.max(batch.first, after + 1) + left;
    left -= here;
  }
  return before;
}

function cutText(batch: ReadBatch, after: number, before: number): string {
  if (batch.first > after && endOf(batch) <= before) return batch.json;
  return encodeBatch(cutBatch(JSON.parse(batch.json) as Batch, after, before));
}

/** Most messages that a reader without paging is given, and most bytes of its reply: the newest. */
export const ALL_MESSAGES = 10_000;
export const ALL_BYTES: number = MAX_FRAME - 1_024;

/**
 * The newest messages of a log, ascending, for a dialect that cannot page.
 *
 * @param page the last page before a seq, or of all, as {@linkcode readPage} answers it
 * @param measure how many bytes a message takes in the reply, which must fit into one frame
 */
export async function readAll(
  page: (before: number | undefined) => Promise<string>,
  measure: (message: PlainMessage) => number,
): Promise<PlainMessage[]> {
  const newest: PlainMessage[] = [];
  let before: number | undefined;
  let bytes = 0;
  while (true) {
    const { more, batches } = JSON.parse(await page(before)) as { more: boolean; batches: Batch[] };
    for (const { author, at, messages = [] } of batches.reverse()) {
      for (const [, text] of messages.toReversed()) {
        const message = { author, text, at };
        bytes += measure(message);
        if (newest.length >= ALL_MESSAGES || bytes > ALL_BYTES) return newest.reverse();
        newest.push(message);
      }
    }
    if (!more || batches.length === 0) return newest.reverse();
    before = batches[batches.length - 1].first;
  }
}
