/** One user's connection to one group: knows whom it must meet, asks, asks again, finds it elsewhere. */

import {
  BadReply,
  Closed,
  Foreign,
  IdentityChanged,
  isRetriable,
  Refusal,
  Unreachable,
} from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import { PRESENT_FOR } from "../protocol/limits.ts";
import { proofText } from "../protocol/record.ts";
import { GROUP_REPLIES, type ReplyOf } from "../protocol/schema.ts";
import { SessionClient } from "../session/client.ts";
import type { ServerIdentity } from "../session/identity.ts";
import { ticketBytes } from "../session/ticket.ts";
import type { GroupTarget } from "../store/user_store.ts";
import type { Transport } from "../transport/transport.ts";
import { backoff, pause, unlessAborted } from "../transport/waiting.ts";
import { alarmOf } from "./alarm.ts";
import { LiveFeed } from "./feed.ts";
import type { Alarm, LinkState } from "./types.ts";

/** What can be asked of a group. */
type GroupOp = keyof typeof GROUP_REPLIES;
/** What a group answers to an op. */
export type GroupReply<K extends GroupOp> = ReplyOf<typeof GROUP_REPLIES, K>;
type GroupClient = SessionClient<typeof GROUP_REPLIES>;

interface LinkOptions {
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
  /** The group contradicts what it showed before. */
  alarm(alarm: Alarm): void;
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
/** How often it is said that we write, ms. */
const TYPING_EVERY = PRESENT_FOR / 2;
/** Between two tries, ms: doubled from the first to the most. */
const [FIRST_PAUSE, MOST_PAUSE] = [250, 10_000];
/** Most sessions that one request begins, where the server says that there is none. */
const MAX_SESSIONS = 5;

/** What was tried for one request so far, and when it is to end. */
interface Tries extends Pick<AskOptions, "delayed"> {
  readonly end: number;
  failed: number;
  /** Sessions that were begun for it. */
  sessions: number;
}

/** It connects when something is asked, and again whenever that is lost. */
export class Link {
  target: GroupTarget;
  state: LinkState = "connecting";
  /** What the group says live. */
  readonly feed: LiveFeed = new LiveFeed({
    subscribe: (signal) => this.ask("subscribe", {}, { within: Infinity, signal }),
    unsubscribe: () => {
      if (this.state === "live") this.#client?.request("unsubscribe", {}).catch(() => {});
    },
  });
  /** For the next session, as the group gave it; empty for none. */
  ticket: string;
  /** Highest seq known to exist; 0 before the first answer. */
  head = 0;
  readonly #options: LinkOptions;
  readonly #closed = new AbortController();
  /** Aborted when the link is closed. */
  readonly signal: AbortSignal = this.#closed.signal;
  #client: GroupClient | undefined;
  #relocating: Promise<void> | undefined;
  /** Closing of connections that were given up. */
  readonly #former = new Set<Promise<void>>();
  /** Where we are a member; in another epoch the group has forgotten us. */
  #joinedIn: string;
  /** We are no member in this epoch, and have been in another. */
  #forgottenIn = "";
  #joining: Promise<void> | undefined;
  #epoch = "";
  /** Kinds of alarms that were told in an epoch. */
  #alarmed = { epoch: "", kinds: new Set<string>() };
  /** When we last said that we write, by a clock that never jumps, ms. */
  #typedAt = -Infinity;
  /** When the group was heard last, by a clock that never jumps, ms. */
  #heardAt = -Infinity;
  /** Aborted when the group is heard, for those who rest. */
  #woken = new AbortController();
  #resting = 0;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.target = options.target;
    this.ticket = options.ticket ?? "";
    this.#joinedIn = options.epoch ?? "";
  }

