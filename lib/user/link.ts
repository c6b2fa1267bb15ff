/**
 * One user's connection to one group: knows whom it must meet, asks, asks again, finds it elsewhere.
 * Of several servers it is at one; when that is gone, is silent, or has lost the group, at the next.
 */

import {
  BadReply,
  Closed,
  Foreign,
  IdentityChanged,
  isRetriable,
  Refusal,
  sentence,
  Unreachable,
} from "../errors.ts";
import { MAX_SERVERS, PRESENT_FOR } from "../protocol/limits.ts";
import { proofText } from "../protocol/record.ts";
import { GROUP_REPLIES, type ReplyOf } from "../protocol/schema.ts";
import { SessionClient } from "../session/client.ts";
import { ticketBytes } from "../session/ticket.ts";
import type { GroupTarget } from "../store/user_store.ts";
import { backoff, pause, Rest, unlessAborted } from "../transport/waiting.ts";
import { Alarms } from "./alarm.ts";
import { LiveFeed } from "./feed.ts";
import type { AskOptions, LinkOptions } from "./link_options.ts";
import { Membership } from "./membership.ts";
import { Reach } from "./reach.ts";
import { Servers } from "./servers.ts";
import type { Alarm, LinkState } from "./types.ts";

/** What can be asked of a group. */
type GroupOp = keyof typeof GROUP_REPLIES;
/** What a group answers to an op. */
export type GroupReply<K extends GroupOp> = ReplyOf<typeof GROUP_REPLIES, K>;
type GroupClient = SessionClient<typeof GROUP_REPLIES>;

/** Ops that a member who was forgotten can do without joining again first. */
const ABOUT_MEMBERSHIP: ReadonlySet<string> = new Set<GroupOp>(["join", "leave"]);
/** A group that was heard within this time, ms, answers late rather than not at all. */
const HEARD_FOR = 2_000;
/** How often it is said that we write, ms. */
const TYPING_EVERY = PRESENT_FOR / 2;
/** Between two tries, ms: doubled from the first to the most, or to less while servers change over. */
const [FIRST_PAUSE, MOST_PAUSE, CHANGE_PAUSE] = [250, 10_000, 500];
/** Most sessions that one request begins, where the server says that there is none. */
const MAX_SESSIONS = 5;
/** One of several servers that is silent for this long, ms, is given up, doubled where all may be slow. */
const PATIENCE = 1_500;

/** What was tried for one request so far, and when it is to end. */
interface Tries extends Pick<AskOptions, "delayed"> {
  readonly end: number;
  failed: number;
  /** Sessions that were begun for it. */
  sessions: number;
  /** Servers that it went on to without a pause. */
  moves: number;
}

