/**
 * Every entry of a group, in order, once: from the log up to the head, then live, for ever.
 *
 * Subscribe first, then read from the cursor, then go on live. The feed may drop: a hole in
 * `seq`, a head beyond ours, or a full buffer sends us back to the log. When the consumer is
 * slow, live batches are not collected beyond 1 MiB of JSON; the log has them.
 */

import { type Batch, checkSignature, entriesOf, type Entry } from "../protocol/batch.ts";
import { PRESENT_FOR } from "../protocol/limits.ts";
import type { Subscriber, Transport } from "../transport/transport.ts";
import type { Link } from "./link.ts";

/** A page of the log as `read` answers it. */
export interface Page {
  readonly epoch: string;
  readonly head: number;
  readonly tail: number;
  readonly more: boolean;
  readonly batches: readonly Batch[];
}

export interface FollowOptions {
  readonly link: Link;
  readonly transport: Transport;
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

interface LiveMessage {
  readonly epoch?: string;
  readonly head?: number;
  readonly resubscribe?: boolean;
  readonly batches?: readonly Batch[];
  readonly typing?: { readonly user: string; readonly name: string };
}

/** JSON collected while the consumer is busy, bytes. */
const MAX_BUFFER = 1_048_576;
/** The head comes once a second; without anything for this long the feed is taken for lost, ms. */
const SILENCE = PRESENT_FOR / 2;

const utf8 = new TextDecoder();

/**
 * See the head of this file. Ends when the signal is aborted or the link is closed; a group that
 * does not answer is waited for.
 *
 * @throws {Refusal} `not_member`, also when the membership ends; {IdentityChanged}
 */
export async function* follow(options: FollowOptions): AsyncGenerator<FollowedEntry> {
  const feed = new LiveFeed(options);
  try {
    yield* feed.entries();
  } catch (error) {
    if (!feed.ended) throw error;
  } finally {
    await feed.close();
  }
}

class LiveFeed {
  readonly #options: FollowOptions;
  readonly #own: string;
  readonly #stop = new AbortController();
  readonly #detach: () => void;
  #since: number | undefined;
  #cursor: number;
  #epoch: string;
  #buffer: { batch: Batch; bytes: number }[] = [];
  #bytes = 0;
  #behind = true;
  #subscriber: Subscriber | undefined;
  /** Where the subscriber is connected to, and the key it expects there. */
  #live = "";
  #token = "";
  /** When the feed was heard last, by a clock that never jumps, ms; -Infinity for never. */
  #heard = -Infinity;
  #wake: () => void = () => {};

  constructor(options: FollowOptions) {
    const { link, after = 0, since, epoch = "", signal } = options;
    this.#options = options;
    this.#own = link.user;
    this.#since = since;
    this.#cursor = after;
    this.#epoch = epoch;
    // A consumer that does not ask for more must not keep a socket open.
    this.#detach = link.attach({ renewed: this.#renewed, close: () => this.close() });
    signal?.addEventListener("abort", this.#aborted);
    if (signal?.aborted || link.signal.aborted) this.#aborted();
  }

  readonly #aborted = (): void => void this.close();

  /** A group that was started again knows no token of before. */
  readonly #renewed = (): void => {
    this.#heard = -Infinity;
    this.#wake();
  };

  get ended(): boolean {
    return this.#stop.signal.aborted;
  }

  async *entries(): AsyncGenerator<FollowedEntry> {
    while (!this.ended) {
      if (this.#silentFor >= SILENCE) await this.#subscribe();
      else if (this.#behind) {
        for (const batch of await this.#readPage()) yield* this.#deliver(batch);
      } else if (this.#buffer.length > 0) {
        const { batch, bytes } = this.#buffer.shift()!;
        this.#bytes -= bytes;
        yield* this.#deliver(batch);
      } else await this.#pause();
    }
  }

  get #silentFor(): number {
    return performance.now() - this.#heard;
  }

  /** The group's reply, however long it takes. @throws when it refuses, or we have ended */
  #ask(op: string, fields: object): Promise<Record<string, unknown>> {
    return this.#options.link.ask(op, fields, { within: Infinity, signal: this.#stop.signal });
  }

  /** A token of this session, and a connection that sends it. */
  async #subscribe(): Promise<void> {
    const { link, transport } = this.#options;
    const { token, live } = await this.#ask("subscribe", {}) as { token: string; live: string };
    const { security } = link;
    const wanted = `${live} ${security?.serverKey ?? ""}`;
    if (!this.#subscriber || this.#live !== wanted) {
      const former = this.#subscriber;
      this.#subscriber = undefined;
      await former?.close();
      if (this.ended) return;
      this.#live = wanted;
      this.#subscriber = transport.subscribe({
        address: live,
        ...(security ? { security } : {}),
        onMessage: (_, payload) => this.#receive(payload),
      });
    }
    this.#token = token;
    this.#subscriber.subscribe(token);
    this.#heard = performance.now();
    this.#behind = true;
  }

  async #readPage(): Promise<readonly Batch[]> {
    // What was collected up to now is in the log; what comes while we read is kept.
    this.#drop();
    this.#behind = false;
    const since = this.#since;
    const range = since === undefined ? { after: this.#cursor } : { since };
    const page = await this.#ask("read", range) as unknown as Page;
    const { epoch, head, tail, batches } = page;
    this.#options.link.know(epoch, head);
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
    // Nothing will come any more; the group says why.
    if (!this.#behind && putsOut(batch, this.#own)) this.#heard = -Infinity;
  }

  #receive(payload: Uint8Array): void {
    if (this.ended) return;
    this.#heard = performance.now();
    this.#options.link.heard();
    try {
      this.#take(JSON.parse(utf8.decode(payload)), payload.length);
    } catch {
      this.#behind = true; // not what a group says; its log tells what there is
    }
    this.#wake();
  }

  #take(message: LiveMessage, bytes: number): void {
    const { epoch, batches = [], head, typing, resubscribe } = message;
    // The topic has changed: the token is good for the next one, too.
    if (resubscribe) this.#subscriber?.subscribe(this.#token);
    if (epoch !== this.#epoch) {
      this.#behind = true;
      return;
    }
    if (typing) this.#options.note({ type: "typing", ...typing });
    if (batches.length > 0) this.#collect(epoch, batches, bytes);
    if (head !== undefined) this.#know(epoch, head);
  }

  #collect(epoch: string, batches: readonly Batch[], bytes: number): void {
    const last = batches[batches.length - 1];
    this.#options.link.know(epoch, last.first + last.count - 1);
    if (this.#behind) return;
    if (this.#bytes + bytes > MAX_BUFFER) {
      this.#behind = true;
      return this.#drop();
    }
    for (const [i, batch] of batches.entries()) {
      const share = i === 0 ? bytes : 0;
      this.#buffer.push({ batch, bytes: share });
      this.#bytes += share;
    }
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
    this.#bytes = 0;
  }

  /** Until something arrives, or the feed has been silent for too long. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, SILENCE - this.#silentFor));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  async close(): Promise<void> {
    this.#stop.abort();
    this.#options.signal?.removeEventListener("abort", this.#aborted);
    this.#wake();
    await this.#subscriber?.close();
    this.#detach();
  }
}

/** Whether this ends the membership of a user. */
function putsOut({ kind, author, body }: Batch, user: string): boolean {
  if (kind === "leave") return author === user;
  return (kind === "remove" || kind === "ban") && body?.user === user;
}
