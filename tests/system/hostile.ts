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
  invites: { invites: [], more: false },
  revoke: { revoked: 1 },
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

/** Strings that a terminal would obey, or a reader would misread. */
export const CORPUS: readonly string[] = [
  "\x1b[2J\x1b[H", // clears the screen
  "\x1b]0;owned\x07", // sets the title
  "\x1b]52;c;cm0gLXJmIC8=\x07", // writes to the clipboard
  "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\", // a link
  "\x1b[8mhidden\x1b[28m",
  "\x1b[1A\x1b[2Kreplaced", // the line above
  "\x1bP+q544e\x1b\\", // asks the terminal, which types the answer
  "\x1b[6n",
  "\x9b31mred\x9d0;title\x9c", // the same with C1
  "\x1bc", // resets
  "\x0e\x0f", // other letters
  "\b\b\b\b\b\b\b\bback",
  "\rSUCCESS",
  "over\r\n[2026-01-01 00:00:00] founder: I never said this",
  "line\n[2026-01-01 00:00:00] founder: nor this",
  "\n* founder banned everybody",
  "\v\f\x85\u2028\u2029[2026-01-01 00:00:00] founder: nor this",
  "\u202egnp.exe", // right to left
  "\u2066\u2067\u2068isolated\u2069",
  "a\u200bb\u200cc\u200dd\u2060e\ufefff", // zero width
  "\u{e0041}\u{e0042}", // tags
  "\u3164\u115f\uffa0",
  "z\u0335\u0336\u0337\u0338\u0335\u0336\u0337\u0338\u0335\u0336\u0337\u0338",
  "\x00\x01\x02\x7f",
  "x".repeat(5_000) + "\x1b[31m",
];

/** What no terminal may get beside line feeds. */
export const OBEYED =
  // deno-lint-ignore no-control-regex -- these are what it looks for
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\u3164\u115f\uffa0\u{e0000}-\u{e007f}]/u;
