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
import signatures from "../vectors/signatures.json" with { type: "json" };
import { decodeGroup002, decodeRegistry002 } from "../../lib/dialects/seed002.ts";
import { groupId, signingKey, userId } from "../../lib/identity/keys.ts";
import { type Batch, checkSignature } from "../../lib/protocol/batch.ts";
import { decodeReply, decodeRequest, encodeRequest } from "../../lib/protocol/codec.ts";
import { parseInvite } from "../../lib/protocol/invite.ts";
import { recordProblem } from "../../lib/protocol/record.ts";
import { DOOR_OPS, GROUP_OPS, type GroupRecord, REGISTRY_OPS } from "../../lib/protocol/schema.ts";
import { vectors } from "../../scripts/make_vectors.ts";
import { framesOf, NOW } from "./fixtures.ts";

test("vectors are what the code makes now: deno run -A scripts/make_vectors.ts", () => {
  const files = { identity, signatures, batches, requests, replies, invite, dialect002 };
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
  assert.match(recordProblem(record as GroupRecord, record.expires)!, /expired/);
});

test("vectors: each request decodes to what it says and encodes to the same bytes", () => {
  const tables = { registry: REGISTRY_OPS, group: GROUP_OPS, door: DOOR_OPS };
  const seen = new Set<string>();
  for (const { to, op, frames } of requests) {
    const request = decodeRequest(framesOf(...frames), tables[to as keyof typeof tables]);
    assert.equal(request.op, op);
    const { id, op: _, ...fields } = JSON.parse(frames[1]);
    assert.deepEqual(encodeRequest(id, op, fields), frames);
    seen.add(`${to} ${op}`);
  }
  const all = Object.entries(tables).flatMap(([to, ops]) =>
    Object.keys(ops).map((op) => `${to} ${op}`)
  );
  assert.deepEqual([...seen].sort(), all.sort());
});

test("vectors: each reply decodes", () => {
  for (const { frames } of replies) {
    const reply = decodeReply(framesOf(...frames));
    const { id, ok, error } = JSON.parse(frames[1]);
    assert.equal(reply.id, id);
    if ("ok" in reply) assert.deepEqual(reply.ok, ok);
    else {assert.deepEqual([reply.error.code, reply.error.retryAfter], [
        error.code,
        error.retry_after,
      ]);}
  }
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
  assert.deepEqual(parseInvite(invite.link), invite.parts);
});

test("vectors: requests of dialect 002 are understood", () => {
  for (const body of dialect002.registry) assert.ok(decodeRegistry002(framesOf(body)), body);
  for (const body of dialect002.group) assert.ok(decodeGroup002(framesOf(body), NOW), body);
});
