/**
 * The live feed: who hears it, and what goes out. Each frame is sealed once, with the key of the
 * generation, and written to each follower; who reads too slowly misses it and finds it in the log.
 *
 * Frames and keys go out one after the other, each to all followers, a few ms at a time. What comes
 * meanwhile waits and is merged, so that a crowd costs fewer and longer frames, never a queue
 * without a bound.
 */

import { randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";
import type { ReadBatch } from "../log/log.ts";
import { encodePush } from "../protocol/codec.ts";
import { LIVE_BYTES } from "../protocol/limits.ts";
import { sealingKey } from "../session/noise.ts";
import { feedPacket } from "../session/packet.ts";
import type { Encoded } from "../transport/transport.ts";
import { inSlices } from "./fanout.ts";
import { Buckets } from "../structures/buckets.ts";

/** One connection of a member that hears the feed. */
export interface Follower {
  /** Writes a frame, or drops it. */
  feed(message: Encoded): boolean;
  /** Sends JSON, in order with frames and replies. */
  push(json: string): boolean;
}

export interface FeedOptions {
  readonly epoch: string;
  /** Makes a packet ready for all. */
  encode(packet: Uint8Array): Encoded;
  /** A frame could not be made or written: a defect of this program. */
  failed(error: unknown): void;
}

/** JSON around the batches of a frame, bytes. */
const AROUND = 128;
/** Bytes of batches that may wait; beyond, followers are told the head and read the log. */
const MAX_WAITING = 8 * 1_048_576;
/** Up to so many followers comings and goings go out at once, and removals turn the key at once. */
const FEW = 50;
/**
 * Comings and goings wait so long for each follower, ms, up to two seconds at 5,000: a write takes
 * 30 µs, so that a rush of them takes less than a tenth of a core for being told, however many hear.
 */
const WAIT_PER_FOLLOWER = 0.4;
const MAX_WAIT = 2_000;
/** A key that need not turn at once lasts so long, ms, and longer for each follower. */
const KEY_LASTS = 1_000;
const KEY_LASTS_PER_FOLLOWER = 0.2;
/** Writes of hints a second, with a burst of twice that: a tenth of a core. */
const HINT_WRITES = 10_000;
/** What a hint costs at least, so that a few followers get no more than 100 a second. */
const MIN_HINT = 100;
/** Hints of one user a second, with a burst of four. */
const HINTS_PER_USER = 1;
/** Hints that wait for a frame that is under way. */
const MAX_HINTS = 32;
/** A head is left out when a frame with batches went out within this time, ms. */
const JUST_NOW = 500;
/** One that says nothing new goes out every other second to more than so many. */
const MANY = 500;
const EVERY_OTHER = 1_500;

interface Waiting {
  readonly first: number;
  readonly last: number;
  readonly json: string;
  readonly bytes: number;
}

/** The live feed of one group. */
export class Feed {
  readonly #options: FeedOptions;
  readonly #followers = new Set<Follower>();
  #generation = 0;
  #secret!: Uint8Array;
  #key!: ReturnType<typeof sealingKey>;
  #counter!: number;
  #waiting: Waiting[] = [];
  #bytes = 0;
  /** What waits goes out now, not at the next occasion. */
  #due = false;
  #occasion: ReturnType<typeof setTimeout> | undefined;
  #head: number | undefined;
  #spoke = -Infinity;
  /** The head that was told last, and when. */
  #told = -1;
  #toldAt = -Infinity;
  #turnDue = false;
  #turned = -Infinity;
  #turning: ReturnType<typeof setTimeout> | undefined;
  #hints: string[] = [];
  readonly #hintWrites = new Buckets(HINT_WRITES, 2 * HINT_WRITES);
  readonly #hintsOf = new Buckets(HINTS_PER_USER, 4 * HINTS_PER_USER);
  #working = false;
  #closed = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#turn();
  }

  /** Connections that hear the feed. */
  get followers(): number {
    return this.#followers.size;
  }

  /** From here on the follower hears all; again is fine. The key opens what it will hear. */
  follow(follower: Follower): { readonly generation: number; readonly key: string } {
    this.#followers.add(follower);
    return this.#now();
  }

  /** The follower hears no more, of its own will or because it is gone. */
  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /**
   * Somebody is no member any more: its connections hear nothing from here on, and the others get
   * another key before anything is sealed with it.
   *
   * @param atOnce false: where many follow, it may wait about a second for others who go
   */
  out(gone: Iterable<Follower>, atOnce: boolean): void {
    for (const follower of gone) this.#followers.delete(follower);
    const size = this.#followers.size;
    if (size === 0) return this.#turn();
    const pause = size <= FEW ? 0 : Math.max(KEY_LASTS, size * KEY_LASTS_PER_FOLLOWER);
    const wait = atOnce ? 0 : this.#turned + pause - performance.now();
    if (wait <= 0) return this.#turnNow();
    this.#turning ??= setTimeout(() => this.#turnNow(), wait);
  }

  /** The batches of one commit; `quiet` ones are comings and goings, which may wait for others. */
  entries(batches: readonly ReadBatch[], quiet: boolean): void {
    const size = this.#followers.size;
    if (size === 0 || this.#closed) return;
    for (const { first, count, json } of batches) {
      const bytes = 1 + Buffer.byteLength(json);
      this.#waiting.push({ first, last: first + count - 1, json, bytes });
      this.#bytes += bytes;
    }
    if (this.#bytes > MAX_WAITING) {
      const { first, count } = batches[batches.length - 1];
      this.#drop();
      this.#head = first + count - 1;
      return this.#work();
    }
    if (!quiet || size <= FEW) return this.#flush();
    const wait = Math.min(MAX_WAIT, size * WAIT_PER_FOLLOWER);
    this.#occasion ??= setTimeout(() => this.#flush(), wait);
  }

  /** Tells how far the log goes, so that a follower sees what it missed. For once a second. */
  head(head: number): void {
    const now = performance.now();
    if (now - this.#spoke < JUST_NOW) return;
    const heard = now - Math.max(this.#spoke, this.#toldAt) < EVERY_OTHER;
    const many = this.#followers.size > MANY;
    // What waits says more, and has its time.
    if (this.#waiting.length > 0) return many && heard ? undefined : this.#flush();
    if (many && heard && head === this.#told) return;
    this.#told = head;
    this.#toldAt = now;
    this.#head = head;
    this.#work();
  }

  /** A hint that a member writes, never logged; false: it is dropped, there are too many. */
  typing(user: string, name: string): boolean {
    const now = performance.now();
    const cost = Math.max(MIN_HINT, this.#followers.size);
    if (this.#hints.length >= MAX_HINTS || this.#hintsOf.take(user, 1, now) > 0) {
      return false;
    }
    if (this.#hintWrites.take("", cost, now) > 0) return false;
    this.#hints.push(JSON.stringify({ epoch: this.#options.epoch, typing: { user, name } }));
    this.#work();
    return true;
  }

  /** Nothing goes out any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#occasion);
    clearTimeout(this.#turning);
    this.#followers.clear();
    this.#drop();
  }

  #flush(): void {
    this.#due = true;
    this.#work();
  }

  #turnNow(): void {
    this.#turnDue = true;
    this.#work();
  }

  #work(): void {
    if (this.#working || this.#closed) return;
    this.#run().catch((error) => this.#options.failed(error));
  }

  async #run(): Promise<void> {
    this.#working = true;
    try {
      for (let step = this.#next(); step; step = this.#next()) await step;
    } finally {
      this.#working = false;
    }
  }

  /** What goes to all followers next; undefined when nothing does. */
  #next(): Promise<void> | undefined {
    if (this.#turnDue) {
      this.#turn();
      const push = encodePush({ push: "feed", ...this.#now() });
      return this.#each((follower) => follower.push(push));
    }
    if (this.#followers.size === 0) this.#drop();
    if (this.#due && this.#waiting.length > 0) return this.#seal(this.#take());
    this.#due = false;
    const hint = this.#hints.shift();
    if (hint !== undefined) return this.#seal(hint);
    if (this.#head === undefined) return undefined;
    const head = this.#head;
    this.#head = undefined;
    return this.#seal(JSON.stringify({ epoch: this.#options.epoch, head }));
  }

  /** The JSON of a frame with what waits, as far as it fits. */
  #take(): string {
    let n = 0;
    let bytes = AROUND;
    while (n < this.#waiting.length && (n === 0 || bytes + this.#waiting[n].bytes <= LIVE_BYTES)) {
      bytes += this.#waiting[n++].bytes;
    }
    const taken = this.#waiting.splice(0, n);
    this.#bytes -= bytes - AROUND;
    if (this.#waiting.length === 0) this.#rest();
    this.#spoke = performance.now();
    this.#told = taken[n - 1].last;
    const texts = taken.map(({ json }) => json).join(",");
    return `{"epoch":"${this.#options.epoch}","from":${taken[0].first},"batches":[${texts}]}`;
  }

  #seal(json: string): Promise<void> {
    const packet = feedPacket(this.#key, this.#generation, this.#counter++, json);
    const message = this.#options.encode(packet);
    return this.#each((follower) => follower.feed(message));
  }

  /** For all that follow when it is their turn: who is out by then gets nothing. */
  #each(write: (follower: Follower) => void): Promise<void> {
    return inSlices([...this.#followers], (follower) => {
      if (!this.#followers.has(follower)) return;
      try {
        write(follower);
      } catch (error) {
        this.#followers.delete(follower);
        this.#options.failed(error);
      }
    });
  }

  /** Begins a generation. */
  #turn(): void {
    clearTimeout(this.#turning);
    this.#turning = undefined;
    this.#turnDue = false;
    this.#turned = performance.now();
    this.#generation++;
    this.#secret = randomBytes(32);
    this.#key = sealingKey(this.#secret);
    this.#counter = 0;
  }

  #now(): { readonly generation: number; readonly key: string } {
    return {
      generation: this.#generation,
      key: Buffer.from(this.#secret).toString("base64url"),
    };
  }

  /** Nothing waits any more. */
  #drop(): void {
    this.#waiting = [];
    this.#bytes = 0;
    this.#hints = [];
    this.#head = undefined;
    this.#rest();
  }

  #rest(): void {
    this.#due = false;
    clearTimeout(this.#occasion);
    this.#occasion = undefined;
  }
}
