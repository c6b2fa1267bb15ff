/**
 * Writes `tests/vectors/*.json`: byte-exact examples that a client in any language can test itself
 * with. `deno run -A scripts/make_vectors.ts`; the same on every run, since keys and times are fixed.
 */

import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { encodeList002, encodeMessages002, FAILED, SUCCESS } from "../lib/dialects/seed002.ts";
import { Refusal } from "../lib/errors.ts";
import { groupId, sha256, signingKey, userId } from "../lib/identity/keys.ts";
import {
  type Batch,
  cutBatch,
  encodeBatch,
  messageHash,
  signedText,
} from "../lib/protocol/batch.ts";
import { encodeError, encodeOk, encodePush, encodeRequest } from "../lib/protocol/codec.ts";
import { encodeInvite } from "../lib/protocol/invite.ts";
import { proofText, serverText, signRecord, unregisterText } from "../lib/protocol/record.ts";
import type { Message } from "../lib/protocol/schema.ts";
import { encodeAnswer, transcriptOf } from "../lib/session/identity.ts";
import { Initiator, Responder, sealingKey } from "../lib/session/noise.ts";
import { feedPacket, HEAD, PROLOGUE, TICKET_BYTES } from "../lib/session/packet.ts";
import { ephemeralOf } from "../tests/support/ephemeral.ts";

const AT = 1_795_215_435_253; // 2026-11-20T22:57:15.253Z
const NONCE = "AAECAwQFBgcICQoLDA0ODw";
const EPOCH = "0b5f7a3e-30c1-4a52-9d5e-5c9a8b1f2d34";
const NAME = "Cool Group";
const TICKET = Buffer.alloc(52, 7).toString("base64url");
const FEED_KEY = Buffer.alloc(32, 9).toString("base64url");

/** Bytes `first`, `first + 1`, … */
function fixedBytes(first: number, length = 32): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (first + i) % 256));
}
/** A key with such secret bytes. */
function fixedKey(first: number) {
  return signingKey(fixedBytes(first).toString("base64url"));
}
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const userKey = fixedKey(0);
const groupKey = fixedKey(32);
const registryKey = fixedKey(64);
const user = userId(userKey.publicKey);
const bob = userId(groupKey.publicKey);
const group = groupId(groupKey.publicKey, NAME, NONCE);

const messages: Message[] = [
  ["019f9d2e-4b35-7000-8000-000000000001", "hi"],
  ["019f9d2e-4b35-7001-8000-000000000002", 'two lines\nand "quotes" \\ \u0000'],
  ["019f9d2e-4b36-7000-8000-000000000003", "Grüße, 実験室 😀"],
];
const hashes = messages.map(messageHash);
const sig = userKey.sign(signedText(group, user, hashes));
const batch: Batch = {
  first: 3,
  count: messages.length,
  at: AT,
  kind: "message",
  author: user,
  name: "alice",
  key: userKey.publicKey,
  sig,
  messages,
};

const record = signRecord({
  id: group,
  name: NAME,
  access: "open",
  address: "127.0.0.1:5560",
  key: groupKey.publicKey,
  nonce: NONCE,
  version: AT,
  expires: AT + 3_600_000,
}, groupKey);

/** The same group, when it has several servers, of which this is one. */
const SERVER = "EBESExQVFhcYGRobHB0eHw";
const ofServer = signRecord({ ...record, address: "127.0.0.1:5561", server: SERVER }, groupKey);
const other = signRecord({ ...record, server: NONCE }, groupKey);

/** Stands for the hash of a handshake. */
const transcript = fixedBytes(96).toString("base64url");
const proof = userKey.sign(proofText(transcript));
const unregister = groupKey.sign(unregisterText(group, AT));
const unregisterServer = groupKey.sign(unregisterText(group, AT, SERVER));

function identity() {
  return {
    user: { secretKey: userKey.secretKey, publicKey: userKey.publicKey, id: user },
    group: {
      secretKey: groupKey.secretKey,
      publicKey: groupKey.publicKey,
      name: NAME,
      nonce: NONCE,
      id: group,
    },
    registry: { secretKey: registryKey.secretKey, publicKey: registryKey.publicKey },
  };
}

