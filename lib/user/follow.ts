/**
 * Every entry of a group, in order, once: from the log up to the head, then live, for ever.
 *
 * Subscribe first, then read from the cursor, then go on live. The feed may drop: a hole in
 * `seq`, a head beyond ours, or a full buffer sends us back to the log. When the consumer is
 * slow, live batches are not collected beyond about 1 MiB; the log has them.
 */

import { type Batch, checkSignature, entriesOf, type GroupEntry } from "../protocol/batch.ts";
import type { FeedFrame } from "../protocol/schema.ts";
import type { FeedListener } from "./feed.ts";
import type { Link } from "./link.ts";
import type { FollowRange } from "./types.ts";

/** Without `after` and `since` it is every entry. */
export interface FollowOptions extends FollowRange {
  readonly link: Link;
  /** A fact that is no entry. */
  note(note: FollowNote): void;
  /** Following ends with this error. */
  failed(error: unknown): void;
}

/** What who follows learns beside entries. */
type FollowNote =
  | { readonly type: "epoch" }
  | { readonly type: "typing"; readonly user: string; readonly name: string };

/** Text collected while the consumer is busy, UTF-16 units. */
const MAX_BUFFER = 1_048_576;
/** What a message takes beside its text, and a batch beside its messages. */
const AROUND = 100;

/**
 * Ends when the signal is aborted or the link is closed; a group that does not answer is waited for.
 * The only generator on an entry's way: each level costs as much as all else that is done for it.
 *
 * @param open asked when the first entry is wanted
 * @throws {Refusal} `not_member`, also when the membership ends; {IdentityChanged}
 */
export async function* follow(open: () => FollowOptions): AsyncGenerator<GroupEntry> {
  const options = open();
  const following = new Following(options);
  try {
    while (!following.ended) {
      const batch = following.next();
      if (!batch) {
        await following.more();
        continue;
      }
      for (const entry of following.entries(batch)) {
        if (following.ended) return;
        yield entry;
      }
    }
  } catch (error) {
    if (following.ended) return;
    options.failed(error);
    throw error;
  } finally {
    following.close();
  }
}

class Following implements FeedListener {
  readonly #options: FollowOptions;
  readonly #stop = new AbortController();
  readonly #detach: () => void;
  #since: number | undefined;
  /** Highest seq that was handed out. */
  #cursor: number;
  #epoch: string;
  /** What was read of the log, from the next batch on. */
  #page: Iterator<Batch> = [].values();
  /** Highest seq of the page. */
  #pageEnd = 0;
  /** What came live, behind the page. */
  #buffer: { readonly batch: Batch; readonly units: number }[] = [];
  #units = 0;
  #behind = true;
  /** The subscription of the feed that we have taken note of; 0 for none. */
  #turn = 0;
  /** Ends the wait until something arrives, or the feed is lost. */
  wake: () => void = () => {};

