/** Sessions of the protocol packet by packet over raw TCP: what no client of ours would say. */

import type { Buffer } from "node:buffer";
import { Refusal } from "../../lib/errors.ts";
import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { proofText } from "../../lib/protocol/record.ts";
import { KIND } from "../../lib/session/packet.ts";
import { type Answer, okOf, SessionEnd } from "../support/session_end.ts";
import { Wire } from "./attack_wire.ts";

/** The server hung up instead of answering. */
class Cut extends Error {
  override readonly name = "Cut";
}

interface HandOptions {
  readonly key?: SigningKey;
  readonly name?: string;
  /** Own address, 127.0.0.x. */
  readonly from?: string;
  /** 52 bytes. */
  readonly ticket?: Uint8Array;
}

const mid = midMaker();

/** One connection with a session, of somebody who has a key and every intention. */
export class Hand extends SessionEnd implements AsyncDisposable {
  readonly wire: Wire;
  readonly key: SigningKey;
  readonly user: string;
  readonly name: string;
  /** Packets that were sent, as they went out. */
  readonly sent: Uint8Array[] = [];

  private constructor(wire: Wire, { key = newSigningKey(), name = "mallory" }: HandOptions) {
    super();
    this.wire = wire;
    this.key = key;
    this.user = userId(key.publicKey);
    this.name = name;
  }

  /** A connection without a session. @throws {Cut} */
  static async connected(address: string, options: HandOptions = {}): Promise<Hand> {
    const wire = await Wire.open(address, options.from ? { from: options.from } : {});
    if (!wire) throw new Cut("Cannot connect: the server hung up");
    return new Hand(wire, options);
  }

  /** A connection with a session. @throws {Cut} */
  static async open(address: string, options: HandOptions = {}): Promise<Hand> {
    const hand = await Hand.connected(address, options);
    try {
      await hand.shake(options.ticket);
      return hand;
    } catch (error) {
      await hand[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A session whose key is proved. @throws {Cut}; {Refusal} */
  static async proved(address: string, options: HandOptions = {}): Promise<Hand> {
    const hand = await Hand.open(address, options);
    await hand.prove();
    return hand;
  }

  /** A member. @throws {Cut}; {Refusal} */
  static async member(
    address: string,
    { invite, ...options }: HandOptions & { readonly invite?: string } = {},
  ): Promise<Hand> {
    const hand = await Hand.proved(address, options);
    await hand.ask("join", invite ? { invite } : {});
    return hand;
  }

  /** Sends a packet as it is. */
  async put(packet: Uint8Array): Promise<boolean> {
    this.sent.push(packet);
    return await this.wire.send("zg2", packet);
  }

  /** The next packet of any kind; fails after 20 s. @throws {Cut} */
  async packet(): Promise<Buffer> {
    const frames = await within(this.wire.receive());
    if (!frames) throw new Cut("Cannot hear more: the server hung up");
    return frames[1];
  }

  /** Says hello and takes the answer. @throws {Cut}; {Error} it is none */
  async shake(ticket?: Uint8Array): Promise<void> {
    for (;;) {
      await this.put(this.hello(ticket));
      const answer = await this.packet();
      if (answer[0] === KIND.reset && String(answer.subarray(1)) === "busy") continue;
      return this.take(answer);
    }
  }

  /** Seals and sends any plaintext. */
  say(plaintext: string | Uint8Array): Promise<boolean> {
    return this.put(this.seal(plaintext));
  }

  /** The next reply; feed packets and pushes before it are kept. @throws {Cut} */
  override reply(): Promise<Answer> {
    return super.reply(() => this.packet());
  }

  /** The `ok` of a request. @throws {Refusal}; {Cut} */
  async ask(op: string, fields: object = {}): Promise<Record<string, unknown>> {
    if (!await this.put(this.request(op, fields))) throw new Cut("Cannot ask: it hung up");
    return okOf(await this.reply());
  }

  /** A proof for this session, signed by the right key or by another. */
  proof(signer: SigningKey = this.key): { key: string; name: string; sig: string } {
    const sig = signer.sign(proofText(this.transcript));
    return { key: this.key.publicKey, name: this.name, sig };
  }

  prove(signer?: SigningKey): Promise<Record<string, unknown>> {
    return this.ask("prove", this.proof(signer));
  }

  /** What `send` takes for a text, once or more often, signed by the right key or by another. */
  texts(text: string, signer: SigningKey = this.key, times = 1): { messages: object; sig: string } {
    if (!("group" in this.identity)) throw new Error("Cannot send: this is no group");
    const messages = Array.from({ length: times }, () => [mid(), text] as const);
    const hashes = messages.map(messageHash);
    const sig = signer.sign(signedText(this.identity.group.id, this.user, hashes));
    return { messages, sig };
  }

  send(text: string, signer?: SigningKey): Promise<Record<string, unknown>> {
    return this.ask("send", this.texts(text, signer));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.wire[Symbol.asyncDispose]();
  }
}

/** What is awaited; fails after 20 s. */
async function within<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const error = new Error("Not within 20 s: a packet");
  const timer = setTimeout(() => late.reject(error), 20_000);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** `ok`, the code of the refusal, or `cut`. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    if (error instanceof Cut) return "cut";
    throw error;
  }
}
