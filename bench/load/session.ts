/** A session of zg2 over a raw connection, and a proved member of a group in it. */

import { Buffer } from "node:buffer";
import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { proofText } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { type Ephemeral, Initiator, type Split } from "../../lib/session/noise.ts";
import { HEAD, KIND, PROLOGUE } from "../../lib/session/packet.ts";
import type { Pace } from "../wire/scan.ts";
import { encodeMessage, type FrameHead, ZmtpConnection } from "../wire/zmtp.ts";

/** What a request is answered. */
type Ok = Record<string, unknown>;

interface RawOptions {
  /** The key pair of the handshake; default a fresh one. */
  readonly own?: Ephemeral;
  readonly ticket?: Uint8Array;
  /** A reply that nobody asked for by {@linkcode RawSession.ask}. */
  onReply?(body: Uint8Array): void;
  /** A packet of the live feed; false asks for all of it. See `OnFrame`. */
  onFeed?(buffer: Uint8Array, packet: FrameHead, end: number): boolean;
  readonly pace?: Pace;
}

const NOTHING = new Uint8Array();
const decoder = new TextDecoder();

/** See the head of this file. Who the server is, is not looked at. */
export class RawSession {
  readonly #options: RawOptions;
  readonly #waiting = new Map<number, PromiseWithResolvers<Ok>>();
  readonly #opened = Promise.withResolvers<Split>();
  #connection!: ZmtpConnection;
  readonly #initiator: Initiator;
  #split!: Split;
  #taken: ((kind: number) => void) | undefined;
  #id = 0;

  /** Connects and shakes hands. */
  static async open(address: string, options: RawOptions = {}): Promise<RawSession> {
    const session = new RawSession(options);
    session.#connection = await ZmtpConnection.open(
      address,
      (buffer, frame, end) => session.#frame(buffer, frame, end),
      options.pace,
    );
    const hello = session.#initiator.write(options.ticket ?? NOTHING, HEAD.hello);
    await session.write(encodeMessage([MAGIC, hello]));
    session.#split = await session.#opened.promise;
    return session;
  }

  private constructor(options: RawOptions) {
    this.#options = options;
    this.#initiator = new Initiator(PROLOGUE, options.own);
  }

  /** What a proof signs. */
  get transcript(): string {
    return Buffer.from(this.#split.hash).toString("base64url");
  }

  /** The bytes of a request. What is sealed must be written in the same order. */
  seal(json: string): Uint8Array {
    return encodeMessage([MAGIC, this.#split.send.seal(json, HEAD.sealed)]);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  /** Rejects with what the server refuses. */
  readonly ask = (op: string, fields: object = {}): Promise<Ok> => {
    const id = ++this.#id;
    const waiting = Promise.withResolvers<Ok>();
    this.#waiting.set(id, waiting);
    void this.write(this.seal(JSON.stringify({ id, op, ...fields })));
    return waiting.promise;
  };

  /** Proves a key; the ok of that. */
  prove(key: SigningKey, name = "bench"): Promise<Ok> {
    return this.ask("prove", {
      ...{ key: key.publicKey, name },
      sig: key.sign(proofText(this.transcript)),
    });
  }

  /** From now on nobody here reads what comes: only its kind is told. */
  handOver(taken: (kind: number) => void): void {
    this.#taken = taken;
  }

  close(): void {
    this.#connection.close();
  }

  #frame(buffer: Uint8Array, frame: FrameHead, end: number): boolean {
    const { more, body, length } = frame;
    if (more) return true; // It says "zg2".
    if (buffer[body] === KIND.feed) return this.#options.onFeed?.(buffer, frame, end) ?? true;
    if (body + length > end) return false;
    if (this.#taken) {
      this.#taken(buffer[body]);
      return true;
    }
    // The buffer is used again by the next read.
    const packet = buffer.slice(body, body + length);
    switch (packet[0]) {
      case KIND.answer:
        this.#opened.resolve(this.#initiator.read(packet.subarray(1)));
        return true;
      case KIND.sealed:
        this.#reply(this.#split.receive.open(packet.subarray(1)));
        return true;
      default: {
        const reason = new Error(
          `The server has no session: ${decoder.decode(packet.subarray(1))}`,
        );
        this.#opened.reject(reason);
        for (const { reject } of this.#waiting.values()) reject(reason);
        return true;
      }
    }
  }

  #reply(body: Uint8Array): void {
    if (this.#waiting.size === 0) return this.#options.onReply?.(body);
    const { id, ok, error } = JSON.parse(decoder.decode(body));
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(`${error.code}: ${error.message}`));
    else waiting?.resolve(ok);
  }
}

/** A member of a group, and the session it speaks in. */
export interface Member {
  readonly session: RawSession;
  readonly user: string;
  readonly key: SigningKey;
}

/** Connects as a user of its own, proves its key, and joins. */
export async function openMember(address: string, options: RawOptions = {}): Promise<Member> {
  const key = newSigningKey();
  const session = await RawSession.open(address, options);
  await session.prove(key);
  await session.ask("join");
  return { session, user: userId(key.publicKey), key };
}

/** The record of a group at a registry. */
export async function findGroup(registry: string, name: string): Promise<GroupRecord> {
  const session = await RawSession.open(registry);
  const { group } = await session.ask("resolve", { group: name });
  session.close();
  return (group as { record: GroupRecord }).record;
}
