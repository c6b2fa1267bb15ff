/** One user's connection to one group: knows whom it must meet, asks, asks again, finds it elsewhere. */

import { BadReply, Closed, IdentityChanged, isRetriable, Refusal, Unreachable } from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import { proofText } from "../protocol/record.ts";
import { GROUP_REPLIES, type ReplyOf } from "../protocol/schema.ts";
import { SessionClient } from "../session/client.ts";
import type { ServerIdentity } from "../session/identity.ts";
import { ticketBytes } from "../session/ticket.ts";
import { backoff } from "../transport/backoff.ts";
import type { Transport } from "../transport/transport.ts";
import { pause, unlessAborted } from "./pause.ts";
import { LiveFeed } from "./feed.ts";
import type { GroupTarget } from "../store/user_store.ts";

/** Whether the group answers. */
export type LinkState = "connecting" | "live" | "unreachable";

/** What can be asked of a group. */
export type GroupOp = keyof typeof GROUP_REPLIES;
/** What a group answers to an op. */
export type GroupReply<K extends GroupOp> = ReplyOf<typeof GROUP_REPLIES, K>;

export interface LinkOptions {
  readonly transport: Transport;
  readonly key: SigningKey;
  readonly name: () => string;
  readonly target: GroupTarget;
  /** For a member: the epoch in which it joined, as far as known. */
  readonly epoch?: string;
  /** From an earlier session. */
  readonly ticket?: string;
  /** The target as it proved to be. @throws {IdentityChanged} it is another group: nothing is sent */
  recognize(target: GroupTarget, identity: ServerIdentity): GroupTarget;
  /** Where the group is now, asked when it does not answer; undefined when nobody knows. */
  find(): Promise<GroupTarget | undefined>;
  /** The target changed: it moved, or more of it became known. */
  moved(target: GroupTarget): void;
  /** There is another ticket for the next session. */
  admitted(ticket: string): void;
  changed(state: LinkState): void;
}

export interface AskOptions {
  /** Give up after this many ms; default 4,500. Infinity: only when closed. */
  readonly within?: number;
  /** Give up one try after this many ms; default 2,000. The next tries take up to eight times it. */
  readonly each?: number;
  /** Called with each refusal after which the same is asked again. */
  readonly delayed?: (refusal: Refusal) => void;
  /** Rejects with {@linkcode Closed} at once. */
  readonly signal?: AbortSignal;
}

/** Ops that a member who was forgotten can do without joining again first. */
const ABOUT_MEMBERSHIP: ReadonlySet<string> = new Set<GroupOp>(["join", "leave"]);
/** A group that was heard within this time, ms, answers late rather than not at all. */
const HEARD_FOR = 2_000;
/** Between two tries, ms: doubled from the first to the most. */
const [FIRST_PAUSE, MOST_PAUSE] = [250, 10_000];
/** Most sessions that one request begins, where the server says that there is none. */
const MAX_SESSIONS = 5;

