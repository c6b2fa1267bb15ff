import assert from "node:assert/strict";
import { test } from "node:test";
import { Limits, ratesFor } from "../../lib/group/limits.ts";
import { Bucket, Buckets } from "../../lib/structures/buckets.ts";

test("a bucket says how long to wait for what it does not hold, and gives no more than its burst", () => {
  const bucket = new Bucket(10, 0, 3);
  assert.equal(bucket.wait(30, 0), 0);
  bucket.take(30, 0);
  assert.equal(bucket.wait(1, 0), 100);
  assert.equal(bucket.wait(30, 0), 3_000);
  assert.equal(bucket.wait(1_000, 0), 3_000, "more than the burst waits for the burst");
  assert.equal(bucket.wait(1, 100), 0);
  assert.equal(bucket.wait(30, 1e9), 0);
});

test("buckets take all of what is asked or nothing", () => {
  const buckets = new Buckets(10, 20);
  assert.equal(buckets.take("a", 15, 0), 0);
  assert.equal(buckets.take("a", 6, 0), 100);
  assert.equal(buckets.take("a", 5, 0), 0);
  assert.equal(buckets.take("a", 1, 0), 100);
  assert.equal(buckets.take("b", 500, 0), 0, "a burst is as much as there is");
  assert.equal(buckets.take("b", 1, 0), 100);
});

test("buckets let what was charged be paid back before more is taken", () => {
  const buckets = new Buckets(50, 100);
  assert.equal(buckets.take("a", 0, 0), 0);
  buckets.charge("a", 150, 0);
  assert.equal(buckets.take("a", 0, 0), 1_000);
  assert.equal(buckets.take("a", 0, 999), 1);
  assert.equal(buckets.take("a", 0, 1_000), 0);
  assert.equal(buckets.take("b", 0, 0), 0, "each its own");
});

test("buckets that are forgotten are full again, and those without a limit never wait", () => {
  const buckets = new Buckets(1, 2);
  assert.equal(buckets.take("a", 2, 0), 0);
  assert.equal(buckets.take("a", 1, 0), 1_000);
  buckets.forget("a");
  assert.equal(buckets.take("a", 2, 0), 0);
  const free = new Buckets(Infinity, Infinity);
  free.charge("a", 1e9, 0);
  for (let i = 0; i < 1_000; i++) assert.equal(free.take("a", 1e9, 0), 0);
});

test("limits: looking up a user's ids may take a twentieth of the time, and delays nobody else", () => {
  const limits = new Limits();
  limits.lookUp("a", 0);
  limits.lookedUp("a", 100, 0);
  limits.lookUp("a", 0);
  limits.lookedUp("a", 1, 0);
  assert.throws(() => limits.lookUp("a", 0), { code: "rate_limited", retryAfter: 20 });
  limits.lookUp("b", 0);
  limits.lookUp("a", 20);
  const free = new Limits(ratesFor(Infinity));
  free.lookedUp("a", 1e6, 0);
  free.lookUp("a", 0);
});
