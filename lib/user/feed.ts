/**
 * The live feed of one group as it comes over a link: asked for while somebody follows, once for all
 * who do.
 */

import type { Checkpoint } from "../protocol/chain.ts";
import { FEED_SILENCE } from "../protocol/limits.ts";
import type { FeedFrame } from "../protocol/schema.ts";
import { startTicking, stopTicking, TICK_MS } from "../transport/ticker.ts";
import { unlessAborted } from "../transport/waiting.ts";

/** Silence after which the feed is taken for lost, in ticks. */
const SILENT = FEED_SILENCE / TICK_MS;

/** Who follows. */
export interface FeedListener {
  /** A frame came. */
  take(frame: FeedFrame): void;
  /** The group said what the hash of its history is, in answer to a request. */
  vouch(epoch: string, claim: Checkpoint): void;
  /** Something has changed: look again whether the feed is lost. */
  wake(): void;
  /** The link is closed. */
  close(): void;
}

/** What is asked of the group. */
interface FeedSource {
  /** However long it takes; rejects at once when the signal is aborted. */
  subscribe(signal: AbortSignal): Promise<{ readonly epoch: string; readonly head: number }>;
  unsubscribe(): void;
  /** It was not heard for too long, while somebody follows. */
  silent?(): void;
}

/** What a subscription was answered. */
interface Subscribed {
  /** Greater with each subscription: what came before it may have been missed. */
  readonly turn: number;
  readonly epoch: string;
  readonly head: number;
}

/** Knows whether the feed is heard, and hands each frame to all who follow. */
export class LiveFeed {
  /** Counts the subscriptions; see {@linkcode Subscribed}. */
  turn = 0;
  readonly #source: FeedSource;
  readonly #listeners = new Set<FeedListener>();
  #subscribing: Promise<Subscribed> | undefined;
  /** Ends asking for the feed when nobody follows any more. */
  #stop = new AbortController();
  /** The session that is open has a subscription. */
  #subscribed = false;
  /** Ticks since it was heard: while this program stands still, the feed is not silent. */
  #quiet = 0;

  constructor(source: FeedSource) {
    this.#source = source;
  }

  /** True while it is heard: not when it is lost, or was never there. */
  get isFresh(): boolean {
    return this.#subscribed && this.#quiet <= SILENT;
  }

  /** Somebody follows from now on; answers how to end that. */
  attach(listener: FeedListener): () => void {
    this.#listeners.add(listener);
    startTicking(this);
    return () => {
      if (!this.#listeners.delete(listener) || this.#listeners.size > 0) return;
      stopTicking(this);
      const subscribed = this.#subscribed;
      this.lose();
      this.#stop.abort();
      this.#stop = new AbortController();
      this.#subscribing = undefined;
      if (subscribed) this.#source.unsubscribe();
    };
  }

  /**
   * Asks for the feed, however long it takes; those who ask meanwhile get the same answer.
   *
   * @throws {Refusal}; {IdentityChanged}; {Closed} the signal is aborted, or the link closed
   */
  subscribe(signal: AbortSignal, closed: () => Error): Promise<Subscribed> {
    const asked = this.#subscribing ??= this.#subscribe(this.#stop.signal)
      .finally(() => {
        if (this.#subscribing === asked) this.#subscribing = undefined;
      });
    return unlessAborted(asked, signal, closed);
  }

  async #subscribe(signal: AbortSignal): Promise<Subscribed> {
    const { epoch, head } = await this.#source.subscribe(signal);
    this.#subscribed = true;
    this.#quiet = 0;
    return { turn: ++this.turn, epoch, head };
  }

  /** What was asked for counts no longer: the session is another one. */
  lose(): void {
    this.#subscribed = false;
    for (const listener of this.#listeners) listener.wake();
  }

  /** A frame came. */
  readonly take = (frame: FeedFrame): void => {
    this.#quiet = 0;
    for (const listener of this.#listeners) listener.take(frame);
  };

  /** The group said how far its log goes, and its hash. */
  vouch(epoch: string, claim: Checkpoint): void {
    for (const listener of this.#listeners) listener.vouch(epoch, claim);
  }

  /** Twice a second while somebody follows: silence is told to all once. */
  tick(): void {
    if (!this.#subscribed || ++this.#quiet !== SILENT + 1) return;
    this.#source.silent?.();
    for (const listener of this.#listeners) listener.wake();
  }

  close(): void {
    stopTicking(this);
    this.#stop.abort();
    for (const listener of this.#listeners) listener.close();
  }
}
