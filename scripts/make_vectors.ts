/**
 * Writes `tests/vectors/*.json`: byte-exact examples that a client in any language can test itself
 * with. `deno run -A scripts/make_vectors.ts`; the same on every run, since keys and times are fixed.
 */

import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import { encodeList002, encodeMessages002, FAILED, SUCCESS } from "../lib/dialects/seed002.ts";
import { Refusal } from "../lib/errors.ts";
import { groupId, signingKey, userId } from "../lib/identity/keys.ts";
import {
  type Batch,
  cutBatch,
  encodeBatch,
  messageHash,
  signedText,
} from "../lib/protocol/batch.ts";
import { encodeError, encodeOk, encodeOkText, encodeRequest } from "../lib/protocol/codec.ts";
import { encodeInvite } from "../lib/protocol/invite.ts";
import { enterText, proofText, signRecord, unregisterText } from "../lib/protocol/record.ts";
import type { Message } from "../lib/protocol/schema.ts";

const AT = 1_795_215_435_253; // 2026-11-20T22:57:15.253Z
const NONCE = "AAECAwQFBgcICQoLDA0ODw";
const SESSION = "EBESExQVFhcYGRobHB0eHw";
const EPOCH = "0b5f7a3e-30c1-4a52-9d5e-5c9a8b1f2d34";
const CURVE = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"; // the public key of RFC 27's example
const NAME = "Cool Group";

/** A key whose 32 secret bytes are `first`, `first + 1`, … */
function fixedKey(first: number) {
  return signingKey(
    Buffer.from(Array.from({ length: 32 }, (_, i) => first + i)).toString("base64url"),
  );
}
const userKey = fixedKey(0);
const groupKey = fixedKey(32);
const user = userId(userKey.publicKey);
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
  live: "127.0.0.1:5561",
  door: "127.0.0.1:5562",
  curve: CURVE,
  key: groupKey.publicKey,
  nonce: NONCE,
  version: AT,
  expires: AT + 3_600_000,
}, groupKey);

const challenge = Buffer.from(Array.from({ length: 32 }, (_, i) => 64 + i)).toString("base64url");
const proof = userKey.sign(proofText(challenge, group));
const enter = userKey.sign(enterText(group, CURVE));
const unregister = groupKey.sign(unregisterText(group, AT));

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
  };
}

/** What is signed, by whom, and the signature. */
function signatures() {
  return {
    record: {
      record,
      text: [
        "zgroup record 1",
        ...[group, NAME, "open", record.address, record.live, record.door, CURVE],
        ...[record.key, NONCE, record.version, record.expires],
      ].join("\n"),
      key: groupKey.publicKey,
      sig: record.sig,
    },
    unregister: { text: unregisterText(group, AT), key: groupKey.publicKey, sig: unregister },
    proof: { text: proofText(challenge, group), key: userKey.publicKey, sig: proof },
    enter: { text: enterText(group, CURVE), key: userKey.publicKey, sig: enter },
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

/** Each request of the table once, as its two frames. */
function requests() {
  const fields: Record<string, [op: string, fields: object][]> = {
    registry: [
      ["ping", {}],
      ["register", { record }],
      ["unregister", { group, version: AT, sig: unregister }],
      ["list", { prefix: "Cool", after: "", limit: 100, user }],
      ["resolve", { group: NAME }],
    ],
    door: [
      ["ping", {}],
      ["enter", { key: userKey.publicKey, name: "alice", curve: CURVE, sig: enter }],
    ],
    group: [
      ["hello", { key: userKey.publicKey, name: "alice" }],
      ["prove", { sig: proof }],
      ["ping", { session: SESSION }],
      ["join", { session: SESSION, curve: CURVE }],
      ["leave", { session: SESSION }],
      ["send", { session: SESSION, messages, sig }],
      ["read", { session: SESSION, after: 2, limit: 100 }],
      ["members", { session: SESSION }],
      ["subscribe", { session: SESSION }],
      ["typing", { session: SESSION }],
      ["invite", { session: SESSION, uses: 3, for: 86_400_000, role: "member" }],
      ["act", { session: SESSION, action: "mute", user, for: 60_000 }],
    ],
  };
  let id = 0;
  return Object.entries(fields).flatMap(([to, list]) =>
    list.map(([op, fields]) => ({ to, op, frames: encodeRequest(++id, op, fields) }))
  );
}

function replies() {
  const read = `{"epoch":"${EPOCH}","head":5,"tail":1,"more":false,"batches":[${
    encodeBatch(batch)
  }]}`;
  const error = (code: "not_member" | "rate_limited", message: string, retryAfter?: number) =>
    new Refusal(code, message, retryAfter === undefined ? {} : { retryAfter });
  return [
    { to: "ping", frames: encodeOk(1, { at: AT }) },
    {
      to: "send",
      frames: encodeOk(2, { epoch: EPOCH, accepted: [{ from: 3, count: 3, at: AT }] }),
    },
    {
      to: "send",
      frames: encodeOk(3, {
        epoch: EPOCH,
        accepted: [{ from: 3, count: 1, at: AT, duplicate: true }, { from: 6, count: 2, at: AT }],
      }),
    },
    { to: "read", frames: encodeOkText(4, read) },
    { to: "read", frames: encodeError(5, error("not_member", "Cannot do that: join it first")) },
    { to: "send", frames: encodeError(6, error("rate_limited", "Cannot do that now: wait", 250)) },
    {
      to: "anything unreadable",
      frames: encodeError(null, new Refusal("bad_request", "Cannot read it")),
    },
  ];
}

function invite() {
  const parts = {
    name: NAME,
    address: record.address,
    door: record.door,
    id: group,
    curve: CURVE,
    token: NONCE,
    expires: AT,
  };
  return { parts, link: encodeInvite(parts) };
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
