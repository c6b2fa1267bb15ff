/** The client's side of a session: who answers is proved first, then requests, pushes and the feed. */

import { BadReply, Closed, Refusal, sentence, UnknownHost, Unreachable } from "../errors.ts";
import {
  BadRequest,
  checkReply,
  decodeFeed,
  decodeSaid,
  encodeRequest,
  hasFeedKey,
  type Reply,
} from "../protocol/codec.ts";
import { MAX_FRAME } from "../protocol/limits.ts";
import { inSeconds } from "../text/counted.ts";
import {
  type FeedFrame,
  GROUP_REPLIES,
  type Ops,
  type Push,
  type ReplyOf,
} from "../protocol/schema.ts";
import type { Transport } from "../transport/transport.ts";
import { Deadline } from "./deadline.ts";
import { FeedReader } from "./feed_reader.ts";
import type { ServerIdentity } from "./identity.ts";
import { type Pending, PendingRequests } from "./requests.ts";
import { Tunnel } from "./tunnel.ts";
import { questionOf } from "./unreachable.ts";

/** A session that is open for requests. */
export interface Opened {
  /** Who answers, checked. */
  readonly identity: ServerIdentity;
  /** The reply to `prove`; absent in an anonymous session. */
  readonly proved?: ReplyOf<typeof GROUP_REPLIES, "prove">;
  /** When `prove` was sent and answered, ms since 1970 by our clock. */
  readonly asked: number;
  readonly answered: number;
}

interface Proving extends Pick<Opened, "identity" | "asked"> {
  readonly id: number;
  readonly deadline: Deadline;
}

/** None of the callbacks is called once the client is closed. */
export interface SessionClientOptions<T extends Ops> {
  readonly transport: Transport;
  /** `HOST:PORT`. */
  readonly address: string;
  /** What is at the address, for sentences: `the group "Lab"`. */
  readonly what: string;
  /** What to do where nothing listens, for sentences; default asks whether it runs. */
  readonly absent?: string;
  /** What each op is answered; an op that is not in it cannot be asked. */
  readonly replies: T;
  /**
   * Throws unless this is the server that is meant. Then the session never opens, no request goes to
   * it, and the error goes to all who ask.
   */
  check(identity: ServerIdentity): void;
  /** The proof for this session; absent: it stays anonymous. */
  prove?(transcript: string): { readonly key: string; readonly name: string; readonly sig: string };
  /** The ticket to show, 52 bytes, asked for each handshake. */
  ticket?(): Uint8Array | undefined;
  /** A session is open; called before any request goes out in it. */
  opened?(opened: Opened): void;
  /** An open session is lost, or a try for one failed; `error` is what the server was refused for. */
  gone?(why: string, error?: unknown): void;
  /** It is there, and makes us wait for a session. */
  putOff?(): void;
  pushed?(push: Push): void;
  readonly feed?: (frame: FeedFrame) => void;
  /** What the holder of a group tells its other servers. */
  news?(frame: FeedFrame): void;
  /**
   * Something authentic came, also what nobody waits for. With a generation: of the feed, but its
   * key is not here; said once for each such generation, whose frames are dropped.
   */
  heard?(unreadable?: number): void;
}

/** Requests that may wait at once. */
const MAX_WAITING = 10_000;
/** What the system says of an address where nothing listens. */
const NOBODY = /^[^,;]*ECONNREFUSED/;
/** What the system says of a name that no address belongs to. */
const UNKNOWN_HOST = /ENOTFOUND|EAI_AGAIN|EAI_NONAME|EAI_NODATA/;
/** How long the reply to the proof may take, ms. */
const PROVE_WITHIN = 5_000;

/**
 * A client of one server. It connects at once, and again whenever the session is lost; after a
 * refusal (`check`, the answer to `prove`) it does so for the next who asks, and not before a pause.
 */
export class SessionClient<T extends Ops> implements AsyncDisposable {
  readonly address: string;
  readonly #options: SessionClientOptions<T>;
  readonly #tunnel: Tunnel;
  readonly #requests = new PendingRequests();
  readonly #reader = new FeedReader();
  #id = 0;
  /** The proof that is out. */
  #proving: Proving | undefined;
  #opened: Opened | undefined;
  #renewal = false;
  /** Why there was no session last. */
  #why = "";
  #closed: Promise<void> | undefined;

