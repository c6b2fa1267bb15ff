/** The log's pure parts: chain, pages, ids as bytes. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import {
  firstBad,
  hashText,
  holds,
  linkAfter,
  readable,
  seal,
  type SealedBatch,
  START,
} from "../../lib/log/chain.ts";
import type { StoredBatch } from "../../lib/log/log.ts";
import { midTime } from "../../lib/identity/ids.ts";
import { clusters, packMids, spanEnd, unpackMids } from "../../lib/log/mids.ts";
import { fillPage } from "../../lib/log/page.ts";

const MIDS = [
  "019a0000-0000-7000-8000-0000000000ff",
  "019a0000-0001-7abc-bfff-ffffffffffff",
  "019a0000-ea60-7000-8000-000000000000",
];

function messages(first: number, texts: readonly string[]): StoredBatch {
  const count = texts.length;
  const mids = MIDS.slice(0, count);
  const messages = texts.map((text, i) => [mids[i], text]);
  const json = JSON.stringify({ first, count, at: 5, kind: "message", author: "a", messages });
  return { first, count, at: 5, author: "a", mids, json };
}

const ONE = messages(1, ["eins", 'zw"ei\n', "drei é 😀"]);
const SEALED: SealedBatch = { ...ONE, ...seal(START, ONE) };
const JOIN: StoredBatch = {
  first: 4,
  count: 1,
  at: 6,
  author: "a",
  mids: [],
  json: '{"kind":"join"}',
};
const NEXT: SealedBatch = { ...JOIN, ...seal(linkAfter(SEALED), JOIN) };

test("chain hashes the previous hash and the JSON", () => {
  const first = createHash("sha256").update(new Uint8Array(32)).update(ONE.json).digest();
  assert.deepEqual(hashText(SEALED.hash), first.toString("base64url"));
  const second = createHash("sha256").update(first).update(JOIN.json).digest();
  assert.deepEqual(hashText(NEXT.hash), second.toString("base64url"));
});

test("chain runs one checksum through the entries of all batches", () => {
  let crc = 0;
  const wanted: number[] = [];
  for (const [i, text] of ["eins", 'zw"ei\n', "drei é 😀"].entries()) {
    wanted.push(crc = crc32(JSON.stringify([MIDS[i], text]), crc));
  }
  wanted.push(crc32(JOIN.json, crc));
  const view = [SEALED.crcs, NEXT.crcs].flatMap((bytes) =>
    Array.from(
      { length: bytes.length / 4 },
      (_, i) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(i * 4, true),
    )
  );
  assert.deepEqual(view, wanted);
  assert.deepEqual(linkAfter(NEXT), { seq: 4, at: 6, hash: NEXT.hash, crc: wanted[3] });
});

test("chain keeps its format", () => {
  // Frozen: a log that was written once must verify for ever.
  assert.equal(hashText(SEALED.hash), "9I2tQKCTCYU1hHgiU0uz324bvc7Tqz5r9R1sgqaya9Q");
  assert.equal(linkAfter(SEALED).crc, 1620932729);
});

test("chain holds for what was sealed, dropped content included", () => {
  const link = linkAfter(SEALED);
  for (const batch of [SEALED, { ...SEALED, json: null }]) {
    assert.equal(holds(START, batch), true);
    assert.equal(firstBad(START, batch), undefined);
  }
  assert.equal(holds(link, NEXT), true);
  assert.equal(firstBad(link, NEXT), undefined);
});

const DAMAGED: readonly (readonly [string, Partial<SealedBatch>, number])[] = [
  ["the first text", { json: ONE.json.replace("eins", "einz") }, 1],
  ["the second text", { json: ONE.json.replace("zw", "zv") }, 2],
  ["the last text", { json: ONE.json.replace("é", "è") }, 3],
  ["a mid", { json: ONE.json.replace("7abc", "7abd") }, 2],
  ["another field", { json: ONE.json.replace('"kind"', '"kinb"') }, 1],
  ["the JSON's form", { json: `${ONE.json} ` }, 1],
  ["a brace", { json: ONE.json.slice(1) }, 1],
  ["a lost message", { json: ONE.json.replace(',["019a0000-ea60', ' ["019a0000-ea60') }, 1],
  ["the hash", { hash: new Uint8Array(32) }, 1],
  ["a short hash", { hash: SEALED.hash.slice(1) }, 1],
  ["the checksums", { crcs: SEALED.crcs.map((byte, i) => i === 4 ? byte ^ 1 : byte) }, 2],
  ["missing checksums", { crcs: SEALED.crcs.slice(4) }, 1],
  ["the count", { count: 2 }, 1],
  ["no count", { count: 0, crcs: new Uint8Array() }, 1],
  ["the place", { first: 2 }, 1],
];

for (const [what, change, seq] of DAMAGED) {
  test(`chain names the first bad entry for damage to ${what}`, () => {
    const batch = { ...SEALED, ...change };
    assert.equal(firstBad(START, batch), seq);
    if (what !== "the checksums") assert.equal(holds(START, batch), false);
  });
}

test("chain notices a batch moved behind another", () => {
  assert.equal(firstBad(START, { ...NEXT, first: 1 }), 1);
  assert.equal(firstBad(linkAfter(NEXT), NEXT), 5);
  assert.equal(firstBad({ ...linkAfter(SEALED), at: 7 }, NEXT), 4);
  assert.equal(holds({ ...linkAfter(SEALED), hash: START.hash }, NEXT), false);
});

test("chain splices the hash in at the end", () => {
  const { json, ...rest } = readable(NEXT);
  assert.deepEqual(rest, { first: 4, count: 1, at: 6 });
  assert.equal(json, `{"kind":"join","hash":"${hashText(NEXT.hash)}"}`);
  assert.throws(() => readable({ ...NEXT, json: null }), RangeError);
});

test("mids become 16 bytes each, in their order, and come back", () => {
  assert.equal(packMids(MIDS).length, 48);
  assert.deepEqual(unpackMids(packMids(MIDS)), MIDS);
  assert.deepEqual(unpackMids(packMids([])), []);
  const inside = new Uint8Array([9, ...packMids(MIDS), 9]).subarray(1, 49);
  assert.deepEqual(unpackMids(inside), MIDS, "also as part of a larger buffer");
});

test("mids of one batch lie below the span's end", () => {
  assert.equal(midTime(MIDS[1]) - midTime(MIDS[0]), 1);
  assert.equal(spanEnd(MIDS[0]), "019a0000-ea60-ffff-ffff-ffffffffffff");
  assert.ok(MIDS[2] <= spanEnd(MIDS[0]));
  const beyond = "019a0000-ea61-7000-8000-000000000000";
  const unsorted = [beyond, MIDS[1], MIDS[0], MIDS[2]];
  assert.deepEqual(clusters(unsorted), [MIDS, [beyond]]);
  assert.deepEqual(clusters([]), []);
});

test("page skips batches without an entry in the range and stops its source", () => {
  let asked = 0;
  function* source() {
    for (const first of [1, 4, 7, 10]) {
      asked++;
      yield { first, count: 3, json: "{}" };
    }
  }
  const firsts = (range: Parameters<typeof fillPage>[1]) =>
    fillPage(source(), range).map(({ first }) => first);
  assert.deepEqual(firsts({ after: 3, limit: 4 }), [4, 7]);
  assert.equal(asked, 3);
  assert.deepEqual(firsts({ after: 4, before: 8, limit: 3 }), [4, 7]);
  assert.deepEqual(firsts({ bytes: 2 * 55 }), [1, 4]);
  assert.deepEqual(firsts({ bytes: 2 * 55 - 1 }), [1]);
  assert.deepEqual(firsts({ last: true }), [10, 7, 4, 1]);
});
