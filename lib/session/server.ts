/** The server's side of sessions: handshakes within their budget, sealed packets in and out. */

import { isOurs } from "../protocol/codec.ts";
import { MAGIC } from "../protocol/limits.ts";
import type {
  Accounts,
  Bounds,
  Encoded,
  Frames,
  Peer,
  Server,
  Transport,
} from "../transport/transport.ts";
import { everyStep } from "../structures/closing.ts";
import { Totals } from "../transport/totals.ts";
import { AccountLog } from "./account_log.ts";
import { Handshakes, type Hello } from "./handshakes.ts";
import { encodeAnswer, type ServerIdentity, transcriptOf } from "./identity.ts";
import { type CipherState, KEY_BYTES, Responder } from "./noise.ts";
import { encodeReset, HEAD, KIND, PROLOGUE, type Reset, TICKET_BYTES } from "./packet.ts";
import { Session, type SessionHost } from "./session.ts";
import type { Tickets } from "./ticket.ts";

/** Sessions kept over an engine that does not say when a peer is gone, and for how long idle, ms. */
const UNWATCHED = { most: 16_384, idle: 60_000 } as const;

export interface SessionServerOptions {
  readonly transport: Transport;
  /** `IP:PORT`; port 0 takes a free one. */
  readonly address: string;
  readonly bounds?: Bounds;
  /**
   * Over an engine that is not watchful: how many sessions are kept, and for how long without a word,
   * ms. Default 16,384 and a minute.
   */
  readonly unwatched?: { readonly most: number; readonly idle: number };
  /** Whose handshakes come first; absent: nobody's. */
  readonly tickets?: Tickets;
  /** Who this server says it is, asked for each handshake, and how it signs. */
  identity(): { readonly says: ServerIdentity; sign(text: string): string };
  /**
   * A request in a session, as JSON in UTF-8 that nobody looked at yet. Called in the order of
   * arrival, never after {@linkcode SessionServerOptions.onGone}. What it throws cuts the peer.
   */
  onRequest(session: Session, plaintext: Uint8Array): void;
  /** A message that is not of this protocol. Absent: the peer is cut. */
  onClear?(peer: Peer, frames: Frames): void;
  /** The session is over: gone, cut, renewed, or forgotten. Once for each, and not at close. */
  onGone?(session: Session, why: string): void;
  /** A connection is gone, session or none. Over an engine that is not told: late, or never. */
  onLeft?(peer: Peer): void;
  warn(text: string): void;
}

interface Open {
  readonly session: Session;
  readonly receive: CipherState;
}

/** A bound socket at which peers have sessions. `close()` twice is harmless. */
export class SessionServer implements AsyncDisposable {
  readonly #options: SessionServerOptions;
  #server!: Server;
  readonly #sessions = new Map<string, Open>();
  readonly #handshakes: Handshakes<Peer>;
  readonly #totals = new Totals();
  readonly #host: SessionHost;
  #log!: AccountLog;
  /** Nothing of theirs counts any more, though more of it may be on its way through the engine. */
  readonly #cut = new WeakSet<Peer>();
  readonly #told = new WeakSet<Peer>();
  readonly #unwatched: { readonly most: number; readonly idle: number };
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #closing: Promise<void> | undefined;

