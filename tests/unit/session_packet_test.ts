import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { groupId, newSigningKey, type SigningKey } from "../../lib/identity/keys.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import { AccountLog } from "../../lib/session/account_log.ts";
import { FeedReader } from "../../lib/session/feed_reader.ts";
import { encodeAnswer, readAnswer, transcriptOf } from "../../lib/session/identity.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { decodeReset, encodeReset, feedPacket, RESETS } from "../../lib/session/packet.ts";
import { fixedKey, NOW } from "./fixtures.ts";

const KEYS = [1, 2, 3].map((n) => Buffer.alloc(32, n).toString("base64url"));
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString();

function packet(generation: number, counter: number, plaintext = `${generation}/${counter}`) {
  const key = sealingKey(Buffer.from(KEYS[generation % KEYS.length], "base64url"));
  return feedPacket(key, generation, counter, plaintext);
}

function reader() {
  const missing: number[] = [];
  const feed = new FeedReader();
  const read = (one: Uint8Array) => text(feed.read(one, (generation) => missing.push(generation)));
  const add = (generation: number) => feed.add(generation, KEYS[generation % KEYS.length]);
  return { feed, read, add, missing };
}

test("a feed packet is laid out as the wire says", () => {
  const one = packet(0x01020304, 0x0506, "{}");
  assert.equal(Buffer.from(one.subarray(0, 13)).toString("hex"), "04010203040000000000000506");
  assert.equal(one.length, 13 + 2 + 16);
});

test("a feed is read in order, each packet once, gaps allowed", () => {
  const { read, add } = reader();
  add(0);
  assert.equal(read(packet(0, 0)), "0/0");
  assert.equal(read(packet(0, 0)), undefined);
  assert.equal(read(packet(0, 5)), "0/5");
  assert.equal(read(packet(0, 4)), undefined);
  assert.equal(read(packet(0, 6)), "0/6");
});

test("a feed goes on with the key of the next generation, and says once which key is missing", () => {
  const { read, add, missing } = reader();
  add(0);
  add(1);
  assert.equal(read(packet(0, 9)), "0/9");
  assert.equal(read(packet(1, 0)), "1/0");
  assert.equal(read(packet(2, 0)), undefined);
  assert.equal(read(packet(2, 1)), undefined);
  assert.deepEqual(missing, [2]);
  add(2);
  assert.equal(read(packet(2, 2)), "2/2");
  assert.equal(read(packet(0, 10)), undefined, "two keys are held, no more");
});

test("a feed of a later session gives nothing that was read before", () => {
  const { feed, read, add, missing } = reader();
  add(0);
  assert.equal(read(packet(0, 3)), "0/3");
  feed.suspend();
  assert.equal(read(packet(0, 4)), undefined);
  assert.deepEqual(missing, [0]);
  add(0);
  assert.equal(read(packet(0, 3)), undefined);
  assert.equal(read(packet(0, 4)), "0/4");
  feed.suspend();
  feed.add(0, KEYS[1]); // The server began anew: another key, the same number.
  const key = sealingKey(Buffer.from(KEYS[1], "base64url"));
  assert.equal(read(feedPacket(key, 0, 0, "anew")), "anew");
});

test("a feed packet of which a byte was changed or cut is refused, and changes nothing", () => {
  const { read, add } = reader();
  add(0);
  const one = packet(0, 7);
  for (let i = 5; i < one.length; i++) { // Before it: another kind, another generation.
    const changed = Buffer.from(one);
    changed[i] ^= 1;
    assert.throws(() => read(changed), `byte ${i}`);
  }
  for (let i = 0; i < one.length; i++) assert.throws(() => read(one.subarray(0, i)), `cut at ${i}`);
  assert.equal(read(one), "0/7");
});

test("a reset says one of the known codes or nothing", () => {
  for (const code of RESETS) assert.equal(decodeReset(encodeReset(code)), code);
  assert.equal(decodeReset(Uint8Array.of(0)), undefined);
  assert.equal(decodeReset(Buffer.from("\0nonsense")), undefined);
  assert.equal(decodeReset(Buffer.from("\0" + "busy".repeat(100))), undefined);
});

const group = fixedKey(1);
const record = signRecord({
  id: groupId(group.publicKey, "Lab", "nonce-nonce-nonce"),
  name: "Lab",
  access: "open",
  address: "127.0.0.1:5000",
  key: group.publicKey,
  nonce: "nonce-nonce-nonce",
  version: NOW,
  expires: NOW + 60_000,
}, group);
const BEFORE = new Uint8Array(32).fill(9);
const answer = (says: object, key: SigningKey = group, before = BEFORE) =>
  Buffer.from(encodeAnswer(says as never, (signed) => key.sign(signed), before));

test("an answer says who a group or a registry is, whatever the date", () => {
  assert.deepEqual(readAnswer(answer({ group: record }), BEFORE), { group: record });
  const registry = { registry: { key: group.publicKey } };
  assert.deepEqual(readAnswer(answer(registry), BEFORE), registry);
  assert.equal(transcriptOf(BEFORE).length, 43);
});

test("an answer is not believed that is of another connection, key or form", () => {
  const other = newSigningKey();
  const cases: [string, Uint8Array][] = [
    ["of another connection", answer({ group: record }, group, new Uint8Array(32))],
    ["signed by another key", answer({ group: record }, other)],
    ["a registry's, signed by another key", answer({ registry: { key: group.publicKey } }, other)],
    ["a changed record", answer({ group: { ...record, address: "127.0.0.1:5001" } })],
    ["another key in a record", answer({ group: { ...record, key: other.publicKey } }, other)],
    ["a record without a name", answer({ group: { ...record, name: undefined } })],
    ["no record", answer({ group: null })],
    ["a text for a record", answer({ group: "Lab" })],
    ["neither", answer({})],
    ["no registry", answer({ registry: null })],
    ["a registry without a key", answer({ registry: {} })],
    ["a registry with a strange key", answer({ registry: { key: "short" } })],
    ["not signed", Buffer.from(JSON.stringify({ group: record }))],
    ["a strange signature", Buffer.from(JSON.stringify({ group: record, sig: 7 }))],
    ["a list", Buffer.from("[]")],
    ["null", Buffer.from("null")],
    ["no JSON", Buffer.from("{")],
    ["no UTF-8", Buffer.from([0xff])],
    ["nothing", new Uint8Array(0)],
    ["too long", answer({ group: record, more: "x".repeat(4_096) })],
    ["random bytes", randomBytes(300)],
  ];
  for (const [what, payload] of cases) {
    assert.throws(() => readAnswer(payload, BEFORE), /^Error: (it|its) /, what);
  }
});

test("an account log tells what came since the last time, and nothing where nothing did", () => {
  const counts = new Map([["cut: silent", 2], ["cut: does not read", 1]]);
  const told: string[] = [];
  const log = new AccountLog(() => counts, (line) => told.push(line));
  try {
    log.tell();
    log.tell();
    counts.set("cut: silent", 5).set("paused: rate", 1);
    log.tell();
  } finally {
    log.close();
    log.close();
  }
  assert.deepEqual(told, [
    "Connections: cut: does not read (1), cut: silent (2)",
    "Connections: cut: silent (3), paused: rate (1)",
  ]);
});
