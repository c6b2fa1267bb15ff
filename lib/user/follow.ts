/**
 * Every entry of a group, in order, once: from the log up to the head, then live, for ever.
 *
 * Subscribe first, then read from the cursor, then go on live. The feed may drop: a hole in
 * `seq`, a head beyond ours, or a full buffer sends us back to the log, and so does all that does not
 * go on from what was shown; see {@linkcode Trail}. When the consumer is slow, live batches are not
 * collected beyond about 1 MiB; the log has them.
 */

import { type Batch, checkSignature, entriesOf, type GroupEntry } from "../protocol/batch.ts";
import { type Checkpoint, endOf } from "../protocol/chain.ts";
import type { FeedFrame } from "../protocol/schema.ts";
import type { Proof } from "../store/user_store.ts";
import { backoff, pause } from "../transport/waiting.ts";
import type { FeedListener } from "./feed.ts";
import type { Link } from "./link.ts";
import { ShownMids } from "./shown_mids.ts";
import { Trail, type Verdict } from "./trail.ts";
import type { FollowRange } from "./types.ts";

/** Without `after`, `since` and `fromNow` it is every entry. */
export interface FollowOptions extends Omit<FollowRange, "from"> {
  readonly link: Link;
  /** Entries that the group has already when it first answers are left out. */
  readonly fromNow?: boolean;
  /** Of a place at or below `after`. */
  readonly proof?: Proof;
  /** Told of the entries of a batch when it is reached. */
  read?(group: string, entries: readonly GroupEntry[]): void;
  /** What proves from now on that the log goes on from what was shown. */
  checked?(epoch: string, proof: Proof): void;
  /** Waits before another look for entries that the group says it has; the first attempt is 0. */
  rest?(attempt: number, signal: AbortSignal): Promise<void>;
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
/** How long a group has to say what the hash of its history is, ms. */
const VOUCH_WITHIN = 3_000;
/** Looks for entries that the group says it has, before it is said that it withholds them: 20 s. */
const LOOKS = 8;
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
  /** Where the log ends is to be asked: what follows begins there. */
  #fromNow: boolean;
  #epoch: string;
  #trail: Trail;
  #mids = new ShownMids();
  /** What was read of the log, from the next batch on. */
  #page: Iterator<Batch> = [].values();
  /** Highest seq of the page. */
  #pageEnd = 0;
  /** What came live, behind the page. */
  #buffer: { readonly batch: Batch; readonly units: number }[] = [];
  #units = 0;
  /** The batch that {@linkcode next} gave last came live. */
  #live = false;
  #behind = true;
  /** How often the log did not show what the group says that it has. */
  #looks = 0;
  /** The feed said last that the log ends before what was shown. */
  #lower = false;
  /** The subscription of the feed that we have taken note of; 0 for none. */
  #turn = 0;
  /** Ends the wait until something arrives, or the feed is lost. */
  wake: () => void = () => {};

