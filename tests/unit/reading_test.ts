import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeMessages002 } from "../../lib/dialects/seed002.ts";
import { readAll, readPage, type ReadRequest } from "../../lib/group/reading.ts";
import { memoryLog } from "../../lib/log/memory.ts";
import type { Log } from "../../lib/log/log.ts";
import { type Batch, encodeBatch, entriesOf } from "../../lib/protocol/batch.ts";
import { MAX_FRAME } from "../../lib/protocol/limits.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { midAt, NOW, randomFrom } from "./fixtures.ts";

const AUTHOR = "~claimed";

/** A log of batches with the given texts, one ms apart. */
async function logOf(lists: readonly (readonly string[])[]): Promise<{ log: Log; head: number }> {
  const log = memoryLog();
  await log.open();
  let first = 1;
  for (const [i, texts] of lists.entries()) {
    const at = NOW + i;
    const messages = texts.map((text, n): Message => [midAt(at, n), text]);
    const batch: Batch = {
      first,
      count: texts.length,
      at,
      kind: "message",
      author: AUTHOR,
      name: "claimed",
      messages,
    };
    const mids = messages.map(([mid]) => mid);
    await log.append(first - 1, {
      batches: [{ first, count: texts.length, at, author: AUTHOR, mids, json: encodeBatch(batch) }],
    });
    first += texts.length;
  }
  return { log, head: first - 1 };
}

interface Page {
  readonly more: boolean;
  readonly batches: Batch[];
}

function reader({ log, head }: { log: Log; head: number }) {
  return (request: Partial<ReadRequest>): Promise<string> =>
    readPage(log, { limit: 1_000, last: false, ...request }, { epoch: "e", head });
}

function seqs({ batches }: Page): number[] {
  return batches.flatMap((batch) => entriesOf(batch, "none", "Lab", "e").map(({ seq }) => seq));
}

const SIZES = [1, 5, 2, 1, 7, 3];
const LISTS = SIZES.map((n, i) => Array.from({ length: n }, (_, k) => `${i}.${k}`));
const HEAD = 19;

test("read gives exactly the seqs of its range, wherever it cuts a batch", async () => {
  const read = reader(await logOf(LISTS));
  for (let after = 0; after <= HEAD; after++) {
    for (let before = after + 1; before <= HEAD + 2; before++) {
      const page: Page = JSON.parse(await read({ after, before }));
      const wanted = Array.from({ length: HEAD }, (_, i) => i + 1)
        .filter((seq) => seq > after && seq < before);
      assert.deepEqual(seqs(page), wanted, `after ${after}, before ${before}`);
      assert.equal(page.more, false);
    }
  }
});

test("a full page of read that others follow ends with a whole batch; the newest are cut", async () => {
  const read = reader(await logOf(Array.from({ length: 5 }, () => Array(256).fill("x"))));
  const sizes: number[] = [];
  for (let after = 0, more = true; more;) {
    const page: Page = JSON.parse(await read({ after }));
    assert.ok(page.batches.every(({ part }) => part === undefined));
    sizes.push(seqs(page).length);
    after = seqs(page).at(-1)!;
    more = page.more;
  }
  assert.deepEqual(sizes, [768, 512]);
  assert.equal(seqs(JSON.parse(await read({ last: true }))).length, 1_000);
  assert.equal(seqs(JSON.parse(await read({ limit: 999 }))).length, 999);
});

test("read pages forward and backward give each entry once, for any limit", async () => {
  const read = reader(await logOf(LISTS));
  const all = Array.from({ length: HEAD }, (_, i) => i + 1);
  for (let limit = 1; limit <= HEAD + 1; limit++) {
    const forward: number[] = [];
    for (let more = true; more;) {
      const page: Page = JSON.parse(await read({ limit, after: forward.at(-1) ?? 0 }));
      assert.equal(seqs(page).length, Math.min(limit, HEAD - forward.length));
      forward.push(...seqs(page));
      more = page.more;
    }
    assert.deepEqual(forward, all, `forward by ${limit}`);
    const backward: number[] = [];
    for (let more = true; more;) {
      const before = backward.length > 0 ? { before: backward[0] } : {};
      const page: Page = JSON.parse(await read({ limit, last: true, ...before }));
      assert.equal(seqs(page).length, Math.min(limit, HEAD - backward.length));
      backward.unshift(...seqs(page));
      more = page.more;
    }
    assert.deepEqual(backward, all, `backward by ${limit}`);
  }
});

test("read since and until are inclusive", async () => {
  const read = reader(await logOf(LISTS));
  assert.deepEqual(seqs(JSON.parse(await read({ since: NOW + 4 }))), [
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
  ]);
  assert.deepEqual(seqs(JSON.parse(await read({ until: NOW }))), [1]);
  assert.deepEqual(seqs(JSON.parse(await read({ since: NOW + 3, until: NOW + 3 }))), [9]);
  assert.deepEqual(seqs(JSON.parse(await read({ since: NOW + 6 }))), []);
});

test("read of an empty log says so", async () => {
  const page = JSON.parse(await reader(await logOf([]))({}));
  assert.deepEqual(page, { epoch: "e", head: 0, tail: 1, more: false, batches: [] });
});

test("read replies fit into one frame, whatever letters the texts have", async () => {
  const lists = Array.from({ length: 40 }, () => ["漢".repeat(21_845)]);
  const read = reader(await logOf(lists));
  const found: number[] = [];
  for (let more = true; more;) {
    const text = await read({ after: found.at(-1) ?? 0 });
    assert.ok(new TextEncoder().encode(text).length < MAX_FRAME - 1_000);
    const page: Page = JSON.parse(text);
    found.push(...seqs(page));
    more = page.more;
  }
  assert.equal(found.length, 40);
});

test("a reader without paging gets the newest that fit into one frame, in order", async () => {
  for (const letter of ["a", "é", "漢", "\u0001", '"']) {
    const bytes = new TextEncoder().encode(letter).length;
    const text = letter.repeat(Math.floor(65_000 / bytes));
    const read = reader(await logOf(Array.from({ length: 30 }, (_, i) => [`${i} ${text}`])));
    const page = (before?: number) => read({ last: true, ...(before ? { before } : {}) });
    const list = await readAll(page, (message) => encodeMessages002([message]).length);
    const reply = encodeMessages002(list);
    assert.ok(reply.length < MAX_FRAME, `${letter}: ${reply.length}`);
    assert.ok(reply.length > MAX_FRAME - 500_000, `${letter}: ${reply.length}`);
    assert.deepEqual(
      list.map(({ text }) => parseInt(text)),
      Array.from({ length: list.length }, (_, i) => 30 - list.length + i),
    );
  }
});

test("a reader without paging gets everything since a moment, over many pages", async () => {
  const random = randomFrom(3);
  const lists = Array.from(
    { length: 50 },
    (_, i) => Array.from({ length: 1 + Math.floor(random() * 100) }, (_, k) => `${i}.${k}`),
  );
  const read = reader(await logOf(lists));
  const page = (before?: number) =>
    read({ since: NOW + 5, last: true, ...(before ? { before } : {}) });
  const list = await readAll(page, () => 1);
  assert.deepEqual(list.map(({ text }) => text), lists.slice(5).flat());
});