/** What is signed, by whom, and the signature. */
function signatures() {
  return {
    record: {
      record,
      text: [
        "zgroup record 2",
        ...[group, NAME, "open", record.address, record.key, NONCE, record.version, record.expires],
      ].join("\n"),
      key: groupKey.publicKey,
      sig: record.sig,
    },
    unregister: { text: unregisterText(group, AT), key: groupKey.publicKey, sig: unregister },
    recordOfServer: {
      record: ofServer,
      text: [
        "zgroup record 3",
        ...[group, NAME, "open", ofServer.address, record.key, NONCE, AT, record.expires, SERVER],
      ].join("\n"),
      key: groupKey.publicKey,
      sig: ofServer.sig,
    },
    unregisterServer: {
      text: unregisterText(group, AT, SERVER),
      key: groupKey.publicKey,
      sig: unregisterServer,
    },
    server: {
      text: serverText(transcript),
      key: groupKey.publicKey,
      sig: groupKey.sign(serverText(transcript)),
    },
    proof: { text: proofText(transcript), key: userKey.publicKey, sig: proof },
    messages: { text: signedText(group, user, hashes), key: userKey.publicKey, sig },
  };
}

/** Batches as they travel, and what their messages hash to. */
function batches() {
  return {
    group,
    messages,
    hashes,
    whole: encodeBatch(batch),
    part: encodeBatch(cutBatch(batch, 3, 5)),
    join: encodeBatch({
      first: 2,
      count: 1,
      at: AT,
      kind: "join",
      author: user,
      name: "alice",
      key: userKey.publicKey,
      body: { role: "member" },
    }),
  };
}

/** Each request of the table once, as the JSON inside a sealed packet. */
function requests() {
  const fields: Record<string, [op: string, fields: object][]> = {
    registry: [
      ["ping", {}],
      ["register", { record }],
      ["unregister", { group, version: AT, sig: unregister }],
      ["list", { prefix: "Cool", after: "", limit: 100 }],
      ["resolve", { group: NAME }],
      ["register", { record: ofServer }],
      ["unregister", { group, version: AT, server: SERVER, sig: unregisterServer }],
    ],
    group: [
      ["prove", { key: userKey.publicKey, name: "alice", sig: proof }],
      ["ping", {}],
      ["join", { invite: NONCE }],
      ["leave", {}],
      ["send", { messages, sig }],
      ["read", { after: 2, limit: 100 }],
      ["members", {}],
      ["subscribe", {}],
      ["unsubscribe", {}],
      ["typing", {}],
      ["invite", { uses: 3, for: 86_400_000, role: "member", token: NONCE }],
      ["invites", { after: "" }],
      ["revoke", { invite: sha256(NONCE) }],
      ["revoke", { invite: "all" }],
      ["act", { action: "mute", user, for: 60_000 }],
      ["act", { action: "promote", user, role: "admin" }],
      ["send", { messages: messages.slice(1), after: messages[0][0] }],
    ],
  };
  let id = 0;
  return Object.entries(fields).flatMap(([to, list]) =>
    list.map(([op, fields]) => ({ to, op, json: encodeRequest(++id, op, fields) }))
  );
}

