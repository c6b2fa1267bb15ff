/** Checks `tests/vectors/*.json` as a client in another language would, and that they are current. */

import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import batches from "../vectors/batches.json" with { type: "json" };
import dialect002 from "../vectors/dialect002.json" with { type: "json" };
import identity from "../vectors/identity.json" with { type: "json" };
import invite from "../vectors/invite.json" with { type: "json" };
import replies from "../vectors/replies.json" with { type: "json" };
import requests from "../vectors/requests.json" with { type: "json" };
import session from "../vectors/session.json" with { type: "json" };
import signatures from "../vectors/signatures.json" with { type: "json" };
import { decodeGroup002, decodeRegistry002 } from "../../lib/dialects/seed002.ts";
import { groupId, signingKey, userId } from "../../lib/identity/keys.ts";
import { type Batch, checkSignature } from "../../lib/protocol/batch.ts";
import {
  checkReply,
  decodeFeed,
  decodeRequest,
  decodeSaid,
  encodeRequest,
  type Reply,
} from "../../lib/protocol/codec.ts";
import { encodeInvite, parseInvite } from "../../lib/protocol/invite.ts";
import { recordProblem } from "../../lib/protocol/record.ts";
import {
  GROUP_OPS,
  GROUP_REPLIES,
  type GroupRecord,
  type Ops,
  REGISTRY_OPS,
  REGISTRY_REPLIES,
} from "../../lib/protocol/schema.ts";
import { readAnswer } from "../../lib/session/identity.ts";
import { type CipherState, Initiator, sealingKey } from "../../lib/session/noise.ts";
import { openFeed, PROLOGUE } from "../../lib/session/packet.ts";
import { ephemeralOf } from "../support/ephemeral.ts";
import { vectors } from "../../scripts/make_vectors.ts";
import { framesOf, NOW } from "./fixtures.ts";

const decodeReply = (bytes: Uint8Array) => decodeSaid(bytes) as Reply;

const bytesOf = (text: string) => framesOf(text)[0];
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const packetOf = (send: CipherState, json: string) => hexOf(send.seal(json, Uint8Array.of(3)));

test("vectors are what the code makes now: deno run -A scripts/make_vectors.ts", () => {
  const files = {
    ...{ identity, signatures, batches, requests, replies, session, invite, dialect002 },
  };
  assert.deepEqual(files, JSON.parse(JSON.stringify(vectors())));
});

test("vectors: ids are made of keys as PROTOCOL.md says", () => {
  const uuid8 = (text: string) => {
    const hash = createHash("sha256").update(text).digest().subarray(0, 16);
    hash[6] = (hash[6] & 0x0f) | 0x80;
    hash[8] = (hash[8] & 0x3f) | 0x80;
    return hash.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  };
  const { user, group } = identity;
  assert.equal(user.id, uuid8(`zgroup user 1\n${user.publicKey}`));
  assert.equal(
    group.id,
    uuid8(`zgroup group 1\n${group.publicKey}\n${group.name}\n${group.nonce}`),
  );
  assert.equal(signingKey(user.secretKey).publicKey, user.publicKey);
  assert.equal(userId(user.publicKey), user.id);
  assert.equal(groupId(group.publicKey, group.name, group.nonce), group.id);
});

test("vectors: each signature is Ed25519 over the text as it stands there", () => {
  for (const [what, { text, key, sig }] of Object.entries(signatures)) {
    const jwk = { kty: "OKP", crv: "Ed25519", x: key };
    const signature = Buffer.from(sig, "base64url");
    const publicKey = createPublicKey({ key: jwk, format: "jwk" });
    assert.equal(verify(null, Buffer.from(text), publicKey, signature), true, what);
  }
});

test("vectors: the record is believed until it expires", () => {
  const { record } = signatures.record;
  assert.equal(recordProblem(record as GroupRecord, record.expires - 1), undefined);
  const late = record.expires + 300_000; // clocks may differ by as much
  assert.match(recordProblem(record as GroupRecord, late)!, /expired/);
});

test("vectors: each request decodes to what it says and encodes to the same bytes", () => {
  const tables = { registry: REGISTRY_OPS, group: GROUP_OPS };
  const seen = new Set<string>();
  for (const { to, op, json } of requests) {
    const request = decodeRequest(bytesOf(json), tables[to as keyof typeof tables] as Ops);
    assert.equal(request.op, op);
    const { id, op: _, ...fields } = JSON.parse(json);
    assert.deepEqual(encodeRequest(id, op, fields), json);
    seen.add(`${to} ${op}`);
  }
  const all = Object.entries(tables).flatMap(([to, ops]) =>
    Object.keys(ops).map((op) => `${to} ${op}`)
  );
  assert.deepEqual([...seen].sort(), all.sort());
});