  constructor(options: FollowOptions) {
    const { link, after, since, fromNow = false, epoch = "", proof, signal } = options;
    this.#options = options;
    this.#fromNow = fromNow;
    this.#since = after === undefined ? since : undefined;
    this.#trail = new Trail(after ?? 0, epoch !== "", proof);
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
    this.#live = done === true;
    if (!done) return value;
    if (this.#trail.doubting) this.#behind = true;
    if (this.#behind || !this.#isCurrent) return undefined;
    const next = this.#buffer.shift();
    this.#units -= next?.units ?? 0;
    return next?.batch;
  }

  /** Brings the next batches, or waits until something has changed. */
  async more(): Promise<void> {
    if (!this.#isCurrent) await this.#subscribe();
    else if (this.#fromNow) await this.#beginNow();
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
    const { cursor, from, doubting } = this.#trail;
    // What was collected before may have a hole behind it.
    const unsure = this.#buffer.length > 0 || this.#since !== undefined || doubting;
    const reach = unsure || from !== cursor ? NaN : cursor;
    if (epoch !== this.#epoch || head !== reach) this.#behind = true;
    // Whether it is the same history is asked; the answer comes to `vouch`.
    else link.ping(VOUCH_WITHIN).catch(() => {});
  }

  /** Asks where the log ends; what came live before the answer is read again from there. */
  async #beginNow(): Promise<void> {
    const { link } = this.#options;
    const { signal } = this.#stop;
    const last = { last: true, limit: 1 };
    const { epoch, head } = await link.ask("read", last, { within: Infinity, signal });
    this.#fromNow = false;
    this.#epoch = epoch;
    this.#trail = new Trail(head, true);
    link.know(epoch, head);
  }

  async #readPage(): Promise<void> {
    // What was collected up to now is in the log; what comes while we read is kept.
    this.#drop();
    this.#behind = false;
    this.#lower = false;
    const since = this.#since;
    const { from, known } = this.#trail;
    const range = since === undefined ? { after: from } : { since };
    const { link } = this.#options;
    const { signal } = this.#stop;
    const page = await link.ask("read", range, { within: Infinity, signal });
    const { epoch, head, tail } = page;
    link.know(epoch, head);
    if (epoch !== this.#epoch && this.#begin(epoch)) return;
    // Asked after it was shown: what was there is gone.
    if (head < known) return this.#putBack(known, head);
    const batches = wholeOf(page.batches);
    if (since !== undefined) {
      this.#since = undefined;
      this.#trail = new Trail(batches.length > 0 ? batches[0].first - 1 : head, false);
    }
    // Entries below the tail are gone for good: their seqs are skipped.
    this.#trail.skip(tail - 1);
    const { from: at, doubting } = this.#trail;
    const next = batches.find((batch) => endOf(batch) > at);
    if (next ? next.first > at + 1 : head > at || doubting) {
      return await this.#missed(epoch, next);
    }
    this.#looks = 0;
    if (next && (page.more || batches.length < page.batches.length)) this.#behind = true;
    this.#page = batches.values();
    this.#pageEnd = lastOf(batches);
  }

  /** The log does not show what comes next: it drops old entries right now, or withholds some. */
  async #missed(epoch: string, next: Batch | undefined): Promise<void> {
    const { from } = this.#trail;
    this.#behind = true;
    if (++this.#looks > LOOKS) {
      this.#options.link.alarm("withheld", epoch, from + 1);
      if (next) return this.#trail.skip(next.first - 1);
    }
    const { rest = (n, signal) => pause(backoff(n, 250, 10_000), signal) } = this.#options;
    await rest(this.#looks - 1, this.#stop.signal);
  }

  /** True when another epoch was known before, so that everything is to be read anew. */
  #begin(epoch: string): boolean {
    const changed = this.#epoch !== "";
    this.#epoch = epoch;
    if (!changed) return false;
    this.#options.note({ type: "epoch" });
    this.#trail = new Trail(0, true);
    this.#mids = new ShownMids();
    this.#since = undefined;
    this.#look();
    return true;
  }

  #putBack(known: number, head: number): void {
    this.#options.link.alarm("rolled_back", this.#epoch, known, head);
    this.#trail.putBack(head);
    this.#mids.forget(this.#trail.cursor);
    this.#look();
  }

  /** The entries of a batch that were not handed out yet; none where others come before. */
  entries(batch: Batch): readonly GroupEntry[] {
    const trail = this.#trail;
    const { id, name } = this.#options.link.target;
    const verdict = this.#live
      ? trail.live(batch)
      : batch.first > trail.from + 1
      ? "read"
      : trail.logged(batch);
    const taken = verdict === "take" || (verdict === "forked" && batch.first <= trail.cursor + 1);
    this.#follow(verdict, batch.first);
    const known = trail.cursor + 1 - batch.first;
    if (!taken || known >= batch.count) return [];
    trail.shown(endOf(batch));
    const signature = trail.broken ? "invalid" : checkSignature(id, batch);
    const entries = entriesOf(batch, signature, name, this.#epoch);
    const marked = this.#mids.marked(known > 0 ? entries.slice(known) : entries);
    this.#options.read?.(id, marked);
    return marked;
  }

  /** Does what the trail says, about an entry of this seq or those after it. */
  #follow(verdict: Verdict, seq: number): void {
    const trail = this.#trail;
    const { link, checked } = this.#options;
    switch (verdict) {
      case "take":
      case "pass":
        if (!trail.broken) checked?.(this.#epoch, trail.proof);
        return;
      case "read":
        return this.#look();
      case "correct":
        link.alarm("corrected", this.#epoch, trail.cursor + 1);
        this.#mids.forget(trail.cursor);
        return this.#look();
      case "forked":
        link.alarm("forked", this.#epoch, seq);
        return;
      default:
        throw new Error(`Cannot follow: ${verdict satisfies never}`);
    }
  }

  take({ epoch, batches = [], head, typing }: FeedFrame): void {
    if (this.ended) return;
    if (epoch !== this.#epoch) this.#behind = true;
    else {
      if (typing) this.#options.note({ type: "typing", ...typing });
      if (batches.length > 0) {
        this.#lower = false;
        this.#options.link.know(epoch, lastOf(batches));
      }
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

  vouch(epoch: string, claim: Checkpoint): void {
    if (this.ended || epoch !== this.#epoch) return;
    this.#follow(this.#trail.vouched(claim), claim.seq);
    this.wake();
  }

  /** A head beyond what we have or wait for means that something was missed. */
  #know(epoch: string, head: number): void {
    const last = this.#buffer.at(-1);
    const { cursor, known } = this.#trail;
    const reach = last ? endOf(last.batch) : Math.max(cursor, this.#pageEnd);
    this.#options.link.know(epoch, head);
    if (head > reach) this.#behind = true;
    // Told once it may be late; twice it is a log that was put back, or a forged hint: the log says.
    if (head < known && this.#lower) this.#behind = true;
    this.#lower = head < known;
  }

  /** The log is read again, from where the trail says. */
  #look(): void {
    this.#page = [].values();
    this.#pageEnd = 0;
    this.#drop();
    this.#behind = true;
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
function lastOf(batches: readonly Batch[]): number {
  const last = batches.at(-1);
  return last ? endOf(last) : 0;
}

/** Without a last batch that is cut, where that is not all: it has no hash, and comes again whole. */
function wholeOf(batches: readonly Batch[]): readonly Batch[] {
  return batches.length > 1 && batches.at(-1)!.hash === undefined ? batches.slice(0, -1) : batches;
}

/** About how much memory a batch takes. */
function unitsOf({ messages = [] }: Batch): number {
  return messages.reduce((sum, [, text]) => sum + text.length + AROUND, AROUND);
}