/** It connects when something is asked, and again whenever that is lost. */
export class Link {
  target: GroupTarget;
  /** What the group says live. */
  readonly feed: LiveFeed = new LiveFeed({
    subscribe: (signal) => this.ask("subscribe", {}, { within: Infinity, signal }),
    unsubscribe: () => {
      if (this.state === "live") this.#client?.request("unsubscribe", {}).catch(() => {});
    },
    silent: () => {
      if (this.#servers.several && !this.#isHeard) this.#leave();
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
  readonly #reach: Reach;
  readonly #servers: Servers;
  #client: GroupClient | undefined;
  /** Since when this server is waited for, by a clock that never jumps, ms; undefined: it is not. */
  #waiting: number | undefined;
  /** The registries were asked since one of several servers answered, or all were tried again. */
  #searched = false;
  #relocating: Promise<void> | undefined;
  /** Closing of connections that were given up. */
  readonly #former = new Set<Promise<void>>();
  readonly #membership: Membership;
  #epoch = "";
  readonly #alarms: Alarms;
  /** When we last said that we write, by a clock that never jumps, ms. */
  #typedAt = -Infinity;
  /** When the group was heard last, by a clock that never jumps, ms. */
  #heardAt = -Infinity;
  /** Ends when the group is heard. */
  readonly #rest = new Rest();

  constructor(options: LinkOptions) {
    this.#options = options;
    this.target = options.target;
    this.#servers = new Servers(options.target);
    this.#reach = new Reach((state) => options.changed(state));
    this.#alarms = new Alarms((alarm) => options.alarm(alarm));
    this.ticket = options.ticket ?? "";
    this.#membership = new Membership(options.epoch ?? "");
  }

  get state(): LinkState {
    return this.#reach.state;
  }

  #connect(): GroupClient {
    const { transport, key, name, recognize, moved, absent } = this.#options;
    const { name: group, address } = this.target;
    this.#waiting = undefined;
    return new SessionClient({
      transport,
      address,
      what: group === address ? "the group" : `the group "${group}"`,
      absent: absent(address),
      replies: GROUP_REPLIES,
      check: (identity) => {
        const found = recognize(this.target, identity);
        if (found.id === this.target.id && found.key === this.target.key) return;
        this.#aim(found);
        moved(this.target);
      },
      prove: (transcript) => ({
        key: key.publicKey,
        name: name(),
        sig: key.sign(proofText(transcript)),
      }),
      ticket: () => ticketBytes(this.ticket),
      opened: ({ proved }) => proved && this.#opened(proved),
      gone: (_, error) => this.#gone(error),
      putOff: () => this.#waiting = performance.now(),
      feed: this.feed.take,
      heard: (unreadable) => {
        // Of the feed, and its key has not come: asking for the feed brings it.
        if (unreadable !== undefined) this.feed.lose();
        this.#heard();
      },
    });
  }

  /** There is a session, a new one: nothing of a former one counts. */
  #opened({ role, epoch, head, ticket, servers = [] }: GroupReply<"prove">): void {
    this.know(epoch, head);
    this.#told(servers);
    this.#membership.proved(role, epoch);
    if (ticket !== undefined) {
      this.ticket = ticket;
      this.#options.admitted(ticket);
    }
    this.feed.lose();
    this.#heard();
  }

  /** The group says at which servers it is. */
  #told(servers: readonly string[]): void {
    this.#servers.told(servers);
    this.#aim();
    try {
      this.#options.moved(this.target);
    } catch {
      // It is told, and found, again.
    }
  }

  #gone(error: unknown): void {
    const { several } = this.#servers;
    if (this.state === "live") this.#reach.away(several);
    this.feed.lose();
    if (!several) return;
    if (isStranger(error)) {
      this.#servers.meet();
      this.#options.warn(sentence(error));
    }
    const stays = error instanceof Refusal && error.code !== "unavailable";
    if (!stays) this.#leave();
  }

  /** This server is of no use: another one is asked, each once, then the registries. */
  #leave(): boolean {
    if (this.signal.aborted) return false;
    this.#reach.away(true);
    if (this.#servers.next()) {
      this.#aim();
      this.#giveUp();
      this.#rest.end();
      return true;
    }
    if (!this.#searched) void this.#lost();
    this.#searched = true;
    return false;
  }

