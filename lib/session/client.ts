/** The client's side of a session: who answers is proved first, then requests, pushes and the feed. */

import { BadReply, Closed, Refusal, sentence, Unreachable } from "../errors.ts";
import {
  checkReply,
  decodeFeed,
  decodeSaid,
  encodeRequest,
  isOurs,
  type Reply,
} from "../protocol/codec.ts";
import { MAGIC, MAX_FRAME, MAX_PACKET } from "../protocol/limits.ts";
import type { FeedFrame, Ops, Push } from "../protocol/schema.ts";
import type { Channel, Frames, Transport } from "../transport/transport.ts";
import { FeedReader } from "./feed_reader.ts";
import { readAnswer, type ServerIdentity, transcriptOf } from "./identity.ts";
import { Initiator, type Split } from "./noise.ts";
import { decodeReset, HEAD, KIND, PROLOGUE } from "./packet.ts";
import { patience } from "./patience.ts";
import { type Request, Requests } from "./requests.ts";

/** A session that is open for requests. */
export interface Opened {
  /** Who answers, checked. */
  readonly identity: ServerIdentity;
  /** The reply to `prove`; absent in an anonymous session. */
  readonly proved?: Record<string, unknown>;
  /** When `prove` was sent and answered, ms since 1970 by our clock. */
  readonly asked: number;
  readonly answered: number;
}

export interface SessionClientOptions {
  readonly transport: Transport;
  /** `HOST:PORT`. */
  readonly address: string;
  /** What is at the address, for sentences: `the group "Lab"`. */
  readonly what: string;
  /** What each op is answered; an op that is not in it cannot be asked. */
  readonly replies: Ops;
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
  /** An open session is lost, or a try for one failed. */
  gone?(why: string): void;
  pushed?(push: Push): void;
  feed?(frame: FeedFrame): void;
  /**
   * Something authentic came, also what nobody waits for. With a generation: of the feed, but its
   * key is not here; said once for each such generation, whose frames are dropped.
   */
  heard?(unreadable?: number): void;
}

/** Requests that may wait at once. */
const MAX_WAITING = 10_000;
/** How long an answer to the hello, and the reply to the proof, may take, ms. */
const GREET_WITHIN = 5_000;
/** The same where nobody says that a connection is gone. */
const GREET_AGAIN = 2_000;
/** A session that lasted this long was none that fails at once, ms. */
const LASTED = 1_000;
/** How often a packet is offered to a channel that took none, ms. */
const OFFER_EVERY = 20;

/**
 * A client of one server. It connects at once, and again whenever the session is lost; after a
 * refusal (`check`, the answer to `prove`) it does so for the next who asks, and not before a pause.
 */
export class SessionClient implements AsyncDisposable {
  readonly address: string;
  readonly #options: SessionClientOptions;
  readonly #requests = new Requests();
  readonly #reader = new FeedReader();
  #id = 0;
  #channel: Channel | undefined;
  /** What still closes. */
  readonly #closing = new Set<Promise<void>>();
  #connected = false;
  /** A hello is out, and its answer is not here. */
  #hello: Initiator | undefined;
  #split: Split | undefined;
  #identity: ServerIdentity | undefined;
  /** The id of the `prove` that is out. */
  #proving: { readonly id: number; readonly asked: number } | undefined;
  #opened: Opened | undefined;
  #openedAt = 0;
  /** A sealed packet that the channel did not take: it goes out before any other, or none opens. */
  #kept: Uint8Array | undefined;
  #renewal = false;
  /** Tries that failed one after the other. */
  #attempt = 0;
  /** Nothing is tried before, by `performance.now()`. */
  #notBefore = 0;
  #why = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #offer: ReturnType<typeof setTimeout> | undefined;
  #closed: Promise<void> | undefined;

  /** @throws {UsageError} not an address */
  constructor(options: SessionClientOptions) {
    this.#options = options;
    this.address = options.address;
    this.#connect();
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
  request(op: string, fields: object, timeout = 4_000): Promise<Record<string, unknown>> {
    return this.#wait(timeout, op, fields) as Promise<Record<string, unknown>>;
  }

  /** The session that is open, or the next one. Throws as {@linkcode request} does. */
  opened(timeout = 4_000): Promise<Opened> {
    return this.#wait(timeout) as Promise<Opened>;
  }

  #wait(timeout: number, op?: string, fields: object = {}): Promise<unknown> {
    const { what, replies } = this.#options;
    if (this.#closed) return Promise.reject(new Closed(`Cannot ask ${what}: closed`));
    if (op !== undefined && !Object.hasOwn(replies, op)) {
      return Promise.reject(new Error(`Cannot ask ${what} for ${op}: it has no such op`));
    }
    if (this.#requests.size >= MAX_WAITING || this.#kept) {
      return Promise.reject(this.#unreachable("too much waits to be sent"));
    }
    return new Promise((resolve, reject) => {
      const request = { id: ++this.#id, ...(op ? { op } : {}), fields, resolve, reject };
      this.#requests.add(request, timeout, () => {
        const why = this.#opened || !this.#why ? "" : ` (${this.#why})`;
        return this.#unreachable(`no answer within ${timeout / 1000} s${why}`);
      });
      if (this.#opened && !this.#renewal) this.#ask(request);
      else this.#want();
    });
  }

  #unreachable(why: string): Unreachable {
    const { what, address } = this.#options;
    return new Unreachable(
      address,
      `Cannot reach ${what} at ${address}: ${why}; is it running?`,
    );
  }

  #ask(request: Request): void {
    const { id, op, fields } = request;
    if (op === undefined) return this.#requests.take(id)?.resolve(this.#opened);
    const text = encodeRequest(id, op, fields);
    if (text.length * 3 > MAX_FRAME && new TextEncoder().encode(text).length > MAX_FRAME) {
      const message = `Cannot ask ${this.#options.what}: the request is above 1 MiB`;
      return this.#requests.take(id)?.reject(new Refusal("too_large", message));
    }
    this.#requests.sent(request);
    this.#say(text);
  }

