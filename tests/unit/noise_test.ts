import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import noise from "../vectors/noise_nn.json" with { type: "json" };
import {
  CipherState,
  ephemeral,
  Initiator,
  Responder,
  type Split,
} from "../../lib/session/noise.ts";
import { ephemeralOf } from "../support/ephemeral.ts";

const { vectors } = noise;
const bytes = (hex: string) => Buffer.from(hex, "hex");
const hex = (data: Uint8Array) => Buffer.from(data).toString("hex");
const PROLOGUE = Buffer.from("zg2");
const NOTHING = new Uint8Array(0);

test("noise reproduces the published vectors of Noise_NN_25519_ChaChaPoly_SHA256", () => {
  assert.ok(vectors.length > 0);
  for (const vector of vectors) {
    assert.equal(vector.protocol_name, "Noise_NN_25519_ChaChaPoly_SHA256");
    const prologue = bytes(vector.init_prologue);
    const initiator = new Initiator(prologue, ephemeralOf(bytes(vector.init_ephemeral)));
    const responder = new Responder(prologue, ephemeralOf(bytes(vector.resp_ephemeral)));
    const [first, second, ...rest] = vector.messages;

    const hello = initiator.write(bytes(first.payload));
    assert.equal(hex(hello), first.ciphertext);
    assert.equal(hex(responder.read(hello)), first.payload);
    const theirs = responder.write(() => bytes(second.payload));
    assert.equal(hex(theirs.message), second.ciphertext);
    const ours = initiator.read(theirs.message);
    assert.equal(hex(ours.payload), second.payload);
    assert.equal(hex(ours.hash), vector.handshake_hash);
    assert.equal(hex(theirs.hash), vector.handshake_hash);

    for (const [i, { payload, ciphertext }] of rest.entries()) {
      const [from, to]: Split[] = i % 2 === 0 ? [ours, theirs] : [theirs, ours];
      assert.equal(hex(from.send.seal(bytes(payload))), ciphertext, `message ${i + 3}`);
      assert.equal(hex(to.receive.open(bytes(ciphertext))), payload, `message ${i + 3}`);
    }
  }
});

function handshake() {
  const initiator = new Initiator(PROLOGUE);
  const responder = new Responder(PROLOGUE);
  responder.read(initiator.write(Buffer.from("ticket")));
  let before = "";
  const theirs = responder.write((hash) => {
    before = hex(hash);
    return "I am";
  });
  return { ours: initiator.read(theirs.message), theirs, before };
}

test("noise gives both sides the hash that a payload can sign", () => {
  const { ours, theirs, before } = handshake();
  assert.equal(hex(ours.before), before);
  assert.equal(Buffer.from(ours.payload).toString(), "I am");
  assert.deepEqual(ours.hash, theirs.hash);
  assert.notDeepEqual(ours.hash, handshake().ours.hash);
});

test("noise opens no answer of which a byte was changed or cut", () => {
  const own = ephemeral();
  const initiator = () => new Initiator(PROLOGUE, own);
  const responder = new Responder(PROLOGUE);
  responder.read(initiator().write(NOTHING));
  const { message } = responder.write(() => "I am");
  const read = (answer: Uint8Array) => {
    const one = initiator();
    one.write(NOTHING);
    return one.read(answer);
  };
  assert.equal(Buffer.from(read(message).payload).toString(), "I am");
  for (let i = 0; i < message.length; i++) {
    assert.throws(() => read(message.subarray(0, i)), `cut at ${i}`);
    for (let bit = 1; bit < 256; bit <<= 1) {
      if (i === 31 && bit === 128) continue; // X25519 ignores this bit; the hash does not: below.
      const changed = Buffer.from(message);
      changed[i] ^= bit;
      assert.throws(() => read(changed), `byte ${i}, bit ${bit}`);
    }
  }
  const masked = Buffer.from(message);
  masked[31] ^= 128;
  assert.throws(() => read(masked), "the bit that X25519 ignores");
});

test("noise opens no answer to a hello of which a byte was changed", () => {
  const own = ephemeral();
  const hello = new Initiator(PROLOGUE, own).write(Buffer.from("a ticket"));
  for (let i = 0; i < hello.length; i++) {
    const changed = Buffer.from(hello);
    changed[i] ^= 1;
    const responder = new Responder(PROLOGUE);
    responder.read(changed);
    const { message } = responder.write(() => "I am");
    const initiator = new Initiator(PROLOGUE, own);
    initiator.write(Buffer.from("a ticket"));
    assert.throws(() => initiator.read(message), `byte ${i}`);
  }
});

test("noise opens nothing of another prologue", () => {
  const initiator = new Initiator(Buffer.from("zg3"));
  const responder = new Responder(PROLOGUE);
  responder.read(initiator.write(NOTHING));
  assert.throws(() => initiator.read(responder.write(() => "I am").message));
});

/** Points with which every agreement gives zeros (RFC 7748; the last three are not reduced). */
const LOW_ORDER = [
  "00".repeat(32),
  "01" + "00".repeat(31),
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

test("noise agrees on nothing with a key of low order, on either side", () => {
  for (const point of LOW_ORDER) {
    const responder = new Responder(PROLOGUE);
    responder.read(bytes(point));
    assert.throws(() => responder.write(() => "I am"), `hello ${point}`);
    const initiator = new Initiator(PROLOGUE);
    initiator.write(NOTHING);
    assert.throws(() => initiator.read(bytes(point + "00".repeat(20))), `answer ${point}`);
  }
});

test("noise opens messages in their order, each once, in their direction alone", () => {
  const { ours, theirs } = handshake();
  const [first, second] = [ours.send.seal("one"), ours.send.seal("two")];
  assert.equal(Buffer.from(theirs.receive.open(first)).toString(), "one");
  assert.equal(Buffer.from(theirs.receive.open(second)).toString(), "two");
  assert.throws(() => theirs.receive.open(second), "replayed");

  const other = handshake();
  other.ours.send.seal("lost");
  const late = other.ours.send.seal("after it");
  assert.throws(() => other.theirs.receive.open(late), "one is missing before it");

  const mirrored = handshake();
  const own = mirrored.ours.send.seal("mine");
  assert.throws(() => mirrored.ours.receive.open(own), "sent back to where it came from");
});

test("noise seals texts as UTF-8, of any length, behind a head", () => {
  const key = new Uint8Array(32).fill(7);
  for (const text of ["", "a", "schön 你好 🙂", "🙂".repeat(40_000)]) {
    const [from, to] = [new CipherState(key), new CipherState(key)];
    const sealed = from.seal(text, Uint8Array.of(3));
    assert.equal(sealed[0], 3);
    assert.equal(sealed.length, 1 + Buffer.byteLength(text) + 16);
    assert.equal(Buffer.from(to.open(sealed.subarray(1))).toString(), text);
  }
});
