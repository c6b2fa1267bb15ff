import assert from "node:assert/strict";
import { test } from "node:test";
import { Bucket, Buckets } from "../../lib/structures/buckets.ts";
import { type Entry, Recency } from "../../lib/structures/recency.ts";
import { SortedList } from "../../lib/structures/sorted.ts";
import { randomFrom } from "./fixtures.ts";

test("a bucket loses nothing when the date goes back, and gains nothing", () => {
  const bucket = new Bucket(10, 1_000, 1);
  bucket.take(5, 1_000);
  assert.equal(bucket.wait(5, 0), 0);
  assert.equal(bucket.wait(6, 0), 100);
  assert.equal(bucket.wait(6, 100), 0);
});

test("a bucket is owed to, and says for how long", () => {
  const bucket = new Bucket(10, 0, 1);
  bucket.take(15, 0);
  assert.ok(bucket.empty(499));
  assert.ok(!bucket.empty(500));
  assert.equal(bucket.wait(1, 500), 100);
  assert.equal(bucket.wait(1_000, 500), 1_000, "the burst is the most that there can be");
});

test("buckets let one large thing through when they are full, and take a burst for it", () => {
  const buckets = new Buckets(10, 10);
  assert.equal(buckets.take("a", 1_000, 0), 0);
  assert.equal(buckets.take("a", 1_000, 0), 1_000);
  assert.equal(buckets.take("a", 10, 1_000), 0);
});

test("buckets forget who was seen longest ago, not who came first", () => {
  const buckets = new Buckets(10, 10, 2);
  for (const who of ["a", "b"]) assert.equal(buckets.take(who, 10, 0), 0);
  assert.ok(buckets.take("a", 1, 0) > 0);
  assert.equal(buckets.take("c", 10, 0), 0);
  assert.ok(buckets.take("a", 1, 0) > 0, "it was seen after b");
  assert.equal(buckets.take("b", 10, 0), 0);
});

test("a list by recency is in the order of touches, whatever was taken out", () => {
  const random = randomFrom(7);
  const below = (end: number) => Math.floor(random() * end);
  const list = new Recency<number>();
  let model: Entry<number>[] = [];
  for (let n = 0; n < 5_000; n++) {
    const entry = model[below(model.length)];
    const what = below(3);
    if (!entry || what === 0 && model.length < 20) model.push(list.add(n));
    else {
      model = model.filter((one) => one !== entry);
      if (what === 1) list.delete(entry);
      else {
        list.touch(entry);
        model.push(entry);
      }
    }
    assert.equal(list.oldest, model[0]?.value);
    assert.equal(list.newest, model.at(-1)?.value);
  }
  for (const { value } of [...model]) {
    assert.equal(list.oldest, value);
    list.delete(model.shift()!);
  }
  assert.equal(list.newest, undefined);
});

test("a sorted list is what a sorted array is, over many runs", () => {
  const random = randomFrom(11);
  const below = (end: number) => Math.floor(random() * end);
  const list = new SortedList();
  const model = new Set<string>();
  for (let n = 0; n < 20_000; n++) {
    const text = `n${below(3_000)}`;
    // Grows over several runs first, and is emptied again.
    if (below(10) < (n < 10_000 ? 7 : 2)) {
      list.add(text);
      model.add(text);
    } else {
      list.delete(text);
      model.delete(text);
    }
    if (n % 500 !== 0) continue;
    const sorted = [...model].sort();
    assert.equal(list.size, sorted.length);
    assert.deepEqual([...list.after("")], sorted);
    const from = `n${below(3_000)}`;
    assert.deepEqual(list.page(from, 50), sorted.filter((one) => one > from).slice(0, 50));
    const begun = sorted.filter((one) => one.startsWith("n12") && one > from);
    assert.deepEqual([...list.after(from, "n12")], begun);
  }
});
