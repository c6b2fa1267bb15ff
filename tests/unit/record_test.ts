import assert from "node:assert/strict";
import { test } from "node:test";
import { groupId, userId, verifies } from "../../lib/identity/keys.ts";
import { CLOCK_SLACK, RECORD_LIFE } from "../../lib/protocol/limits.ts";
import {
  proofText,
  recordProblem,
  recordSignatureProblem,
  serverText,
  signRecord,
  unregisterText,
} from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { fixedKey, NOW } from "./fixtures.ts";

const key = fixedKey(0);
const other = fixedKey(100);
const nonce = "n".repeat(22);
const record = signRecord({
  id: groupId(key.publicKey, "Lab", nonce),
  name: "Lab",
  access: "open",
  address: "127.0.0.1:5560",
  key: key.publicKey,
  nonce,
  version: NOW,
  expires: NOW + 1,
}, key);
/** The same, of one of several servers. */
const ofServer = signRecord({ ...record, server: "s".repeat(22) }, key);

test("record is believed until it expires", () => {
  assert.equal(recordProblem(record, NOW), undefined);
  assert.equal(recordProblem(record, NOW + CLOCK_SLACK), undefined);
  assert.match(recordProblem(record, NOW + 1 + CLOCK_SLACK)!, /expired/);
  assert.equal(recordSignatureProblem(record), undefined);
});

test("record whose expiry or version lies further ahead than it can be is not believed", () => {
  const signed = (times: { version?: number; expires?: number }) => {
    const { sig: _, ...fields } = record;
    return signRecord({ ...fields, ...times }, key);
  };
  const latest = NOW + RECORD_LIFE + CLOCK_SLACK;
  assert.equal(recordProblem(signed({ expires: latest }), NOW), undefined);
  assert.match(recordProblem(signed({ expires: latest + 1 }), NOW)!, /expiry is too far ahead/);
  assert.equal(recordProblem(signed({ version: NOW + CLOCK_SLACK }), NOW), undefined);
  assert.match(
    recordProblem(signed({ version: NOW + CLOCK_SLACK + 1 }), NOW)!,
    /version lies ahead/,
  );
});

test("record with any field altered is not believed", () => {
  const altered: Required<GroupRecord> = {
    id: groupId(other.publicKey, "Lab", nonce),
    name: "Lab2",
    access: "private",
    address: "127.0.0.1:5569",
    key: other.publicKey,
    nonce: "m".repeat(22),
    version: NOW + 1,
    expires: NOW + 2,
    server: "t".repeat(22),
    sig: other.sign("x"),
  };
  assert.deepEqual(Object.keys(altered), Object.keys(ofServer));
  assert.equal(recordProblem(ofServer, NOW), undefined);
  for (const [field, value] of Object.entries(altered)) {
    for (const good of [record, ofServer]) {
      assert.match(recordProblem({ ...good, [field]: value }, NOW)!, /id|signature|wrong/, field);
    }
  }
});

test("record whose id is someone else's is not believed, although its signature verifies", () => {
  const { sig: _, ...fields } = record;
  const stolen = signRecord({ ...fields, key: other.publicKey }, other);
  assert.match(recordProblem(stolen, NOW)!, /id does not belong/);
});

test("record of one of several servers is none of the only one, and the other way round", () => {
  const { server, ...without } = ofServer;
  assert.match(recordProblem(without, NOW)!, /signature/);
  assert.match(recordProblem({ ...record, server }, NOW)!, /signature/);
  assert.match(recordProblem({ ...ofServer, server: "short" }, NOW)!, /wrong/);
});

test("record fields cannot be moved into each other", () => {
  const { sig, ...fields } = record;
  const moved = { ...fields, name: "La", access: "b\nopen" as "open", sig };
  assert.notEqual(recordProblem(moved, NOW), undefined);
});

test("a signature for one purpose is none for another", () => {
  const { id } = record;
  const texts = [
    unregisterText(id, 1),
    unregisterText(id, 11),
    unregisterText(id, 1, "s".repeat(22)),
    unregisterText(id, 1, "t".repeat(22)),
    proofText(id),
    serverText(id),
  ];
  for (const signed of texts) {
    for (const text of texts) {
      assert.equal(verifies(key.publicKey, text, key.sign(signed)), text === signed);
    }
  }
});

test("ids of users and of groups are version 8 UUIDs and never the same", () => {
  const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(userId(key.publicKey), shape);
  assert.match(record.id, shape);
  const ids = [userId(key.publicKey), userId(other.publicKey), record.id];
  ids.push(groupId(key.publicKey, "Lab2", nonce), groupId(key.publicKey, "Lab", "m".repeat(22)));
  assert.equal(new Set(ids).size, ids.length);
});

test("verifying malformed keys and signatures is false, not an error", () => {
  const sig = key.sign("text");
  assert.equal(verifies(key.publicKey, "text", sig), true);
  for (const bad of ["", "A", "é", `${sig}AAAA`, sig.slice(4)]) {
    assert.equal(verifies(key.publicKey, "text", bad), false, bad);
    assert.equal(verifies(bad, "text", sig), false, bad);
  }
});
