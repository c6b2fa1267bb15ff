/** A proved member of a group over any connection: a raw one, or ours with encryption. */

import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { enterText, proofText } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { Requester } from "../../lib/transport/requester.ts";
import type { CurveKeys } from "../../lib/transport/transport.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { encodeMessage, ZmtpConnection } from "../wire/zmtp.ts";

/** Asks a group; gives the `ok` of its reply. */
export type Ask = (op: string, fields: object) => Promise<Record<string, unknown>>;

/** Who speaks on a connection. */
export interface Session {
  readonly session: string;
  readonly group: string;
  readonly user: string;
  readonly key: SigningKey;
}

/** The record of a group at a registry. */
export async function findGroup(registry: string, name: string): Promise<GroupRecord> {
  const what = "the registry";
  await using requester = new Requester({ transport: zmqTransport(), address: registry, what });
  const { group } = await requester.request("resolve", { group: name });
  return (group as { record: GroupRecord }).record;
}

/** Has a CURVE pair admitted at the group's door for a key; nothing to do at a group in the clear. */
export async function enter(record: GroupRecord, keys: CurveKeys, key: SigningKey): Promise<void> {
  if (!record.curve) return;
  const { id, door: address, curve: serverKey } = record;
  const security = { serverKey, keys };
  const what = "the door";
  await using door = new Requester({ transport: zmqTransport(), address, what, security });
  const curve = keys.publicKey;
  const sig = key.sign(enterText(id, curve));
  await door.request("enter", { key: key.publicKey, name: "bench", curve, sig });
}

/** Says hello, proves a key, and joins. */
export async function openSession(ask: Ask, key = newSigningKey()): Promise<Session> {
  const hello = await ask("hello", { key: key.publicKey, name: "bench" });
  const group = (hello.group as { id: string }).id;
  const { session } = await ask("prove", { sig: key.sign(proofText(String(hello.nonce), group)) });
  await ask("join", { session });
  return { session: String(session), group, user: userId(key.publicKey), key };
}

/** Requests over a raw connection. A reply that nobody asked for goes to `onReply`. */
export class RawRequester {
  readonly #waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  #connection!: ZmtpConnection;
  #id = 0;

  static async open(
    address: string,
    onReply: (body: Uint8Array) => void = () => {},
  ): Promise<RawRequester> {
    const requester = new RawRequester();
    requester.#connection = await ZmtpConnection.open(
      address,
      "DEALER",
      (buffer, { more, body, length }, end) => {
        if (more) return true;
        if (body + length > end) return false;
        requester.#reply(buffer.subarray(body, body + length), onReply);
        return true;
      },
    );
    return requester;
  }

  readonly ask: Ask = (op, fields) => {
    const id = ++this.#id;
    const waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.set(id, waiting);
    void this.write(encodeMessage([MAGIC, JSON.stringify({ id, op, ...fields })]));
    return waiting.promise;
  };

  write(bytes: Uint8Array): Promise<void> {
    return this.#connection.write(bytes);
  }

  #reply(body: Uint8Array, onReply: (body: Uint8Array) => void): void {
    if (this.#waiting.size === 0) return onReply(body);
    const { id, ok, error } = JSON.parse(new TextDecoder().decode(body));
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) waiting?.reject(new Error(`${error.code}: ${error.message}`));
    else waiting?.resolve(ok);
  }

  close(): void {
    this.#connection.close();
  }
}
