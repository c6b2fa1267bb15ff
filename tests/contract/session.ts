/** What the contract tests of sessions have in common: a server that answers, and what stands between. */

import { test } from "node:test";
import { groupId, newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk } from "../../lib/protocol/codec.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import {
  GROUP_OPS,
  GROUP_REPLIES,
  type GroupRecord,
  type GroupRequest,
} from "../../lib/protocol/schema.ts";
import { Refusal } from "../../lib/errors.ts";
import { SessionClient, type SessionClientOptions } from "../../lib/session/client.ts";
import { SessionServer, type SessionServerOptions } from "../../lib/session/server.ts";
import type { Session } from "../../lib/session/session.ts";
import { Tickets } from "../../lib/session/ticket.ts";
import type { OutFrames, Transport } from "../../lib/transport/transport.ts";
import { libzmqTransport } from "../../lib/transport/libzmq/zmq.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { proofText } from "../../lib/protocol/record.ts";
import { closing } from "../support.ts";

export const LOCAL = "127.0.0.1:0";
export const EPOCH = "7f1b8a44-7c11-8d3e-9a5b-0123456789ab";

type Keep = <T extends AsyncDisposable>(one: T) => T;
type Body = (keep: Keep, transport: Transport) => Promise<void>;

/** One test for each engine; closes what the body keeps. */
export async function check(subject: string, body: Body): Promise<void> {
  for (const transport of [zmtpTransport(), libzmqTransport()]) {
    await test(`${transport.name}: ${subject}`, () => closing((keep) => body(keep, transport)));
  }
}

/** The same over our own engine alone. */
export async function checkWatchful(subject: string, body: Body): Promise<void> {
  await test(subject, () => closing((keep) => body(keep, zmtpTransport())));
}

/** The same over the engine that does not say who is gone. */
export async function checkUnwatched(subject: string, body: Body): Promise<void> {
  await test(subject, () => closing((keep) => body(keep, libzmqTransport())));
}

type Replies = typeof GROUP_REPLIES;
/** A client of a group. */
export type GroupClient = SessionClient<Replies>;

/** A group that keeps nothing: `ping` is answered, `typing` never, `act` badly, `join` is refused. */
export class World implements AsyncDisposable {
  readonly key: SigningKey = newSigningKey();
  readonly record: GroupRecord;
  readonly tickets = new Tickets("secret");
  /** What was asked, in the order of arrival. */
  readonly asked: GroupRequest[] = [];
  readonly gone: string[] = [];
  readonly warned: string[] = [];
  /** Called before a request is answered. */
  before: (session: Session, request: GroupRequest) => void = () => {};
  server!: SessionServer;

  private constructor() {
    const { publicKey: key } = this.key;
    const nonce = "nonce-nonce-nonce";
    const of = { name: "Lab", access: "open", address: "127.0.0.1:1", key, nonce } as const;
    const times = { version: 1, expires: 2 };
    this.record = signRecord({ id: groupId(key, "Lab", nonce), ...of, ...times }, this.key);
  }

  static async start(
    transport: Transport,
    more: Partial<SessionServerOptions> = {},
  ): Promise<World> {
    const world = new World();
    world.server = await SessionServer.start({
      transport,
      address: LOCAL,
      tickets: world.tickets,
      identity: () => ({ says: { group: world.record }, sign: (text) => world.key.sign(text) }),
      onRequest: (session, plaintext) => world.#serve(session, plaintext),
      onGone: (_, why) => void world.gone.push(why),
      warn: (text) => void world.warned.push(text),
      ...more,
    });
    return world;
  }

  get address(): string {
    return this.server.address;
  }

  get session(): Session | undefined {
    return [...this.server.sessions()].at(-1);
  }

  #serve(session: Session, plaintext: Uint8Array): void {
    let id: number | null = null;
    try {
      const request = decodeRequest(plaintext, GROUP_OPS);
      id = request.id;
      this.asked.push(request);
      this.before(session, request);
      const ok = this.#answer(session, request);
      if (ok) session.reply(encodeOk(id, ok));
    } catch (error) {
      session.reply(encodeError(error instanceof BadRequest ? error.id : id, error));
    }
  }

  #answer(session: Session, request: GroupRequest): object | undefined {
    switch (request.op) {
      case "prove": {
        const { key, name, sig } = request;
        if (!session.prove(key, sig)) throw new Refusal("bad_proof", "Cannot believe it");
        session.actor = { user: userId(key), name, key };
        session.peer.admit();
        const ticket = this.tickets.issue(session.actor.user);
        return { user: userId(key), role: null, epoch: EPOCH, head: 0, at: 1, ticket };
      }
      case "ping":
        return { epoch: EPOCH, head: this.asked.length, at: 1 };
      case "act":
        return { seq: "seven" };
      case "typing":
        return undefined;
      default:
        throw new Refusal("forbidden", "Cannot do that: not here");
    }
  }

  /** A client that takes this group for the right one. */
  client(transport: Transport, more: Partial<SessionClientOptions<Replies>> = {}): GroupClient {
    return new SessionClient({
      transport,
      address: this.address,
      what: 'the group "Lab"',
      replies: GROUP_REPLIES,
      check: () => {},
      ...more,
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.close();
  }
}

/** How a user proves its key. */
export function proofOf(key: SigningKey, name = "Ada") {
  return (transcript: string) => ({
    key: key.publicKey,
    name,
    sig: key.sign(proofText(transcript)),
  });
}

/** Where a packet goes. */
export type Way = "up" | "down";

/** Stands between clients and a server: hands each packet on as `change` wants it, or not at all. */
export async function relay(
  transport: Transport,
  to: string,
  change: (packet: Uint8Array, way: Way) => Uint8Array | undefined,
): Promise<{ readonly address: string } & AsyncDisposable> {
  const channels = new Map<string, ReturnType<Transport["connect"]>>();
  const server = await transport.serve({
    address: LOCAL,
    onMessage(peer, [magic, packet]) {
      const held: OutFrames[] = [];
      let channel = channels.get(peer.id);
      const send = (frames: OutFrames) => channel?.send(frames) || held.push(frames);
      const pass = (way: Way, one: Uint8Array, out: (frames: OutFrames) => void) => {
        const changed = change(Uint8Array.from(one), way);
        if (changed) out([magic, changed]);
      };
      channel ??= transport.connect({
        address: to,
        onConnected: () => held.splice(0).forEach((frames) => channel?.send(frames)),
        onMessage: (frames) => pass("down", frames[1], (out) => peer.send(out)),
        onGone: (why) => peer.cut(why),
      });
      channels.set(peer.id, channel);
      pass("up", packet, send);
    },
    onGone: (peer) => void channels.get(peer.id)?.close(),
  });
  const close = async () => {
    await Promise.all([...channels.values()].map((channel) => channel.close()));
    await server.close();
  };
  return { address: server.address, [Symbol.asyncDispose]: close };
}