/** Replies to every op, refusals, and what a group says unasked, as the JSON inside. */
function replies() {
  const listing = { name: NAME, address: record.address, state: "live", record };
  const place = { epoch: EPOCH, head: 5 };
  const read = `{"epoch":"${EPOCH}","head":5,"tail":1,"more":false,"batches":[${
    encodeBatch(batch)
  }]}`;
  const good: [server: string, op: string, ok: object | string][] = [
    ["registry", "ping", { at: AT }],
    ["registry", "register", {}],
    ["registry", "unregister", {}],
    ["registry", "list", { groups: [listing], more: false }],
    ["registry", "resolve", { group: listing }],
    ["registry", "resolve", {
      group: {
        ...{ name: NAME, address: ofServer.address, state: "live", record: ofServer },
        servers: [{ address: record.address, state: "quiet", record: other }],
      },
    }],
    ["group", "prove", { user, role: "member", ...place, at: AT, ticket: TICKET }],
    ["group", "prove", {
      ...{ user, role: "member", ...place, at: AT },
      servers: [record.address, ofServer.address],
    }],
    ["group", "ping", { ...place, hash: FEED_KEY, at: AT }],
    ["group", "ping", { ...place, at: AT, servers: [record.address, ofServer.address] }],
    ["group", "join", { ...place, role: "member" }],
    ["group", "leave", {}],
    ["group", "send", { epoch: EPOCH, accepted: [{ from: 3, count: 3, at: AT }] }],
    ["group", "send", {
      epoch: EPOCH,
      accepted: [{ from: 3, count: 1, at: AT, duplicate: true }, { from: 6, count: 2, at: AT }],
    }],
    ["group", "read", read],
    ["group", "members", {
      members: [
        { user, name: "alice", role: "founder", present: true },
        { user: bob, name: "bob", role: "member", present: false, muted: AT },
      ],
      more: false,
      topic: "",
      banned: [],
    }],
    ["group", "subscribe", { ...place, generation: 1, key: FEED_KEY }],
    ["group", "unsubscribe", {}],
    ["group", "typing", {}],
    ["group", "invite", { token: NONCE, expires: AT, record }],
    ["group", "invites", {
      invites: [{
        ...{ id: sha256(NONCE), by: user, name: "alice" },
        ...{ role: "member", uses: 3, expires: AT },
      }],
      more: false,
    }],
    ["group", "revoke", { revoked: 1 }],
    ["group", "act", { seq: 6 }],
  ];
  let id = 0;
  const answers = good.map(([from, op, ok]) => ({
    from,
    op,
    json: encodeOk(++id, ok),
  }));
  const refusals = [
    encodeError(++id, new Refusal("not_member", "Cannot do that: join it first")),
    encodeError(++id, new Refusal("rate_limited", "Cannot do that now: wait", { retryAfter: 250 })),
    encodeError(null, new Refusal("bad_request", "Cannot read it")),
  ];
  return {
    answers,
    refusals,
    pushes: [encodePush({ push: "feed", generation: 2, key: FEED_KEY })],
    feed: feedTexts(),
  };
}

function feedTexts(): string[] {
  return [
    `{"epoch":"${EPOCH}","from":3,"batches":[${encodeBatch(batch)}]}`,
    JSON.stringify({ epoch: EPOCH, head: 5 }),
    JSON.stringify({ epoch: EPOCH, typing: { user, name: "alice" } }),
  ];
}

/**
 * Two whole handshakes with fixed ephemeral keys, every packet in hex: with a group, where the user
 * proves its key and a frame of the feed comes, and with a registry.
 */
function session() {
  const says = { group: record };
  const withGroup = shake(fixedBytes(200, TICKET_BYTES), says, (text) => groupKey.sign(text));
  const { client, server } = withGroup.split;
  const sig = userKey.sign(proofText(withGroup.transcript));
  const request = encodeRequest(1, "prove", { key: userKey.publicKey, name: "alice", sig });
  const reply = encodeOk(1, { user, role: null, epoch: EPOCH, head: 0, at: AT, ticket: TICKET });
  const next = encodeRequest(2, "join", {});
  const key = Buffer.from(FEED_KEY, "base64url");
  const [text] = feedTexts();
  const registry = { registry: { key: registryKey.publicKey } };
  const withRegistry = shake(Buffer.alloc(0), registry, (text) => registryKey.sign(text));
  const ping = encodeRequest(1, "ping", {});
  return {
    group: {
      ...withGroup.shown,
      request: { json: request, packet: hex(client.send.seal(request, HEAD.sealed)) },
      reply: { json: reply, packet: hex(server.send.seal(reply, HEAD.sealed)) },
      next: { json: next, packet: hex(client.send.seal(next, HEAD.sealed)) },
      feed: {
        key: FEED_KEY,
        generation: 2,
        counter: 7,
        json: text,
        packet: hex(feedPacket(sealingKey(key), 2, 7, text)),
      },
    },
    registry: {
      ...withRegistry.shown,
      request: { json: ping, packet: hex(withRegistry.split.client.send.seal(ping, HEAD.sealed)) },
    },
  };
}