  #say(text: string): void {
    if (!this.#split) return;
    const packet = this.#split.send.seal(text, HEAD.sealed);
    if (!this.#kept && this.#channel?.send([MAGIC, packet])) return;
    this.#kept = packet;
    this.#offer = setTimeout(() => this.#offerKept(), OFFER_EVERY);
  }

  #offerKept(): void {
    if (!this.#kept) return;
    if (this.#channel?.send([MAGIC, this.#kept])) this.#kept = undefined;
    else this.#offer = setTimeout(() => this.#offerKept(), OFFER_EVERY);
  }

  // Towards a session.

  /** Somebody waits for a session: something is under way, or begins. */
  #want(): void {
    if (this.#channel || this.#timer) return;
    this.#after(this.#notBefore - performance.now(), () => this.#connect());
  }

  #connect(): void {
    let current = undefined as Channel | undefined;
    // What a channel says that was given up counts no more.
    const unlessFormer = (act: () => void) => {
      if (!this.#closed && (current === undefined || current === this.#channel)) act();
    };
    current = this.#options.transport.connect({
      address: this.address,
      maxFrame: MAX_PACKET,
      onMessage: (frames) => unlessFormer(() => this.#receive(frames)),
      onConnected: () =>
        unlessFormer(() => {
          this.#connected = true;
          this.#greet();
        }),
      onGone: (why) =>
        unlessFormer(() => {
          this.#connected = false;
          this.#lose(why);
        }),
    });
    this.#channel = current;
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      act();
    }, Math.max(0, ms));
  }

  /** Says hello, after a pause where tries failed. */
  #greet(): void {
    if (this.#attempt === 0) return this.#sayHello();
    this.#after(patience(this.#attempt - 1), () => this.#sayHello());
  }

  #sayHello(): void {
    if (!this.#connected) return; // A connection that comes says hello itself.
    const hello = new Initiator(PROLOGUE);
    const packet = hello.write(this.#options.ticket?.() ?? new Uint8Array(0), HEAD.hello);
    this.#hello = hello;
    this.#channel?.send([MAGIC, packet]); // If it cannot be sent now, it is said again.
    const { watchful } = this.#options.transport;
    this.#after(watchful ? GREET_WITHIN : GREET_AGAIN, () => this.#fail("no answer to the hello"));
  }

  /** What is there is of no use: begins again, on a new connection where that helps. */
  #fail(why: string): void {
    this.#lose(why);
    if (this.#options.transport.watchful) this.#channel?.reconnect(why);
    else this.#greet();
  }

  /** There is no session any more, nor one that begins. */
  #lose(why: string): void {
    const lasted = this.#opened && performance.now() - this.#openedAt >= LASTED;
    if (lasted) this.#attempt = 0;
    else if (this.#hello || this.#split) this.#attempt++;
    this.#why = why;
    this.#drop();
    this.#requests.rejectAsked(this.#unreachable(`the connection was lost (${why})`));
    this.#options.gone?.(why);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#offer);
    this.#timer = undefined;
    this.#hello = undefined;
    this.#split = undefined;
    this.#identity = undefined;
    this.#proving = undefined;
    this.#opened = undefined;
    this.#kept = undefined;
    this.#renewal = false;
    this.#reader.suspend();
  }

  /** Not this server, or not now: all who wait hear it, and the next who asks has it tried again. */
  #refuse(error: unknown): void {
    const asked = error instanceof Refusal ? error.retryAfter ?? 0 : 0;
    this.#notBefore = performance.now() + Math.max(asked, patience(this.#attempt));
    this.#lose(sentence(error));
    const channel = this.#channel;
    this.#channel = undefined;
    this.#connected = false;
    this.#release(channel);
    this.#requests.rejectUnasked(error);
  }

  #release(channel: Channel | undefined): void {
    if (!channel) return;
    const closing = channel.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  // What comes.

  #receive(frames: Frames): void {
    const packet = frames[1];
    if (!isOurs(frames) || frames.length !== 2 || packet.length === 0) {
      return this.#fail("what answers does not speak this protocol");
    }
    switch (packet[0]) {
      case KIND.reset:
        return this.#reset(packet);
      case KIND.answer:
        return this.#answer(packet.subarray(1));
      case KIND.sealed:
        return this.#sealed(packet.subarray(1));
      case KIND.feed:
        return this.#feed(packet);
      default:
        return this.#fail("what answers sent a packet of no kind that is known");
    }
  }

  #reset(packet: Uint8Array): void {
    const code = decodeReset(packet);
    this.#lose(code === "busy" ? "it is busy" : "it has no session for us");
    this.#greet();
  }

  #answer(message: Uint8Array): void {
    const hello = this.#hello;
    if (!hello) return;
    const { what, address, check, prove } = this.#options;
    let answer;
    try {
      answer = hello.read(message);
    } catch {
      // Where a hello is said again, this may be the answer to the former one.
      if (this.#options.transport.watchful) this.#fail("its answer to the hello does not open");
      return;
    }
    this.#hello = undefined;
    try {
      this.#identity = believed(answer, `${what} at ${address}`);
      check(this.#identity);
      this.#split = answer;
      if (!prove) return this.#open(undefined);
      const { key, name, sig } = prove(transcriptOf(answer.hash));
      const id = ++this.#id;
      this.#proving = { id, asked: Date.now() };
      this.#say(encodeRequest(id, "prove", { key, name, sig }));
      this.#after(GREET_WITHIN, () => this.#fail("no answer to the proof"));
    } catch (error) {
      this.#refuse(error);
    }
  }

  #open(proved: Record<string, unknown> | undefined): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const answered = Date.now();
    const asked = this.#proving?.asked ?? answered;
    this.#proving = undefined;
    this.#openedAt = performance.now();
    this.#why = "";
    const opened = { identity: this.#identity!, ...(proved ? { proved } : {}), asked, answered };
    this.#options.opened?.(opened);
    if (!this.#split) return; // Given up by the owner meanwhile.
    this.#opened = opened;
    if (this.#renewal) return this.#renew();
    for (const request of this.#requests.unasked()) this.#ask(request);
  }

  #sealed(ciphertext: Uint8Array): void {
    if (!this.#split) return; // Of a session that is over.
    let plaintext;
    try {
      plaintext = this.#split.receive.open(ciphertext);
    } catch {
      return this.#fail("a packet of its does not open");
    }
    this.#options.heard?.();
    let said;
    try {
      said = decodeSaid(plaintext);
    } catch {
      return; // Nobody's answer: who waits for one runs into a time-out.
    }
    if (!("push" in said)) return this.#reply(said);
    this.#reader.add(said.generation, said.key);
    this.#options.pushed?.(said);
  }

  #reply(reply: Reply): void {
    if (reply.id === null) return;
    if (reply.id === this.#proving?.id) return this.#proved(reply);
    const request = this.#requests.take(reply.id);
    if (!request) return;
    try {
      const ok = this.#checked(request.op!, reply);
      if (request.op === "subscribe") this.#reader.add(Number(ok.generation), String(ok.key));
      if (request.op === "unsubscribe") this.#reader.suspend();
      request.resolve(ok);
    } catch (error) {
      request.reject(error);
    }
    if (this.#renewal) this.#renew();
  }

  #proved(reply: Reply): void {
    try {
      this.#open(this.#checked("prove", reply));
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @throws {Refusal}; {BadReply} */
  #checked(op: string, reply: Reply): Record<string, unknown> {
    if ("error" in reply) throw reply.error;
    const { what, address, replies } = this.#options;
    try {
      return checkReply(replies[op], reply.ok);
    } catch (cause) {
      const why = sentence(cause).replace(/^Cannot read the request: /, "");
      throw new BadReply(`Cannot use the answer of ${what} at ${address}: ${op}: ${why}`, {
        cause,
      });
    }
  }

  #feed(packet: Uint8Array): void {
    if (!this.#opened) return;
    let plaintext;
    try {
      plaintext = this.#reader.read(packet);
    } catch {
      return this.#fail("a packet of its feed does not open");
    }
    if (plaintext === "late") return;
    if (plaintext === "no key") return this.#options.heard?.(packet[3] * 256 + packet[4]);
    this.#options.heard?.();
    let frame;
    try {
      frame = decodeFeed(plaintext);
    } catch {
      return; // Not for us to understand; the log has what is true.
    }
    this.#options.feed?.(frame);
  }

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
    if (this.#requests.asked > 0) return;
    this.#drop();
    this.#sayHello();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#drop();
    const closed = new Closed(`Cannot ask ${this.#options.what}: closed`);
    this.#requests.rejectAsked(closed);
    this.#requests.rejectUnasked(closed);
    this.#release(this.#channel);
    this.#channel = undefined;
    await Promise.all(this.#closing);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** @throws {BadReply} */
function believed(
  answer: { payload: Uint8Array; before: Uint8Array },
  who: string,
): ServerIdentity {
  try {
    return readAnswer(answer.payload, answer.before);
  } catch (cause) {
    throw new BadReply(`Cannot use the answer of ${who}: ${sentence(cause)}`, { cause });
  }
}
