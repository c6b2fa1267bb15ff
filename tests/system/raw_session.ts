/** Sessions made packet by packet, so that a test can say what no client of ours says. */

import type { Transport } from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { isOurs } from "../../lib/protocol/codec.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { proofText } from "../../lib/protocol/record.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { KIND } from "../../lib/session/packet.ts";
import type { Channel, Frames, OutFrames } from "../../lib/transport/transport.ts";
import { type Answer, okOf, SessionEnd } from "../support/session_end.ts";

/** How long an answer may take, ms. */
const WITHIN = 5_000;

/** Values in the order in which they come, each taken once. */
class Queue<T> {
  readonly #values: T[] = [];
  #wake: () => void = () => {};

  push(value: T): void {
    this.#values.push(value);
    this.#wake();
  }

  /** The next value; fails after 5 s. */
  async take(what: string): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#wake = resolve;
        timer = setTimeout(() => reject(new Error(`Not within ${WITHIN} ms: ${what}`)), WITHIN);
        if (this.#values.length > 0) resolve();
      });
    } finally {
      clearTimeout(timer);
    }
    return this.#values.shift()!;
  }
}

/** A connection that sends any frames, and hands out what comes back, in order. */
export class RawPeer implements AsyncDisposable {
  readonly #channel: Channel;
  readonly #arrived = new Queue<Frames>();
  readonly #events = new Queue<string>();
  /** How often the connection ended. */
  ends = 0;

  constructor(address: string, transport: Transport = zmtpTransport()) {
    this.#channel = transport.connect({
      address,
      onMessage: (frames) => this.#arrived.push(frames),
      onConnected: () => this.#events.push("connected"),
      onGone: () => void this.ends++,
    });
  }

  /** Resolves when there is a connection, each time another one. */
  async connected(): Promise<void> {
    await this.#events.take("a connection");
  }

  /** False when nothing can be sent. */
  send(...frames: OutFrames): boolean {
    return this.#channel.send(frames);
  }

  /** The next message that comes; fails after 5 s. */
  next(): Promise<Frames> {
    return this.#arrived.take("a message");
  }

  /** Sends frames and gives the next message that comes, as texts. */
  async ask(...frames: OutFrames): Promise<string[]> {
    if (!this.send(...frames)) throw new Error("Cannot send: there is no connection");
    return (await this.next()).map((frame) => new TextDecoder().decode(frame));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#channel.close();
  }
}

/** An open session, in which nobody is proved. */
export class RawSession extends SessionEnd implements AsyncDisposable {
  readonly peer: RawPeer;

  private constructor(peer: RawPeer) {
    super();
    this.peer = peer;
  }

  /** A connection and a handshake. */
  static async open(address: string, transport?: Transport): Promise<RawSession> {
    const session = new RawSession(new RawPeer(address, transport));
    try {
      await session.peer.connected();
      await session.shake();
      return session;
    } catch (error) {
      await session.peer[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A handshake on the connection that there is: what was before it counts no more. */
  async shake(ticket?: Uint8Array): Promise<void> {
    this.peer.send(MAGIC, this.hello(ticket));
    let answer = await this.#packet();
    while (answer[0] === KIND.feed || answer[0] === KIND.sealed) answer = await this.#packet();
    this.take(answer);
  }

  readonly #packet = async (): Promise<Uint8Array> => {
    const frames = await this.peer.next();
    if (frames.length !== 2 || !isOurs(frames)) throw new Error("Not a message of this protocol");
    return frames[1];
  };

  /** Seals any text, or any bytes. */
  say(plaintext: string | Uint8Array): void {
    this.peer.send(MAGIC, this.seal(plaintext));
  }

  /** The next reply; pushes and feed packets before it are kept. */
  override reply(): Promise<Answer> {
    return super.reply(this.#packet);
  }

  /** The `ok` of a request. @throws {Refusal} what the server answered */
  async ask(op: string, fields: object = {}): Promise<Record<string, unknown>> {
    this.peer.send(MAGIC, this.request(op, fields));
    return okOf(await this.reply());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.peer[Symbol.asyncDispose]();
  }
}

interface Accepted {
  readonly from: number;
  readonly count: number;
  readonly at: number;
  readonly duplicate?: boolean;
}

/** A user of a group, request by request. */
export class RawMember implements AsyncDisposable {
  readonly key: SigningKey;
  readonly user: string;
  readonly session: RawSession;

  private constructor(session: RawSession, key: SigningKey) {
    this.session = session;
    this.key = key;
    this.user = userId(key.publicKey);
  }

  static async open(address: string, key: SigningKey = newSigningKey()): Promise<RawMember> {
    return new RawMember(await RawSession.open(address), key);
  }

  /** Opens a session and proves. */
  static async proved(address: string, key?: SigningKey): Promise<RawMember> {
    const member = await RawMember.open(address, key);
    try {
      await member.prove();
      return member;
    } catch (error) {
      await member[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A proof for this session, by the right key or another. */
  proof(signer: SigningKey = this.key): { key: string; name: string; sig: string } {
    const sig = signer.sign(proofText(this.session.transcript));
    return { key: this.key.publicKey, name: "raw", sig };
  }

  async prove(signer: SigningKey = this.key): Promise<Record<string, unknown>> {
    return await this.ask("prove", this.proof(signer));
  }

  ask(op: string, fields: object = {}): Promise<Record<string, unknown>> {
    return this.session.ask(op, fields);
  }

  /** @param after the message that must have been accepted right before */
  async send(messages: readonly Message[], after?: string): Promise<Accepted[]> {
    const { identity } = this.session;
    if (!("group" in identity)) throw new Error("Cannot send: this is no group");
    const text = signedText(identity.group.id, this.user, messages.map(messageHash));
    const { accepted } = await this.ask("send", { messages, sig: this.key.sign(text), after });
    return accepted as Accepted[];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.session[Symbol.asyncDispose]();
  }
}