/** A handshake; `ticket` may be empty. */
function shake(
  ticket: Uint8Array,
  says: Parameters<typeof encodeAnswer>[0],
  sign: (text: string) => string,
) {
  const [clientSecret, serverSecret] = [fixedBytes(128), fixedBytes(160)];
  const initiator = new Initiator(PROLOGUE, ephemeralOf(clientSecret));
  const responder = new Responder(PROLOGUE, ephemeralOf(serverSecret));
  const hello = initiator.write(ticket, HEAD.hello);
  responder.read(hello.subarray(1));
  const { message: answer, ...server } = responder.write(
    (before) => encodeAnswer(says, sign, before),
    HEAD.answer,
  );
  const client = initiator.read(answer.subarray(1));
  return {
    split: { client, server },
    transcript: transcriptOf(client.hash),
    shown: {
      clientEphemeral: hex(clientSecret),
      serverEphemeral: hex(serverSecret),
      ticket: hex(ticket),
      hello: hex(hello),
      /** What the server signs. */
      before: transcriptOf(client.before),
      answer: hex(answer),
      payload: Buffer.from(client.payload).toString("utf8"),
      /** What the user signs. */
      transcript: transcriptOf(client.hash),
    },
  };
}

/** Invites as links: of now, to an IPv6 address without a registry, and as versions before wrote them. */
function invite() {
  const { id, key, nonce, access, version, expires, sig } = record;
  const parts = {
    ...{ id, name: NAME, address: record.address, key: "", token: NONCE, until: AT },
    registry: `127.0.0.1:5555#${registryKey.publicKey}`,
  };
  const bare = { ...parts, name: "Café (1)", address: "[2001:db8::1]:5560", registry: "" };
  const fields = { key, nonce, access, version, expires, sig, token: NONCE, until: AT };
  const query = new URLSearchParams({
    ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, `${value}`])),
    registry: parts.registry,
  });
  return {
    parts,
    link: encodeInvite(parts),
    bare: { parts: bare, link: encodeInvite(bare) },
    former: {
      parts: { ...parts, key },
      link: `zgroup://${record.address}/${encodeURIComponent(NAME)}?${query}`,
    },
  };
}

/** Request and reply bodies of dialect 002, as its Python programs write and read them. */
function dialect002() {
  const uuid = "4b0c6a0e-6f0e-4a9e-8b9d-5d3c7f6b2a10";
  return {
    registry: [
      '{"action": "register", "group_name": "Cool Group", "ip_port": "127.0.0.1:5560"}',
      `{"action": "get_group_list", "user_uuid": "${uuid}"}`,
    ],
    group: [
      `{"action": "joinGroup", "user_uuid": "${uuid}"}`,
      `{"action": "leaveGroup", "user_uuid": "${uuid}"}`,
      `{"action": "sendMessage", "user_uuid": "${uuid}", "message": "h\\u00e9\\n\\ud83d\\ude00"}`,
      `{"action": "getMessage", "user_uuid": "${uuid}", "timestamp": null}`,
    ],
    success: SUCCESS,
    failed: FAILED,
    list: encodeList002([{ name: "Café", address: "127.0.0.1:5560" }]),
    none: encodeMessages002([]),
  };
}

/** Content of each file, by its name. */
export function vectors(): Record<string, unknown> {
  return {
    identity: identity(),
    signatures: signatures(),
    batches: batches(),
    requests: requests(),
    replies: replies(),
    session: session(),
    invite: invite(),
    dialect002: dialect002(),
  };
}

if (import.meta.main) {
  for (const [name, value] of Object.entries(vectors())) {
    const path = new URL(`../tests/vectors/${name}.json`, import.meta.url);
    writeFileSync(path, JSON.stringify(value, null, 2) + "\n");
  }
}