  constructor(options: FollowOptions) {
    const { link, after, since, epoch = "", signal } = options;
    this.#options = options;
    this.#since = after === undefined ? since : undefined;
    this.#cursor = after ?? 0;
    this.#epoch = epoch;
    // A consumer that does not ask for more must not keep the feed coming.
    this.#detach = link.feed.attach(this);
    signal?.addEventListener("abort", this.close);
    if (signal?.aborted || link.signal.aborted) this.close();
  }

  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  get #isCurrent(): boolean {
    const { feed } = this.#options.link;
    return feed.isFresh && feed.turn === this.#turn;
  }

  /** The next batch, if it is here. */
  next(): Batch | undefined {
    const { value, done } = this.#page.next();
    if (!done) return value;
    if (this.#behind || !this.#isCurrent) return undefined;
    const next = this.#buffer.shift();
    this.#units -= next?.units ?? 0;
    return next?.batch;
  }

  /** Brings the next batches, or waits until something has changed. */
  async more(): Promise<void> {
    if (!this.#isCurrent) await this.#subscribe();
    else if (this.#behind) await this.#readPage();
    else await new Promise<void>((resolve) => this.wake = resolve);
  }

  async #subscribe(): Promise<void> {
    const { link } = this.#options;
    if (link.feed.isFresh) {
      // Another one asked for it.
      this.#turn = link.feed.turn;
      this.#behind = true;
      return;
    }
    const { signal } = this.#stop;
    const { turn, epoch, head } = await link.feed.subscribe(signal, () => link.closedError());
    link.know(epoch, head);
    this.#turn = turn;
    // What was collected before may have a hole behind it.
    const reach = this.#buffer.length > 0 || this.#since !== undefined ? NaN : this.#cursor;
    if (epoch !== this.#epoch || head !== reach) this.#behind = true;
  }

  async #readPage(): Promise<void> {
    // What was collected up to now is in the log; what comes while we read is kept.
    this.#drop();
    this.#behind = false;
    const since = this.#since;
    const range = since === undefined ? { after: this.#cursor } : { since };
    const { link } = this.#options;
    const { signal } = this.#stop;
    const page = await link.ask("read", range, { within: Infinity, signal });
    const { epoch, head, tail, batches } = page;
    link.know(epoch, head);
    if (epoch !== this.#epoch && this.#begin(epoch)) return;
    if (since !== undefined) {
      this.#since = undefined;
      this.#cursor = batches.length > 0 ? batches[0].first - 1 : head;
    }
    // Entries below the tail are gone for good: their seqs are skipped.
    if (this.#cursor < tail - 1) this.#cursor = tail - 1;
    if (page.more && batches.length > 0) this.#behind = true;
    this.#page = batches.values();
    this.#pageEnd = endOf(batches);
  }

  /** True when another epoch was known before, so that everything is to be read anew. */
  #begin(epoch: string): boolean {
    const changed = this.#epoch !== "";
    this.#epoch = epoch;
    if (!changed) return false;
    this.#options.note({ type: "epoch" });
    this.#cursor = this.#pageEnd = 0;
    this.#since = undefined;
    this.#drop();
    this.#behind = true;
    return true;
  }

  /** The entries of a batch that were not handed out yet; none where others come before. */
  entries(batch: Batch): GroupEntry[] {
    const end = endOf([batch]);
    if (end <= this.#cursor) return [];
    if (batch.first > this.#cursor + 1) {
      this.#behind = true;
      return [];
    }
    const { id, name } = this.#options.link.target;
    const entries = entriesOf(batch, checkSignature(id, batch), name, this.#epoch);
    const known = this.#cursor + 1 - batch.first;
    this.#cursor = end;
    return known > 0 ? entries.slice(known) : entries;
  }

  take({ epoch, batches = [], head, typing }: FeedFrame): void {
    if (this.ended) return;
    if (epoch !== this.#epoch) this.#behind = true;
    else {
      if (typing) this.#options.note({ type: "typing", ...typing });
      if (batches.length > 0) this.#options.link.know(epoch, endOf(batches));
      if (!this.#behind) {
        for (const batch of batches) {
          const units = unitsOf(batch);
          this.#buffer.push({ batch, units });
          this.#units += units;
        }
        if (this.#units > MAX_BUFFER) {
          this.#behind = true;
          this.#drop();
        }
      }
      if (head !== undefined) this.#know(epoch, head);
    }
    this.wake();
  }

  /** A head beyond what we have or wait for means that something was missed. */
  #know(epoch: string, head: number): void {
    const last = this.#buffer.at(-1);
    const reach = last ? endOf([last.batch]) : Math.max(this.#cursor, this.#pageEnd);
    this.#options.link.know(epoch, head);
    if (head > reach) this.#behind = true;
  }

  #drop(): void {
    this.#buffer = [];
    this.#units = 0;
  }

  readonly close = (): void => {
    this.#stop.abort();
    this.#options.signal?.removeEventListener("abort", this.close);
    this.wake();
    this.#detach();
  };
}

/** `seq` of the last entry; 0 where there is none. */
function endOf(batches: readonly Batch[]): number {
  const last = batches.at(-1);
  return last ? last.first + last.count - 1 : 0;
}

/** About how much memory a batch takes. */
function unitsOf({ messages = [] }: Batch): number {
  return messages.reduce((sum, [, text]) => sum + text.length + AROUND, AROUND);
}