  /** Binds and answers from then on. @throws {Refusal} the address cannot be bound */
  static async start(options: SessionServerOptions): Promise<SessionServer> {
    const { transport, address, bounds } = options;
    const made = new SessionServer(options);
    made.#server = await transport.serve({
      address,
      protocol: MAGIC,
      ...(bounds ? { bounds } : {}),
      onMessage: made.#receive,
      onGone: (peer, why) => made.#left(peer, why),
    });
    made.#log = new AccountLog(() => made.accounts.counts, (text) => options.warn(text));
    if (!transport.watchful) {
      made.#sweeper = setInterval(() => made.#sweep(), made.#unwatched.idle / 10);
      made.#sweeper.unref();
    }
    return made;
  }

  private constructor(options: SessionServerOptions) {
    this.#options = options;
    this.#unwatched = options.unwatched ?? UNWATCHED;
    this.#handshakes = new Handshakes({
      ...(options.tickets ? { tickets: options.tickets } : {}),
      run: (hello) => this.#shake(hello),
      busy: (peer) => this.#reset(peer, "busy"),
      count: (what) => this.#totals.count(what),
    });
    this.#host = {
      watchful: options.transport.watchful,
      cut: (peer, why) => this.#end(peer, why),
      spent: (priority, ms) => this.#handshakes.spend(priority, ms),
    };
  }

  /** The bound `IP:PORT`. */
  get address(): string {
    return this.#server.address;
  }

  /** What peers hold now, and what happened to them, handshakes included. */
  get accounts(): Accounts {
    const { connections, strangers, held, most, counts } = this.#server.accounts;
    return {
      connections,
      strangers,
      held,
      most,
      counts: new Map([...counts, ...this.#totals.counts]),
    };
  }

  /** The sessions that are open, in the order of their handshakes. */
  *sessions(): Iterable<Session> {
    for (const { session } of this.#sessions.values()) yield session;
  }

  /** A feed packet, ready to be written to many sessions. */
  encodeFeed(packet: Uint8Array): Encoded {
    return this.#server.encode([MAGIC, packet]);
  }

  readonly #receive = (peer: Peer, frames: Frames): void => {
    if (this.#cut.has(peer) || this.#closing) return;
    if (!isOurs(frames)) {
      const { onClear } = this.#options;
      if (!onClear) return this.#end(peer, "does not speak this protocol");
      return this.#guard(() => onClear(peer, frames));
    }
    const packet = frames[1];
    if (frames.length !== 2 || packet.length === 0) return this.#end(peer, "no packet");
    switch (packet[0]) {
      case KIND.hello:
        return this.#hello(peer, packet.subarray(1));
      case KIND.sealed:
        return this.#sealed(peer, packet.subarray(1));
      default:
        return this.#end(peer, "a packet of no kind that a client sends");
    }
  };

  #hello(peer: Peer, message: Uint8Array): void {
    const ticket = message.length - KEY_BYTES;
    if (ticket !== 0 && ticket !== TICKET_BYTES) return this.#end(peer, "a hello of wrong length");
    this.#forget(peer, "renewed");
    this.#handshakes.add(peer, message);
  }

  #sealed(peer: Peer, ciphertext: Uint8Array): void {
    const open = this.#sessions.get(peer.id);
    if (!open) return this.#strayed(peer);
    let plaintext: Uint8Array;
    try {
      plaintext = open.receive.open(ciphertext);
    } catch {
      const why = "a sealed packet that does not open";
      if (this.#options.transport.watchful) return this.#end(peer, why);
      // An engine that loses messages makes gaps that are nobody's fault, and a cut is not noticed.
      this.#gone(peer, why);
      return this.#reset(peer, "bad_packet");
    }
    open.session.touch(performance.now());
    if (this.#sweeper) this.#keep(peer.id, open);
    try {
      this.#options.onRequest(open.session, plaintext);
    } catch (error) {
      this.#failed(error);
      open.session.cut("its request failed here");
    }
  }

  /** It seals for a session that is not here: that is said once, and who goes on is cut. */
  #strayed(peer: Peer): void {
    if (this.#told.has(peer)) return this.#end(peer, "a sealed packet without a session");
    if (this.#options.transport.watchful) this.#told.add(peer);
    this.#reset(peer, "no_session");
  }

  /** A defect of the owner is told, and ends nothing but what it was about. */
  #guard<T>(call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  #failed(error: unknown): void {
    const what = error instanceof Error ? error.stack : undefined;
    this.#options.warn(`A request failed: ${what ?? error}`);
  }

  /** One handshake, with whoever it is. */
  #shake({ peer, message, priority }: Hello<Peer>): void {
    const own = this.#guard(() => this.#options.identity());
    if (!own) return this.#reset(peer, "busy");
    const responder = new Responder(PROLOGUE);
    let answer;
    try {
      responder.read(message);
      answer = responder.write((before) => encodeAnswer(own.says, own.sign, before), HEAD.answer);
    } catch {
      return this.#end(peer, "a hello that cannot be answered");
    }
    const session = new Session({
      host: this.#host,
      peer,
      transcript: transcriptOf(answer.hash),
      send: answer.send,
      priority,
    });
    if (!peer.send([MAGIC, answer.message])) return session.end();
    this.#keep(peer.id, { session, receive: answer.receive });
  }

  /** As the one heard last; where nobody says who is gone, the one heard longest ago goes. */
  #keep(id: string, open: Open): void {
    this.#sessions.delete(id);
    this.#sessions.set(id, open);
    if (!this.#sweeper || this.#sessions.size <= this.#unwatched.most) return;
    const [oldest] = this.#sessions.values();
    this.#forget(oldest.session.peer, "forgotten for others");
  }

  #sweep(): void {
    const before = performance.now() - this.#unwatched.idle;
    for (const { session } of this.#sessions.values()) {
      if (session.heard > before) return;
      this.#forget(session.peer, "not heard any more");
    }
  }

  #reset(peer: Peer, code: Reset): void {
    this.#totals.count(`reset: ${code}`);
    peer.send([MAGIC, encodeReset(code)], { droppable: true });
  }

  /** Cuts a peer; nothing of it is delivered from here on. */
  #end(peer: Peer, why: string): void {
    if (this.#options.transport.watchful) this.#cut.add(peer);
    this.#gone(peer, why);
    peer.cut(why);
  }

  #left(peer: Peer, why: string): void {
    this.#gone(peer, why);
    if (!this.#closing) this.#guard(() => this.#options.onLeft?.(peer));
  }

  #gone(peer: Peer, why: string): void {
    this.#handshakes.drop(peer);
    this.#forget(peer, why);
  }

  #forget(peer: Peer, why: string): void {
    const open = this.#sessions.get(peer.id);
    if (!open) return;
    this.#sessions.delete(peer.id);
    open.session.end();
    if (!this.#closing) this.#guard(() => this.#options.onGone?.(open.session, why));
  }

  /** Ends all sessions, without a word to the owner. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#sweeper);
    this.#handshakes.close();
    const failed = await everyStep(() => this.#server.close(), () => this.#log.close());
    for (const { session } of this.#sessions.values()) session.end();
    this.#sessions.clear();
    if (failed.length > 0) throw failed[0];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
