/**
 * Every entry of a group, in order, once: from the log up to the head, then live, for ever.
 *
 * Subscribe first, then read from the cursor, then go on live. The feed may drop: a hole in
 * `seq`, a head beyond ours, or a full buffer sends us back to the log. When the consumer is
 * slow, live batches are not collected beyond about 1 MiB; the log has them.
 */

import { type Batch, checkSignature, entriesOf, type Entry } from "../protocol/batch.ts";
import type { FeedFrame } from "../protocol/schema.ts";
import type { Follower } from "./feed.ts";
import type { Link } from "./link.ts";

export interface FollowOptions {
  readonly link: Link;
  /** Entries with seq > after; default 0. */
  readonly after?: number;
  /** Instead of `after`: entries with at >= since, ms. */
  readonly since?: number;
  /** The epoch `after` belongs to; another one starts over. */
  readonly epoch?: string;
  readonly signal?: AbortSignal;
  /** A fact that is no entry. */
  note(note: FollowNote): void;
}

/** What a follower learns beside entries. */
export type FollowNote =
  | { readonly type: "epoch" }
  | { readonly type: "typing"; readonly user: string; readonly name: string };

/** An entry and the epoch it belongs to. */
export type FollowedEntry = Entry & { readonly epoch: string };

/** Text collected while the consumer is busy, UTF-16 units. */
const MAX_BUFFER = 1_048_576;
/** What a message takes beside its text, and a batch beside its messages. */
const AROUND = 100;

/**
 * See the head of this file. Ends when the signal is aborted or the link is closed; a group that
 * does not answer is waited for.
 *
 * @throws {Refusal} `not_member`, also when the membership ends; {IdentityChanged}
 */
export async function* follow(options: FollowOptions): AsyncGenerator<FollowedEntry> {
  const following = new Following(options);
  try {
    yield* following.entries();
  } catch (error) {
    if (!following.ended) throw error;
  } finally {
    following.close();
  }
}

class Following implements Follower {
  readonly #options: FollowOptions;
  readonly #stop = new AbortController();
  readonly #detach: () => void;
  #since: number | undefined;
  #cursor: number;
  #epoch: string;
  #buffer: { batch: Batch; units: number }[] = [];
  #units = 0;
  #behind = true;
  /** The subscription of the feed that we have taken note of; 0 for none. */
  #turn = 0;
  #wake: () => void = () => {};

  constructor(options: FollowOptions) {
    const { link, after = 0, since, epoch = "", signal } = options;
    this.#options = options;
    this.#since = since;
    this.#cursor = after;
    this.#epoch = epoch;
    // A consumer that does not ask for more must not keep the feed coming.
    this.#detach = link.feed.attach(this);
    signal?.addEventListener("abort", this.#aborted);
    if (signal?.aborted || link.signal.aborted) this.close();
  }

  readonly #aborted = (): void => this.close();

  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  async *entries(): AsyncGenerator<FollowedEntry> {
    const { feed } = this.#options.link;
    while (!this.ended) {
      if (!feed.isFresh || feed.turn !== this.#turn) await this.#subscribe();
      else if (this.#behind) {
        for (const batch of await this.#readPage()) yield* this.#deliver(batch);
      } else if (this.#buffer.length > 0) {
        const { batch, units } = this.#buffer.shift()!;
        this.#units -= units;
        yield* this.#deliver(batch);
      } else await this.#pause();
    }
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

  async #readPage(): Promise<readonly Batch[]> {
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
    if (epoch !== this.#epoch) {
      const changed = this.#epoch !== "";
      this.#epoch = epoch;
      if (changed) {
        this.#options.note({ type: "epoch" });
        this.#cursor = 0;
        this.#since = undefined;
        this.#drop();
        this.#behind = true;
        return [];
      }
    }
    if (since !== undefined) {
      this.#since = undefined;
      this.#cursor = batches.length > 0 ? batches[0].first - 1 : head;
    }
    // Entries below the tail are gone for good: their seqs are skipped.
    if (this.#cursor < tail - 1) this.#cursor = tail - 1;
    if (page.more && batches.length > 0) this.#behind = true;
    return batches;
  }

  *#deliver(batch: Batch): Generator<FollowedEntry> {
    const end = batch.first + batch.count - 1;
    if (end <= this.#cursor) return;
    if (batch.first > this.#cursor + 1) {
      this.#behind = true;
      return;
    }
    const epoch = this.#epoch;
    const signature = checkSignature(this.#options.link.target.id, batch);
    for (const entry of entriesOf(batch, signature)) {
      if (entry.seq <= this.#cursor) continue;
      if (this.ended) return;
      this.#cursor = entry.seq;
      yield { ...entry, epoch };
    }
  }

  take({ epoch, batches = [], head, typing }: FeedFrame): void {
    if (this.ended) return;
    if (epoch !== this.#epoch) this.#behind = true;
    else {
      if (typing) this.#options.note({ type: "typing", ...typing });
      if (batches.length > 0) this.#collect(epoch, batches);
      if (head !== undefined) this.#know(epoch, head);
    }
    this.#wake();
  }

  wake(): void {
    this.#wake();
  }

  #collect(epoch: string, batches: readonly Batch[]): void {
    const last = batches[batches.length - 1];
    this.#options.link.know(epoch, last.first + last.count - 1);
    if (this.#behind) return;
    for (const batch of batches) {
      const units = unitsOf(batch);
      this.#buffer.push({ batch, units });
      this.#units += units;
    }
    if (this.#units <= MAX_BUFFER) return;
    this.#behind = true;
    this.#drop();
  }

  /** A head beyond what we have or wait for means that something was missed. */
  #know(epoch: string, head: number): void {
    const last = this.#buffer.at(-1)?.batch;
    const reach = last ? last.first + last.count - 1 : this.#cursor;
    this.#options.link.know(epoch, head);
    if (head > reach) this.#behind = true;
  }

  #drop(): void {
    this.#buffer = [];
    this.#units = 0;
  }

  /** Until something arrives, or the feed is lost. */
  async #pause(): Promise<void> {
    if (!this.#options.link.feed.isFresh) return;
    await new Promise<void>((resolve) => this.#wake = resolve);
    this.#wake = () => {};
  }

  close(): void {
    this.#stop.abort();
    this.#options.signal?.removeEventListener("abort", this.#aborted);
    this.#wake();
    this.#detach();
  }
}

/** About how much memory a batch takes. */
function unitsOf({ messages = [] }: Batch): number {
  return messages.reduce((sum, [, text]) => sum + text.length + AROUND, AROUND);
}