  #connect(): GroupClient {
    const { transport, key, name, recognize, moved } = this.#options;
    const { name: group, address } = this.target;
    return new SessionClient({
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
      opened: ({ proved }) => proved && this.#opened(proved),
      gone: () => this.#gone(),
      feed: this.feed.take,
      heard: (unreadable) => {
        // Of the feed, and its key has not come: asking for the feed brings it.
        if (unreadable !== undefined) this.feed.lose();
        this.#heard();
      },
    });
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
    this.#heard();
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
  async ask<K extends GroupOp>(
    op: K,
    fields: object,
    { within = 4_500, each = 2_000, delayed, signal }: AskOptions = {},
  ): Promise<GroupReply<K>> {
    const end = performance.now() + within;
    const left = (ms: number) => Math.max(1, Math.min(ms, end - performance.now()));
    const unlessEnded = <T>(work: Promise<T>) =>
      unlessAborted(work, signal, () => this.closedError());
    for (const tries: Tries = { end, delayed, failed: 0, sessions: 0 };;) {
      if (this.signal.aborted || signal?.aborted) throw this.closedError();
      const client = this.#client ??= this.#connect();
      try {
        await unlessEnded(client.opened(left(each)));
        if (this.#forgottenIn !== "" && !ABOUT_MEMBERSHIP.has(op)) {
          await unlessEnded(this.#joinAgain(client));
        }
        // What is large may take longer than a sign of life.
        const timeout = left(each * 2 ** Math.min(tries.failed, 3));
        const reply = await unlessEnded(client.request(op, fields, timeout));
        this.#change("live");
        return reply;
      } catch (error) {
        if (this.signal.aborted || signal?.aborted) throw this.closedError();
        await unlessEnded(this.#beforeNext(client, tries, error));
      }
    }
  }

  /** Waits until the same may be asked again. @throws the error, where that is of no use */
  async #beforeNext(client: GroupClient, tries: Tries, error: unknown): Promise<void> {
    // The connection was given up for another one.
    if (error instanceof Closed) return await this.#relocating;
    const { code, retryAfter = 0 } = error instanceof Refusal ? error : {};
    if (code === "no_session" && tries.sessions++ < MAX_SESSIONS) return client.renew();
    // Somebody else answers there, or nobody can tell who.
    if ((error instanceof IdentityChanged || error instanceof BadReply) && !client.identity) {
      await this.#lost();
      if (client.address !== this.target.address) return; // It was found elsewhere.
      // Who asks next looks again who is there.
      if (client === this.#client) this.#giveUp();
    }
    // Where nobody was known to be, there is nobody to wait for.
    if (!isRetriable(error) || (error instanceof Foreign && this.target.id === "")) throw error;
    if (error instanceof Refusal) {
      this.#change("live");
      tries.delayed?.(error);
    }
    const wait = Math.max(retryAfter, backoff(tries.failed++, FIRST_PAUSE, MOST_PAUSE));
    // Where it is now is asked while we wait: the registry may be gone, too.
    if (error instanceof Unreachable && !this.#isHeard) void this.#lost();
    if (performance.now() + wait >= tries.end) throw error;
    if (!(error instanceof Unreachable)) return await pause(wait, this.signal);
    this.#resting++;
    await pause(wait, this.#woken.signal);
    this.#resting--;
  }

  /** Becomes a member, by an invite where one is needed, or is one still. Throws as `ask` does. */
  async join(fields: { readonly invite?: string } = {}): Promise<GroupReply<"join">> {
    const reply = await this.ask("join", fields);
    this.#joined(reply.epoch);
    return reply;
  }

  /** Asks for a sign of life, and learns how far the log goes. Throws as `ask` does. */
  async ping(within: number): Promise<GroupReply<"ping">> {
    const reply = await this.ask("ping", {}, { within });
    const { epoch, head, hash } = reply;
    this.know(epoch, head);
    if (hash !== undefined) this.feed.vouch(epoch, { seq: head, hash });
    return reply;
  }

  /** Tells, of each kind once in an epoch, that the group contradicts itself; see {@linkcode Alarm}. */
  alarm(why: Alarm["why"], epoch: string, seq: number, head = seq): void {
    if (this.#alarmed.epoch !== epoch) this.#alarmed = { epoch, kinds: new Set() };
    // What is corrected comes again: who is shown it must know each time.
    if (this.#alarmed.kinds.has(why) && why !== "corrected") return;
    this.#alarmed.kinds.add(why);
    this.#options.alarm(alarmOf(why, this.target.name, seq, head));
  }

  /** Says that we write, seldom enough, and minds no answer. */
  typing(): void {
    const now = performance.now();
    if (now - this.#typedAt < TYPING_EVERY) return;
    this.#typedAt = now;
    this.ask("typing", {}, { within: 1_000 }).catch(() => {});
  }

  #joined(epoch: string): void {
    this.#joinedIn = epoch;
    this.#forgottenIn = "";
  }

  #joinAgain(client: GroupClient): Promise<void> {
    return this.#joining ??= client.request("join", {})
      .then(({ epoch }) => this.#joined(epoch))
      .finally(() => (this.#joining = undefined));
  }

  closedError(): Closed {
    return new Closed(`Cannot ask the group "${this.target.name}": closed`);
  }

  /** The epoch that `head` is of; empty before the first answer. */
  get epoch(): string {
    return this.#epoch;
  }

  /** Learns that the log of an epoch goes as far as `head`. */
  know(epoch: string, head: number): void {
    if (epoch === this.#epoch && head <= this.head) return;
    this.#epoch = epoch;
    this.head = head;
  }

  /** Something of the group came lately: who gets no answer asks one that is slow. */
  get #isHeard(): boolean {
    return this.#client?.identity !== undefined && performance.now() - this.#heardAt < HEARD_FOR;
  }

  /** Who waits to ask again need not wait any longer. */
  #heard(): void {
    this.#heardAt = performance.now();
    this.#change("live");
    if (this.#resting > 0) this.#wakeResting();
  }

  #wakeResting(): void {
    this.#woken.abort();
    this.#woken = new AbortController();
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
    if (!found || this.signal.aborted) return;
    const { id, address, key } = this.target;
    if (found.id !== id || (key && found.key !== key) || found.address === address) return;
    this.target = found;
    this.#giveUp();
    this.#options.moved(found);
    this.#wakeResting();
  }

  /** The next request begins anew, where the target is then. */
  #giveUp(): void {
    const closing = this.#client?.close().finally(() => this.#former.delete(closing!));
    this.#client = undefined;
    if (closing) this.#former.add(closing);
    this.feed.lose();
  }

  #change(state: LinkState): void {
    if (this.state === state || this.signal.aborted) return;
    this.state = state;
    this.#options.changed(state);
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#woken.abort();
    this.feed.close();
    await Promise.all([...this.#former, this.#client?.close()]);
  }
}