  /** The target is where its servers are now. */
  #aim({ id, name, key }: Pick<GroupTarget, "id" | "name" | "key"> = this.target): void {
    const { address, others: servers } = this.#servers;
    this.target = { id, name, address, servers, key };
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
    { within = 4_500, each = 2_000, asked, delayed, signal }: AskOptions = {},
  ): Promise<GroupReply<K>> {
    const end = performance.now() + within;
    const left = (ms: number) => Math.max(1, Math.min(ms, end - performance.now()));
    const unlessEnded = <T>(work: Promise<T>) =>
      unlessAborted(work, signal, () => this.closedError());
    for (const tries: Tries = { end, delayed, failed: 0, sessions: 0, moves: 0 };;) {
      if (this.signal.aborted || signal?.aborted) throw this.closedError();
      const client = this.#client ??= this.#connect();
      this.#waiting ??= performance.now();
      try {
        await unlessEnded(client.opened(left(each)));
        if (this.#membership.isForgotten && !ABOUT_MEMBERSHIP.has(op)) {
          await unlessEnded(this.#membership.renew(() => client.request("join", {})));
        }
        asked?.();
        // What is large may take longer than a sign of life.
        const timeout = left(each * 2 ** Math.min(tries.failed, 3));
        const reply = await unlessEnded(client.request(op, fields, timeout));
        this.#reach.live();
        this.#servers.again();
        this.#searched = false;
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
    if (error instanceof Closed) return;
    const { code, retryAfter = 0 } = error instanceof Refusal ? error : {};
    if (code === "no_session" && tries.sessions++ < MAX_SESSIONS) return client.renew();
    if (this.#servers.several && this.#isElsewhere(client, tries, error)) return;
    const stranger = isStranger(error) && !client.identity;
    const isPassed = stranger && !this.#servers.isLost;
    if (stranger && !isPassed) {
      await this.#lost();
      if (client.address !== this.target.address) return; // It was found elsewhere.
      // Who asks next looks again who is there.
      if (client === this.#client) this.#giveUp();
    }
    // Where nobody was known to be, there is nobody to wait for.
    const isFinal = !isRetriable(error) || (error instanceof Foreign && this.target.id === "");
    if (isFinal && !isPassed) throw error;
    if (error instanceof Refusal) {
      this.#reach.live();
      tries.delayed?.(error);
    }
    // Its servers change over, which takes some seconds.
    const most = code === "busy" && this.#servers.several ? CHANGE_PAUSE : MOST_PAUSE;
    const wait = Math.max(retryAfter, backoff(tries.failed++, FIRST_PAUSE, most));
    // Where it is now is asked while we wait: the registry may be gone, too.
    if (error instanceof Unreachable && !this.#isHeard) void this.#lost();
    if (performance.now() + wait >= tries.end) throw error;
    if (error instanceof Unreachable || isPassed) await this.#rest.until(wait);
    else await pause(wait, this.signal);
    tries.moves = 0;
    this.#servers.again();
    this.#searched = false;
  }

  /** Another server is asked now instead of the one that gave this error. */
  #isElsewhere(client: GroupClient, tries: Tries, error: unknown): boolean {
    if (tries.moves++ >= MAX_SERVERS) return false;
    if (client !== this.#client) return isRetriable(error);
    if (error instanceof Refusal) return error.code === "unavailable" && this.#leave();
    const waited = performance.now() - (this.#waiting ?? Infinity);
    const isSilent = waited >= PATIENCE * 2 ** Math.min(tries.failed, 3);
    return error instanceof Unreachable && isSilent && this.#leave();
  }

  /** Becomes a member, by an invite where one is needed, or is one still. Throws as `ask` does. */
  async join(fields: { readonly invite?: string } = {}): Promise<GroupReply<"join">> {
    const reply = await this.ask("join", fields);
    this.#membership.joined(reply.epoch);
    return reply;
  }

  /** Asks for a sign of life, and learns how far the log goes. Throws as `ask` does. */
  async ping(within: number): Promise<GroupReply<"ping">> {
    const reply = await this.ask("ping", {}, { within });
    const { epoch, head, hash, servers } = reply;
    this.know(epoch, head);
    if (servers) this.#told(servers);
    if (hash !== undefined) this.feed.vouch(epoch, { seq: head, hash });
    return reply;
  }

  /** Tells, of each kind once in an epoch, that the group contradicts itself; see {@linkcode Alarm}. */
  alarm(why: Alarm["why"], epoch: string, seq: number, head = seq): void {
    this.#alarms.raise(why, this.target.name, epoch, seq, head);
  }

  /** Says that we write, seldom enough, and minds no answer. */
  typing(): void {
    const now = performance.now();
    if (now - this.#typedAt < TYPING_EVERY) return;
    this.#typedAt = now;
    this.ask("typing", {}, { within: 1_000 }).catch(() => {});
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
    this.#waiting = undefined;
    this.#reach.live();
    this.#rest.end();
  }

  /** The group does not answer: perhaps it lives elsewhere now. */
  #lost(): Promise<void> {
    this.#reach.away(this.#servers.several);
    return this.#relocating ??= this.#relocate()
      .catch(() => {}) // what cannot be kept of the new address is found again
      .finally(() => (this.#relocating = undefined));
  }

  async #relocate(): Promise<void> {
    const found = await this.#options.find().catch(() => undefined);
    if (!found || this.signal.aborted) return;
    const { id, key } = this.target;
    if (found.id !== id || (key && found.key !== key)) return;
    if (this.#servers.several && this.#isHeard) return; // It is back.
    if (!this.#servers.found(found)) return;
    this.#aim(found);
    this.#giveUp();
    this.#options.moved(this.target);
    this.#rest.end();
  }

  /** The next request begins anew, where the target is then. */
  #giveUp(): void {
    const closing = this.#client?.close().finally(() => this.#former.delete(closing!));
    this.#client = undefined;
    if (closing) this.#former.add(closing);
    this.feed.lose();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#reach.close();
    this.#rest.end();
    this.feed.close();
    await Promise.all([...this.#former, this.#client?.close()]);
  }
}

/** Somebody else answers there, or nobody can tell who. */
function isStranger(error: unknown): boolean {
  return error instanceof IdentityChanged || error instanceof BadReply;
}
