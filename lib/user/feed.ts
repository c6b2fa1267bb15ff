/**
 * The live feed of one group as it comes over a link: asked for while somebody follows, once for all
 * who do.
 */

import { FEED_SILENCE } from "../protocol/limits.ts";
import type { FeedFrame } from "../protocol/schema.ts";
import { startTicking, stopTicking, TICK_MS } from "../transport/ticker.ts";
import { unlessAborted } from "./pause.ts";
import type { Link } from "./link.ts";

/** Silence after which the feed is taken for lost, in ticks. */
const SILENT = FEED_SILENCE / TICK_MS;

/** One who follows. */
export interface Follower {
  /** A frame came. */
  take(frame: FeedFrame): void;
  /** Something has changed: look again whether the feed is lost. */
  wake(): void;
  /** The link is closed. */
  close(): void;
}

/** What a subscription was answered. */
export interface Subscribed {
  /** Greater with each subscription: what came before it may have been missed. */
  readonly turn: number;
  readonly epoch: string;
  readonly head: number;
}

/** See the head of this file. */
export class LiveFeed {
  readonly #link: Pick<Link, "ask" | "tell">;
  readonly #followers = new Set<Follower>();
  #subscribing: Promise<Subscribed> | undefined;
  /** Ends asking for the feed when nobody follows any more. */
  #stop = new AbortController();
  #turn = 0;
  /** The session that is open has a subscription. */
  #subscribed = false;
  /** Ticks since it was heard: while this program stands still, the feed is not silent. */
  #quiet = 0;

  constructor(link: Pick<Link, "ask" | "tell">) {
    this.#link = link;
  }

  /** True while it is heard: not when it is lost, or was never there. */
  get isFresh(): boolean {
    return this.#subscribed && this.#quiet <= SILENT;
  }

  /** Counts the subscriptions; see {@linkcode Subscribed}. */
  get turn(): number {
    return this.#turn;
  }

  /** Somebody follows from now on; answers how to end that. */
  attach(follower: Follower): () => void {
    this.#followers.add(follower);
    startTicking(this);
    return () => {
      if (!this.#followers.delete(follower) || this.#followers.size > 0) return;
      stopTicking(this);
      const subscribed = this.#subscribed;
      this.lose();
      this.#stop.abort();
      this.#stop = new AbortController();
      this.#subscribing = undefined;
      if (subscribed) this.#link.tell("unsubscribe", {});
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
    const { epoch, head } = await this.#link.ask("subscribe", {}, { within: Infinity, signal });
    this.#subscribed = true;
    this.#quiet = 0;
    return { turn: ++this.#turn, epoch, head };
  }

  /** What was asked for counts no longer: the session is another one. */
  lose(): void {
    this.#subscribed = false;
    for (const follower of this.#followers) follower.wake();
  }

  /** A frame came. */
  take(frame: FeedFrame): void {
    this.#quiet = 0;
    for (const follower of this.#followers) follower.take(frame);
  }

  /** Twice a second while somebody follows: silence is told to all once. */
  tick(): void {
    if (!this.#subscribed || ++this.#quiet !== SILENT + 1) return;
    for (const follower of this.#followers) follower.wake();
  }

  close(): void {
    stopTicking(this);
    this.#stop.abort();
    for (const follower of this.#followers) follower.close();
  }
}
