/** Servers that prove who they are, and then say anything. */

import { Buffer } from "node:buffer";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { decodeObject } from "../../lib/protocol/codec.ts";
import type { GROUP_REPLIES, REGISTRY_REPLIES } from "../../lib/protocol/schema.ts";
import type { ServerIdentity } from "../../lib/session/identity.ts";
import { SessionServer } from "../../lib/session/server.ts";
import type { Session } from "../../lib/session/session.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import type { Keep } from "./attack_world.ts";
import { recordOf } from "./imposters.ts";

export type Request = Record<string, unknown>;

export const EPOCH = "00000000-0000-4000-8000-000000000000";
export const USER = "00000000-0000-8000-8000-000000000000";
export const KEY = Buffer.alloc(32, 7).toString("base64url");

/** A record that is good, of nobody who runs. */
export const RECORD = recordOf(newSigningKey(), "Evil", "a.b:1");
const LISTING = { name: "Evil", address: "a.b:1", state: "live", record: RECORD };

/** Good answers of a group, to be made bad in one place. */
export const GOOD: Record<keyof typeof GROUP_REPLIES, Record<string, unknown>> = {
  prove: { user: USER, role: "member", epoch: EPOCH, head: 1, at: 1, ticket: "A".repeat(70) },
  ping: { epoch: EPOCH, head: 1, hash: KEY, at: 1 },
  join: { epoch: EPOCH, head: 1, role: "member" },
  leave: {},
  send: { epoch: EPOCH, accepted: [{ from: 1, count: 1, at: 1, duplicate: false }] },
  read: { epoch: EPOCH, head: 1, tail: 1, more: false, batches: [] },
  members: { members: [], more: false, topic: "", banned: [] },
  subscribe: { epoch: EPOCH, generation: 1, key: KEY, head: 1 },
  unsubscribe: {},
  typing: {},
  invite: { token: "A".repeat(22), expires: 1, record: RECORD },
  act: { seq: 1 },
};

/** The same of a registry. */
export const GOOD_OF_REGISTRY: Record<keyof typeof REGISTRY_REPLIES, Record<string, unknown>> = {
  ping: { at: 1 },
  register: {},
  unregister: {},
  list: { groups: [LISTING], more: false },
  resolve: { group: LISTING },
};

/** A group, or a registry, that proves who it is and then says anything. */
export async function hostileServer(
  keep: Keep,
  say: (session: Session, request: Request) => void,
  is: "group" | "registry" | (() => ServerIdentity) = "group",
): Promise<SessionServer> {
  const key = newSigningKey();
  const server: SessionServer = await SessionServer.start({
    transport: zmtpTransport(),
    address: "127.0.0.1:0",
    identity: () => ({
      says: typeof is === "function"
        ? is()
        : is === "group"
        ? { group: recordOf(key, "Evil", server.address) }
        : { registry: { key: key.publicKey } },
      sign: (text) => key.sign(text),
    }),
    onRequest: (session, json) => {
      session.peer.admit();
      say(session, decodeObject(json));
    },
    warn() {},
  });
  return keep(server);
}
