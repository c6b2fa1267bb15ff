/** Every page of a list that a server gives in its order, from one that may never want to end it. */

import { BadReply } from "../errors.ts";
import { inSeconds } from "../text/counted.ts";

/** Most that any list holds: what an honest registry does, and more members than a group has had. */
const MOST = 100_000;
/** Most pages; a full one holds 1,000. */
const MAX_PAGES = 1_000;
/** How long all pages together may take, ms. */
const WITHIN = 60_000;

interface Pages<P extends { readonly more: boolean }> {
  /** Whose list: `the list of the registry at 127.0.0.1:5555`. */
  readonly what: string;
  /** What a person does who is refused it. */
  readonly wayOut: string;
  /** A page of what comes after a key, `""` before all. */
  ask(after: string): Promise<P>;
  /** The keys of a page, in the order of the list. */
  keys(page: P): readonly string[];
  /** No further page is asked for once it is aborted. */
  readonly signal?: AbortSignal;
  /** ms; default a minute. */
  readonly within?: number;
}

/**
 * The pages as they come, each behind the one before.
 *
 * @throws {BadReply} a page goes back or says that there is more and holds nothing, or the list is
 * longer or slower than any honest one; what `ask` throws
 */
export async function* allPages<P extends { readonly more: boolean }>(
  { what, wayOut, ask, keys, signal, within = WITHIN }: Pages<P>,
): AsyncGenerator<P> {
  const refuse = (why: string) => new BadReply(`Cannot use ${what}: it ${why}; ${wayOut}`);
  const end = performance.now() + within;
  let [after, total] = ["", 0];
  for (let pages = 1; !signal?.aborted; pages++) {
    const page = await ask(after);
    const found = keys(page);
    total += found.length;
    if (total > MOST) throw refuse(`holds more than ${MOST.toLocaleString("en-US")} entries`);
    yield page;
    if (!page.more) return;
    const last = found.at(-1) ?? "";
    if (last <= after) throw refuse("does not go on where it says that there is more");
    if (pages === MAX_PAGES) {
      throw refuse(`has more than ${MAX_PAGES.toLocaleString("en-US")} pages`);
    }
    if (performance.now() > end) {
      throw refuse(`has not come to its end within ${inSeconds(within)}`);
    }
    after = last;
  }
}
