import assert from "node:assert/strict";
import { test } from "node:test";
import { userId } from "../../lib/identity/keys.ts";
import {
  type Batch,
  checkSignature,
  cutBatch,
  encodeBatch,
  entriesOf,
  messageHash,
  signedText,
} from "../../lib/protocol/batch.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { fixedKey, midAt, NOW } from "./fixtures.ts";

const key = fixedKey(0);
const author = userId(key.publicKey);
const GROUP = "00000000-0000-8000-8000-000000000001";

const messages = Array.from({ length: 5 }, (_, i): Message => [midAt(NOW, i), `text ${i}`]);
const sig = key.sign(signedText(GROUP, author, messages.map(messageHash)));
const whole: Batch = {
  first: 11,
  count: 5,
  at: NOW,
  kind: "message",
  author,
  name: "alice",
  key: key.publicKey,
  sig,
  messages,
};

test("batch comes back from its JSON as it was, with its fields in one order", () => {
  const json = encodeBatch(whole);
  assert.deepEqual(JSON.parse(json), whole);
  const backwards = Object.fromEntries(Object.entries(whole).reverse()) as unknown as Batch;
  assert.equal(encodeBatch(backwards), json);
  assert.deepEqual(
    Object.keys(JSON.parse(json)),
    ["first", "count", "at", "kind", "author", "name", "key", "sig", "messages"],
  );
});

test("batch JSON leaves the hash to the log", () => {
  assert.equal(encodeBatch({ ...whole, hash: "h" }), encodeBatch(whole));
});

test("batch cut beyond both ends is the batch itself", () => {
  assert.equal(cutBatch(whole, 10, 16), whole);
  assert.equal(cutBatch(whole, 0, Infinity), whole);
});

test("batch cut anywhere holds exactly the seqs asked for, and its signature still verifies", () => {
  for (let after = 10; after <= 14; after++) {
    for (let before = after + 2; before <= 16; before++) {
      const cut = cutBatch({ ...whole, hash: "h" }, after, before);
      const entries = entriesOf(cut, checkSignature(GROUP, cut), "Lab", "e");
      const seqs = Array.from({ length: before - after - 1 }, (_, i) => after + 1 + i);
      assert.deepEqual(entries.map(({ seq }) => seq), seqs);
      assert.deepEqual(entries.map(({ text }) => text), seqs.map((seq) => `text ${seq - 11}`));
      assert.equal(entries.every(({ signature }) => signature === "valid"), true);
      if (cut.count < 5) assert.equal(cut.hash, undefined);
    }
  }
});

test("batch cut twice is the same as cut once", () => {
  assert.deepEqual(cutBatch(cutBatch(whole, 11, 16), 12, 15), cutBatch(whole, 12, 15));
});

test("batch without a signature is cut without hashes", () => {
  const { sig: _, key: __, ...claimed } = whole;
  const cut = cutBatch({ ...claimed, author: "~alice" }, 11, 13);
  assert.equal(cut.part, undefined);
  assert.equal(checkSignature(GROUP, cut), "unsigned");
});

test("batch of a user with a key is invalid when signature or messages are left out", () => {
  const { sig: _, ...unsigned } = whole;
  const { key: __, ...keyless } = whole;
  const { messages: ___, ...empty } = whole;
  for (const batch of [unsigned, keyless, empty, { ...whole, messages: [] }]) {
    assert.equal(checkSignature(GROUP, batch), "invalid");
  }
});

test("batch of what its author signed is valid, through JSON too", () => {
  assert.equal(checkSignature(GROUP, whole), "valid");
  assert.equal(checkSignature(GROUP, JSON.parse(encodeBatch(whole))), "valid");
});

test("batch with anything of the signed list altered is invalid", () => {
  const other = fixedKey(100);
  const forged: Record<string, Batch> = {
    text: { ...whole, messages: messages.with(2, [messages[2][0], "TEXT 2"]) },
    mid: { ...whole, messages: messages.with(2, [midAt(NOW, 99), messages[2][1]]) },
    order: { ...whole, messages: messages.toReversed() },
    fewer: { ...whole, count: 4, messages: messages.slice(1) },
    more: { ...whole, count: 6, messages: [...messages, [midAt(NOW, 9), "more"]] },
    author: { ...whole, author: userId(other.publicKey) },
    key: { ...whole, key: other.publicKey },
    sig: { ...whole, sig: other.sign("x") },
    "sig shape": { ...whole, sig: "AAAA" },
  };
  for (const [what, batch] of Object.entries(forged)) {
    assert.equal(checkSignature(GROUP, batch), "invalid", what);
  }
  assert.equal(checkSignature("another group", whole), "invalid");
});

test("batch signed by another key than the one its author's id is made of is invalid", () => {
  const other = fixedKey(100);
  const sig = other.sign(signedText(GROUP, author, messages.map(messageHash)));
  assert.equal(checkSignature(GROUP, { ...whole, key: other.publicKey, sig }), "invalid");
});

test("batch part with a forged offset, hash or text is invalid", () => {
  const part = cutBatch(whole, 12, 15);
  const { offset, hashes } = part.part!;
  assert.deepEqual([offset, hashes.length], [2, 5]);
  const forged: Record<string, Batch> = {
    "offset below": { ...part, part: { offset: 1, hashes } },
    "offset above": { ...part, part: { offset: 4, hashes } },
    "offset negative": { ...part, part: { offset: -1, hashes } },
    hash: { ...part, part: { offset, hashes: hashes.with(0, hashes[1]) } },
    "hash of the text": {
      ...part,
      messages: part.messages!.with(0, [part.messages![0][0], "forged"]),
      part: { offset, hashes: hashes.with(2, messageHash([part.messages![0][0], "forged"])) },
    },
    text: { ...part, messages: part.messages!.with(0, [part.messages![0][0], "forged"]) },
  };
  for (const [what, batch] of Object.entries(forged)) {
    assert.equal(checkSignature(GROUP, batch), "invalid", what);
  }
});

test("batch of another kind is one entry with its body", () => {
  const join: Batch = {
    first: 2,
    count: 1,
    at: NOW,
    kind: "join",
    author,
    name: "a",
    body: { role: "member" },
  };
  assert.equal(checkSignature(GROUP, join), "none");
  assert.deepEqual(entriesOf(join, "none", "Lab", "e"), [
    {
      group: "Lab",
      epoch: "e",
      seq: 2,
      at: NOW,
      kind: "join",
      author,
      name: "a",
      body: { role: "member" },
      signature: "none",
    },
  ]);
});

test("an entry of a later version is of the kind other, and says its own", () => {
  const later = { first: 2, count: 1, at: NOW, kind: "pinned", author, name: "a" } as unknown;
  const [entry] = entriesOf(later as Batch, "none", "Lab", "e");
  assert.ok(entry.kind === "other");
  assert.deepEqual([entry.what, entry.body], ["pinned", {}]);
});

test("a line feed in a text does not make it another message's hash", () => {
  assert.notEqual(
    messageHash(["a", "b\nc"]),
    messageHash(["a\nb", "c"].reverse() as [string, string]),
  );
  assert.notEqual(messageHash([midAt(NOW), ""]), messageHash([midAt(NOW), "\n"]));
});