  /** @throws {UsageError} not an address */
  constructor(options: SessionClientOptions<T>) {
    const { transport, address, what } = options;
    this.address = address;
    this.#options = options;
    this.#tunnel = new Tunnel({
      transport,
      address,
      who: `${what} at ${address}`,
      check: (identity) => options.check(identity),
      ticket: () => options.ticket?.(),
      sealed: (identity, transcript) => this.#sealed(identity, transcript),
      said: this.#said,
      fed: this.#fed,
      lost: (why, error) => this.#lost(why, error),
      putOff: (why) => {
        this.#why = why;
        options.putOff?.();
      },
      refused: (error) => this.#requests.reject("unasked", error),
    });
  }

  /** Who answers, while a session is open. */
  get identity(): ServerIdentity | undefined {
    return this.#opened?.identity;
  }

  /**
   * The `ok` of the reply, checked. Waits for a session where none is open.
   *
   * @param timeout ms, default 4,000
   * @throws {Refusal} what the server answered; {Unreachable} nothing in time, or the connection was
   * lost meanwhile; {BadReply}; {Closed}; what `check` threw
   */
  request<K extends keyof T & string>(
    op: K,
    fields: object,
    timeout = 4_000,
  ): Promise<ReplyOf<T, K>> {
    const problem = this.#problem(op);
    if (problem) return Promise.reject(problem);
    const id = ++this.#id;
    const text = encodeRequest(id, op, fields);
    if (text.length * 3 > MAX_FRAME && new TextEncoder().encode(text).length > MAX_FRAME) {
      const message = `Cannot ask ${this.#options.what}: the request is above 1 MiB`;
      return Promise.reject(new Refusal("too_large", message));
    }
    return new Promise((resolve, reject) => {
      const settle = (reply: Reply) => resolve(this.#replied(op, reply));
      this.#wait({ id, text, settle, reject }, timeout);
      if (!this.#isOpen) return this.#tunnel.want();
      this.#requests.sent(id);
      this.#tunnel.say(text);
    });
  }

  /** The session that is open, or the next one. Throws as {@linkcode request} does. */
  opened(timeout = 4_000): Promise<Opened> {
    const problem = this.#problem();
    if (problem) return Promise.reject(problem);
    if (this.#isOpen) return Promise.resolve(this.#opened!);
    return new Promise((resolve, reject) => {
      const id = ++this.#id;
      this.#wait({ id, opened: () => resolve(this.#opened!), reject }, timeout);
      this.#tunnel.want();
    });
  }

  get #isOpen(): boolean {
    return this.#opened !== undefined && !this.#renewal;
  }

  #problem(op?: string): Error | undefined {
    const { what, replies } = this.#options;
    if (this.#closed) return new Closed(`Cannot ask ${what}: closed`);
    if (op !== undefined && !Object.hasOwn(replies, op)) {
      return new Error(`Cannot ask ${what} for ${op}: it has no such op`);
    }
    if (this.#requests.size < MAX_WAITING && this.#tunnel.free) return undefined;
    return this.#unreachable("too much waits to be sent");
  }

  #wait(pending: Pending, timeout: number): void {
    this.#requests.add(pending, timeout, () => {
      if (this.#renewal) queueMicrotask(() => this.#renew());
      const why = this.#opened ? "" : this.#why;
      if (UNKNOWN_HOST.test(why)) return this.#unknownHost();
      if (NOBODY.test(why)) return this.#unreachable("nothing listens there");
      return this.#unreachable(`no answer within ${inSeconds(timeout)}${why && ` (${why})`}`);
    });
  }

  #unknownHost(): Unreachable {
    const { what, address } = this.#options;
    const why = "no host of this name is known; check how it is written, or use its IP";
    return new UnknownHost(address, `Cannot reach ${what} at ${address}: ${why}`);
  }

  #unreachable(why: string): Unreachable {
    const { what, address } = this.#options;
    const question = questionOf(why, this.#options);
    return new Unreachable(address, `Cannot reach ${what} at ${address}: ${why}; ${question}`);
  }

  #sealed(identity: ServerIdentity, transcript: string): void {
    const { prove } = this.#options;
    if (!prove) return this.#open({ identity, asked: Date.now(), answered: Date.now() });
    const { key, name, sig } = prove(transcript);
    const late = () => this.#tunnel.fail("no answer to the proof");
    const deadline = new Deadline(late, PROVE_WITHIN);
    this.#proving = { id: ++this.#id, identity, asked: Date.now(), deadline };
    this.#tunnel.say(encodeRequest(this.#proving.id, "prove", { key, name, sig }));
  }

  #open(opened: Opened): void {
    this.#why = "";
    this.#opened = opened;
    this.#options.opened?.(opened);
    if (this.#renewal) return this.#renew();
    for (const pending of this.#requests.all("unasked")) {
      if (pending.text === undefined) {
        this.#requests.take(pending.id);
        pending.opened();
      } else {
        this.#requests.sent(pending.id);
        this.#tunnel.say(pending.text);
      }
    }
  }

  #lost(why: string, error?: unknown): void {
    this.#forget();
    this.#why = why;
    this.#requests.reject("asked", this.#unreachable(`the connection was lost (${why})`));
    try {
      this.#options.gone?.(why, error);
    } catch {
      // A listener's fault; a timer that meets it would end the program.
    }
  }

  #forget(): void {
    this.#proving?.deadline.clear();
    this.#proving = undefined;
    this.#opened = undefined;
    this.#renewal = false;
    this.#reader.suspend();
  }

  readonly #said = (plaintext: Uint8Array): void => {
    this.#options.heard?.();
    let said;
    try {
      said = decodeSaid(plaintext);
    } catch (error) {
      return this.#unreadable(error);
    }
    if (!("push" in said)) return this.#reply(said);
    if (said.push === "news") return this.#options.news?.(said);
    this.#reader.add(said.generation, said.key);
    this.#options.pushed?.(said);
  };

  /** Whose answer it would be is told; where it is nobody's, who waits runs into a time-out. */
  #unreadable(error: unknown): void {
    const id = error instanceof BadRequest ? error.id : null;
    if (id === null) return;
    if (id !== this.#proving?.id) return this.#requests.take(id, "asked")?.reject(this.#bad(error));
    this.#proving.deadline.clear();
    this.#proving = undefined;
    this.#tunnel.refuse(this.#bad(error));
  }

  #reply(reply: Reply): void {
    if (reply.id === null) return;
    if (reply.id === this.#proving?.id) return this.#proved(this.#proving, reply);
    const request = this.#requests.take(reply.id, "asked");
    if (request?.text === undefined) return;
    try {
      request.settle(reply);
    } catch (error) {
      request.reject(error);
    }
    if (this.#renewal) this.#renew();
  }

  #proved({ identity, asked, deadline }: Proving, reply: Reply): void {
    deadline.clear();
    this.#proving = undefined;
    try {
      const proved = this.#checked(GROUP_REPLIES, "prove", reply);
      this.#open({ identity, proved, asked, answered: Date.now() });
    } catch (error) {
      this.#tunnel.refuse(error);
    }
  }

  /** @throws {Refusal}; {BadReply} */
  #replied<K extends keyof T & string>(op: K, reply: Reply): ReplyOf<T, K> {
    const ok = this.#checked(this.#options.replies, op, reply);
    // At once: frames of the feed may follow in the same turn.
    if (op === "subscribe" && hasFeedKey(ok)) this.#reader.add(ok.generation, ok.key);
    if (op === "unsubscribe") this.#reader.suspend();
    return ok;
  }

  /** @throws {Refusal}; {BadReply} */
  #checked<R extends Ops, K extends keyof R & string>(
    replies: R,
    op: K,
    reply: Reply,
  ): ReplyOf<R, K> {
    if ("error" in reply) throw reply.error;
    try {
      return checkReply(replies[op], reply.ok);
    } catch (cause) {
      throw this.#bad(cause, `${op}: `);
    }
  }

  #bad(cause: unknown, where = ""): BadReply {
    const { what, address } = this.#options;
    const why = sentence(cause).replace(/^Cannot read the request: /, "");
    return new BadReply(`Cannot use the answer of ${what} at ${address}: ${where}${why}`, {
      cause,
    });
  }

  readonly #fed = (packet: Uint8Array): void => {
    const { heard, feed } = this.#options;
    let plaintext;
    try {
      plaintext = this.#reader.read(packet, (generation) => heard?.(generation));
    } catch (error) {
      return this.#tunnel.fail(sentence(error));
    }
    if (!plaintext) return;
    heard?.();
    let frame;
    try {
      frame = decodeFeed(plaintext);
    } catch {
      return; // Not for us to understand; the log has what is true.
    }
    feed?.(frame);
  };

  /**
   * A new session on the same connection, once those who wait for an answer have it; who asks
   * meanwhile waits for it. `prove` is asked again: it may give another name.
   */
  renew(): void {
    if (!this.#opened && !this.#proving) return; // The next one is a new one.
    this.#renewal = true;
    if (this.#opened) this.#renew();
  }

  #renew(): void {
    if (!this.#opened || !this.#renewal || this.#requests.all("asked").length > 0) return;
    this.#forget();
    this.#tunnel.renew();
  }

  /** Who waits hears {@linkcode Closed}; twice is harmless. */
  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#forget();
    const closed = new Closed(`Cannot ask ${this.#options.what}: closed`);
    this.#requests.reject("asked", closed);
    this.#requests.reject("unasked", closed);
    await this.#tunnel.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
