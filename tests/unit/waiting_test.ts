import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, pause } from "../../lib/transport/waiting.ts";

test("backoff doubles from its first to its most and stays there", () => {
  const full = Array.from({ length: 8 }, (_, attempt) => backoff(attempt, 250, 10_000, () => 1));
  assert.deepEqual(full, [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  for (const attempt of [100, 1e9, Infinity]) {
    assert.equal(backoff(attempt, 250, 10_000, () => 1), 10_000);
  }
});

test("backoff is never less than half of it", () => {
  const half = Array.from({ length: 7 }, (_, attempt) => backoff(attempt, 250, 10_000, () => 0));
  assert.deepEqual(half, [125, 250, 500, 1_000, 2_000, 4_000, 5_000]);
  for (let i = 0; i < 1_000; i++) {
    const wait = backoff(0, 250, 10_000);
    assert.ok(wait >= 125 && wait <= 250, String(wait));
  }
});

test("a pause ends at once when its signal is or gets aborted", async () => {
  const stop = new AbortController();
  const waiting = pause(60_000, stop.signal);
  stop.abort();
  await waiting;
  await pause(60_000, stop.signal);
});
