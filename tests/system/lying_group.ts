/** A group that proves who it is, keeps to the protocol, and serves whatever history it likes. */

import { Buffer } from "node:buffer";
import { groupId, newSigningKey, userId } from "../../lib/identity/keys.ts";
import type { Batch } from "../../lib/protocol/batch.ts";
import { decodeObject, encodeOk } from "../../lib/protocol/codec.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { feedPacket } from "../../lib/session/packet.ts";
import { SessionServer } from "../../lib/session/server.ts";
import type { Session } from "../../lib/session/session.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { EPOCH, History } from "../support/history.ts";
import { recordOf } from "./imposters.ts";

const NAME = "Evil";
const SECRET = Buffer.alloc(32, 7).toString("base64url");

/** See the head of this file. */
export class LyingGroup implements AsyncDisposable {
  readonly key = newSigningKey();
  readonly id: string = groupId(this.key.publicKey, NAME, "0123456789abcdef");
  /** What it serves. */
  log = new History();
  /** Oldest entry that it says it keeps. */
  tail = 1;
  /** Entries up to it are not served. */
  dropped = 0;
  /** The hash that it tells; by default the log's. */
  hash: string | undefined;
  /** How far it says that its log goes; by default as far as it goes. */
  head: number | undefined;
  /** Answers so far, by op. */
  readonly asked = new Map<string, number>();
  readonly #listening = new Map<Session, string>();
  readonly #names = new Map<Session, string>();
  #counter = 0;
  #server!: SessionServer;

  static async start(): Promise<LyingGroup> {
    const group = new LyingGroup();
    group.#server = await SessionServer.start({
      transport: zmtpTransport(),
      address: "127.0.0.1:0",
      identity: () => ({
        says: { group: recordOf(group.key, NAME, group.address) },
        sign: (text) => group.key.sign(text),
      }),
      onRequest: (session, json) => {
        session.peer.admit();
        const request = decodeObject(json);
        const op = String(request.op);
        group.asked.set(op, (group.asked.get(op) ?? 0) + 1);
        session.reply(encodeOk(Number(request.id), group.#answer(session, op, request)));
      },
      warn() {},
    });
    return group;
  }

  get address(): string {
    return this.#server.address;
  }

  /** The names of who listens. */
  get listening(): string[] {
    return [...this.#listening].filter(([{ open }]) => open).map(([, name]) => name);
  }

  /** Tells batches live, to those of a name or to all. */
  tell(batches: readonly Batch[], to?: string): void {
    this.#say({ epoch: EPOCH, from: batches[0].first, batches }, to);
  }

  /** Tells how far the log goes. */
  beat(head: number = this.log.head): void {
    this.#say({ epoch: EPOCH, head });
  }

  /** Ends all connections, as a restart does. */
  cut(): void {
    for (const session of this.#names.keys()) session.cut("restarts");
    this.#listening.clear();
    this.#names.clear();
  }

  #say(frame: object, to?: string): void {
    const text = JSON.stringify(frame);
    const sealing = sealingKey(Buffer.from(SECRET, "base64url"));
    const packet = feedPacket(sealing, 1, this.#counter++, text);
    for (const [session, name] of this.#listening) {
      if (to === undefined || to === name) session.feed(this.#server.encodeFeed(packet));
    }
  }

  #answer(session: Session, op: string, request: Record<string, unknown>): object {
    const head = this.head ?? this.log.head;
    const common = { epoch: EPOCH, head, at: Date.now(), role: "member" };
    if (op === "prove") {
      this.#names.set(session, String(request.name));
      return { ...common, user: userId(String(request.key)) };
    }
    if (op === "ping") return { ...common, hash: this.hash ?? this.log.hash };
    if (op === "subscribe") {
      this.#listening.set(session, this.#names.get(session) ?? "");
      return { ...common, generation: 1, key: SECRET };
    }
    if (op !== "read") return common;
    const after = Math.max(Number(request.after ?? 0), this.dropped);
    const batches = this.log.batches.filter(({ first }) => first > after).slice(0, 100);
    const last = batches.at(-1);
    const more = last !== undefined && last.first + last.count - 1 < this.log.head;
    return { ...common, tail: this.tail, more, batches };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
  }
}