test("vectors: each reply, refusal, push and feed frame is what its schema says", () => {
  const tables = { registry: REGISTRY_REPLIES, group: GROUP_REPLIES } as Record<string, Ops>;
  const seen = new Set<string>();
  for (const { from, op, json } of replies.answers) {
    const reply = decodeReply(bytesOf(json));
    assert.ok("ok" in reply);
    assert.deepEqual(checkReply(tables[from][op], reply.ok), JSON.parse(json).ok);
    seen.add(`${from} ${op}`);
  }
  const all = Object.entries(tables).flatMap(([from, ops]) =>
    Object.keys(ops).map((op) => `${from} ${op}`)
  );
  assert.deepEqual([...seen].sort(), all.sort());
  for (const json of replies.refusals) {
    const reply = decodeReply(bytesOf(json));
    const { id, error } = JSON.parse(json);
    assert.ok("error" in reply);
    const { code, retryAfter } = reply.error;
    assert.deepEqual([reply.id, code, retryAfter], [id, error.code, error.retry_after]);
  }
  for (const json of replies.pushes) assert.deepEqual(decodeSaid(bytesOf(json)), JSON.parse(json));
  for (const json of replies.feed) assert.deepEqual(decodeFeed(bytesOf(json)), JSON.parse(json));
});

/** The client's side of a handshake, checked byte by byte. */
function shake(shown: typeof session.group | typeof session.registry) {
  const initiator = new Initiator(PROLOGUE, ephemeralOf(Buffer.from(shown.clientEphemeral, "hex")));
  const hello = initiator.write(Buffer.from(shown.ticket, "hex"), Uint8Array.of(1));
  assert.equal(hexOf(hello), shown.hello);
  const split = initiator.read(Buffer.from(shown.answer, "hex").subarray(1));
  assert.equal(Buffer.from(split.payload).toString(), shown.payload);
  assert.equal(Buffer.from(split.before).toString("base64url"), shown.before);
  assert.equal(Buffer.from(split.hash).toString("base64url"), shown.transcript);
  const { sig: _, ...said } = JSON.parse(shown.payload);
  assert.deepEqual(readAnswer(split.payload, split.before), said);
  assert.equal(packetOf(split.send, shown.request.json), shown.request.packet);
  return split;
}

test("vectors: a client with these keys has the handshake, and opens what comes after it", () => {
  shake(session.registry);
  const { reply, next, feed } = session.group;
  const { send, receive } = shake(session.group);
  const opened = receive.open(Buffer.from(reply.packet, "hex").subarray(1));
  assert.equal(Buffer.from(opened).toString(), reply.json);
  assert.equal(packetOf(send, next.json), next.packet);
  const key = sealingKey(Buffer.from(feed.key, "base64url"));
  const frame = openFeed(key, feed.counter, Buffer.from(feed.packet, "hex"));
  assert.equal(Buffer.from(frame).toString(), feed.json);
});

test("vectors: batches verify, whole and in part", () => {
  const [whole, part, join] = [batches.whole, batches.part, batches.join].map((json): Batch =>
    JSON.parse(json)
  );
  assert.equal(checkSignature(batches.group, whole), "valid");
  assert.equal(checkSignature(batches.group, part), "valid");
  assert.equal(checkSignature(batches.group, join), "none");
  assert.deepEqual(part.messages, batches.messages.slice(1, 2));
  const hashes = batches.messages.map(([mid, text]) =>
    createHash("sha256").update(`${mid}\n${text}`).digest("hex")
  );
  assert.deepEqual(batches.hashes, hashes);
});

test("vectors: the invite holds its parts", () => {
  for (const { link, parts } of [invite, invite.bare, invite.former]) {
    assert.deepEqual(parseInvite(link), parts);
  }
  for (const { link, parts } of [invite, invite.bare]) {
    assert.equal(encodeInvite(parts), link);
    const said = link.slice(0, -9);
    const check = createHash("sha256").update(said).digest("hex").slice(0, 8);
    assert.equal(`${said}/${check}`, link);
  }
});

test("vectors: requests of dialect 002 are understood", () => {
  for (const body of dialect002.registry) assert.ok(decodeRegistry002(framesOf(body)), body);
  for (const body of dialect002.group) assert.ok(decodeGroup002(framesOf(body), NOW), body);
});
