/** Servers that speak the protocol well and are not who they seem; they write down what they get. */

import { groupId, newSigningKey, type SigningKey } from "../../lib/identity/keys.ts";
import { decodeObject, encodeOk } from "../../lib/protocol/codec.ts";
import { RECORD_LIFE } from "../../lib/protocol/limits.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord, Listing } from "../../lib/protocol/schema.ts";
import type { ServerIdentity } from "../../lib/session/identity.ts";
import { SessionServer } from "../../lib/session/server.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";

type Request = Record<string, unknown>;

interface Part {
  /** What it signs its handshakes with. */
  readonly key: SigningKey;
  /** What it says of itself, once its address is known. */
  readonly says: (address: string) => ServerIdentity;
  readonly answer: (request: Request) => object;
  readonly address?: string;
}

/** See the head of this file. */
export class Imposter implements AsyncDisposable {
  readonly key: SigningKey;
  /** Every request that anybody sent it. */
  readonly got: Request[] = [];
  /** How many hands it shook: users came, whatever they did then. */
  sessions = 0;
  identity!: ServerIdentity;
  #server!: SessionServer;

  private constructor(key: SigningKey) {
    this.key = key;
  }

  static async start({ key, says, answer, address = "127.0.0.1:0" }: Part): Promise<Imposter> {
    const imposter = new Imposter(key);
    imposter.#server = await SessionServer.start({
      transport: zmtpTransport(),
      address,
      identity: () => {
        imposter.sessions++;
        return { says: imposter.identity, sign: (text) => key.sign(text) };
      },
      onRequest: (session, plaintext) => {
        session.peer.admit(); // Its own bounds must not be what ends it.
        const request = decodeObject(plaintext);
        imposter.got.push(request);
        session.reply(encodeOk(Number(request.id), answer(request)));
      },
      warn() {},
    });
    imposter.identity = says(imposter.address);
    return imposter;
  }

  get address(): string {
    return this.#server.address;
  }

  /** Its record, where it says that it is a group. */
  get record(): GroupRecord {
    if (!("group" in this.identity)) throw new Error("Cannot list it: it is no group");
    return this.identity.group;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.close();
  }
}

/** A group of a name and a key, as its founder would sign it. */
export function recordOf(key: SigningKey, name: string, address: string): GroupRecord {
  const nonce = "0123456789abcdef";
  const now = Date.now();
  const id = groupId(key.publicKey, name, nonce);
  const own = { id, name, access: "open", address, key: key.publicKey, nonce } as const;
  return signRecord({ ...own, version: now, expires: now + RECORD_LIFE }, key);
}

/** What says yes to everything, as a group with an own key and this name, or with these words. */
export function lookAlike(
  { name = "Lab", key = newSigningKey(), ...part }: {
    name?: string;
    key?: SigningKey;
    address?: string;
    says?: Part["says"];
  } = {},
): Promise<Imposter> {
  const epoch = "00000000-0000-4000-8000-000000000000";
  const user = "00000000-0000-8000-8000-000000000000";
  const answer = ({ op }: Request) =>
    op === "prove"
      ? { user, role: "member", epoch, head: 1, at: Date.now() }
      : { epoch, head: 1, role: "member", at: Date.now() };
  const says = (address: string) => ({ group: recordOf(key, name, address) });
  return Imposter.start({ key, says, answer, ...part });
}

/** A registry that answers each `resolve` with what it likes. */
export function lyingRegistry(listing: () => Listing): Promise<Imposter> {
  const key = newSigningKey();
  return Imposter.start({
    key,
    says: () => ({ registry: { key: key.publicKey } }),
    answer: () => ({ group: listing() }),
  });
}