/** See the head of this file. */
export class Link {
  target: GroupTarget;
  state: LinkState = "connecting";
  /** What the group says live. */
  readonly feed: LiveFeed = new LiveFeed(this);
  /** For the next session, as the group gave it; empty for none. */
  ticket: string;
  readonly #options: LinkOptions;
  readonly #closed = new AbortController();
  #client: SessionClient | undefined;
  #relocating: Promise<void> | undefined;
  /** Closing of connections that were given up. */
  readonly #former = new Set<Promise<void>>();
  /** Where we are a member; in another epoch the group has forgotten us. */
  #joinedIn: string;
  /** We are no member in this epoch, and have been in another. */
  #forgottenIn = "";
  #joining: Promise<void> | undefined;
  #epoch = "";
  #head = 0;
  /** When the group was heard last, by a clock that never jumps, ms. */
  #heardAt = -Infinity;
  /** Aborted when the group is heard, for those who rest. */
  #rest = new AbortController();
  #resting = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.target = options.target;
    this.ticket = options.ticket ?? "";
    this.#joinedIn = options.epoch ?? "";
  }

  /** Aborted when the link is closed. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  #connect(): SessionClient {
    const { transport, key, name, recognize, moved } = this.#options;
    const { name: group, address } = this.target;
    const current = () => this.#client === client;
    const client: SessionClient = new SessionClient({
      transport,
      address,
      what: `the group "${group}"`,
      replies: GROUP_REPLIES,
      check: (identity) => {
        const found = recognize(this.target, identity);
        if (found.id === this.target.id && found.key === this.target.key) return;
        this.target = found;
        moved(found);
      },
      prove: (transcript) => ({
        key: key.publicKey,
        name: name(),
        sig: key.sign(proofText(transcript)),
      }),
      ticket: () => ticketBytes(this.ticket),
      opened: ({ proved }) => current() && this.#opened(proved as GroupReply<"prove">),
      gone: () => current() && this.#gone(),
      feed: (frame) => current() && this.feed.take(frame),
      heard: (unreadable) => {
        if (!current()) return;
        // Of the feed, and its key has not come: asking for the feed brings it.
        if (unreadable !== undefined) this.feed.lose();
        this.heard();
      },
    });
    return client;
  }

  /** There is a session, a new one: nothing of a former one counts. */
  #opened({ role, epoch, head, ticket }: GroupReply<"prove">): void {
    this.know(epoch, head);
    if (role !== null) this.#joinedIn = epoch;
    // A group that began a new history has lost its members.
    const forgotten = role === null && this.#joinedIn !== "" && this.#joinedIn !== epoch;
    this.#forgottenIn = forgotten ? epoch : "";
    if (ticket !== undefined) {
      this.ticket = ticket;
      this.#options.admitted(ticket);
    }
    this.feed.lose();
    this.heard();
  }

  #gone(): void {
    if (this.state === "live") this.#change("unreachable");
    this.feed.lose();
  }

  /** From the next request on the group knows us by what `name` gives then. */
  renew(): void {
    this.#client?.renew();
  }

  /**
   * The reply to a request, asked again until it succeeds, is refused for good, or time is up.
   *
   * @throws {Refusal}; {Unreachable}; {IdentityChanged}; {BadReply}; {Closed}
   */
  ask<K extends GroupOp>(op: K, fields: object, options: AskOptions = {}): Promise<GroupReply<K>> {
    const asked = this.#ask(op, fields, options);
    const { signal } = options;
    return signal ? unlessAborted(asked, signal, () => this.closedError()) : asked;
  }

  async #ask<K extends GroupOp>(
    op: K,
    fields: object,
    { within = 4_500, each = 2_000, delayed, signal }: AskOptions,
  ): Promise<GroupReply<K>> {
    const end = performance.now() + within;
    const left = (ms: number) => Math.max(1, Math.min(ms, end - performance.now()));
    for (let attempt = 0, sessions = 0;;) {
      if (this.#closed.signal.aborted || signal?.aborted) throw this.closedError();
      const client = this.#client ??= this.#connect();
      try {
        await client.opened(left(each));
        if (this.#forgottenIn !== "" && !ABOUT_MEMBERSHIP.has(op)) await this.#joinAgain(client);
        // What is large may take longer than a sign of life.
        const patience = left(each * 2 ** Math.min(attempt, 3));
        const reply = await client.request(op, fields, patience) as GroupReply<K>;
        if (op === "join") this.#joined((reply as GroupReply<"join">).epoch);
        this.#change("live");
        return reply;
      } catch (error) {
        if (this.#closed.signal.aborted || signal?.aborted) throw this.closedError();
        if (error instanceof Closed) {
          // The connection was given up for another one.
          await this.#relocating;
          continue;
        }
        if (isNoSession(error) && sessions++ < MAX_SESSIONS) {
          client.renew();
          continue;
        }
        if (isAboutIdentity(error) && !client.identity) {
          await this.#lost();
          if (client.address !== this.target.address) continue; // It was found elsewhere.
          // Who asks next looks again who is there.
          if (client === this.#client) this.#giveUp();
        }
        if (!isRetriable(error)) throw error;
        if (error instanceof Refusal) {
          this.#change("live");
          delayed?.(error);
        }
        const wait = waitAfter(error, attempt++);
        // Where it is now is asked while we wait: the registry may be gone, too.
        if (error instanceof Unreachable && !this.#isHeard) void this.#lost();
        if (performance.now() + wait >= end) throw error;
        if (error instanceof Unreachable) await this.rest(wait);
        else await pause(wait, this.#closed.signal);
      }
    }
  }

  /** Says something once, if there is a session, and minds no answer. */
  tell(op: GroupOp, fields: object): void {
    if (this.state === "live") this.#client?.request(op, fields).catch(() => {});
  }

  #joined(epoch: string): void {
    this.#joinedIn = epoch;
    this.#forgottenIn = "";
  }

  #joinAgain(client: SessionClient): Promise<void> {
    return this.#joining ??= client.request("join", {})
      .then((reply) => this.#joined((reply as GroupReply<"join">).epoch))
      .finally(() => (this.#joining = undefined));
  }

  closedError(): Closed {
    return new Closed(`Cannot ask the group "${this.target.name}": closed`);
  }

  /** Highest seq known to exist; 0 before the first answer. */
  get head(): number {
    return this.#head;
  }

  /** Learns that the log of an epoch goes as far as `head`. */
  know(epoch: string, head: number): void {
    if (epoch === this.#epoch && head <= this.#head) return;
    this.#epoch = epoch;
    this.#head = head;
  }

  /** Something of the group came lately: who gets no answer asks one that is slow. */
  get #isHeard(): boolean {
    return this.#client?.identity !== undefined && performance.now() - this.#heardAt < HEARD_FOR;
  }

  /** Called by whoever hears from the group: who waits to ask again need not wait any longer. */
  heard(): void {
    this.#heardAt = performance.now();
    this.#change("live");
    if (this.#resting === 0) return;
    this.#rest.abort();
    this.#rest = new AbortController();
  }

  /** Waits before asking again, until the group is heard or the signal is aborted. */
  async rest(ms: number, signal?: AbortSignal): Promise<void> {
    this.#resting++;
    await pause(ms, signal ? AbortSignal.any([signal, this.#rest.signal]) : this.#rest.signal);
    this.#resting--;
  }

  /** The group does not answer: perhaps it lives elsewhere now. */
  #lost(): Promise<void> {
    this.#change("unreachable");
    return this.#relocating ??= this.#relocate()
      .catch(() => {}) // what cannot be kept of the new address is found again
      .finally(() => (this.#relocating = undefined));
  }

  async #relocate(): Promise<void> {
    const found = await this.#options.find().catch(() => undefined);
    if (!found || this.#closed.signal.aborted) return;
    const { id, address, key } = this.target;
    if (found.id !== id || (key && found.key !== key) || found.address === address) return;
    this.target = found;
    this.#giveUp();
    this.#options.moved(found);
    this.#rest.abort();
    this.#rest = new AbortController();
  }

  /** The next request begins anew, where the target is then. */
  #giveUp(): void {
    const closing = this.#client?.close().finally(() => this.#former.delete(closing!));
    this.#client = undefined;
    if (closing) this.#former.add(closing);
    this.feed.lose();
  }

  #change(state: LinkState): void {
    if (this.state === state || this.#closed.signal.aborted) return;
    this.state = state;
    this.#options.changed(state);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#rest.abort();
    this.feed.close();
    await Promise.all([...this.#former, this.#client?.close()]);
  }
}

/** Somebody else answers there, or nobody can tell who. */
function isAboutIdentity(error: unknown): boolean {
  return error instanceof IdentityChanged || error instanceof BadReply;
}

function isNoSession(error: unknown): boolean {
  return error instanceof Refusal && error.code === "no_session";
}

function waitAfter(error: unknown, attempt: number): number {
  const asked = error instanceof Refusal ? error.retryAfter ?? 0 : 0;
  return Math.max(asked, backoff(attempt, FIRST_PAUSE, MOST_PAUSE));
}
