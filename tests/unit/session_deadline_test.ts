import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadline } from "../../lib/session/deadline.ts";

/** When a deadline was over, ms after it was set; `begun` runs right after that. */
async function over(ms: number, begun: () => void = () => {}): Promise<number> {
  const began = performance.now();
  const ended = new Promise<number>((resolve) => {
    new Deadline(() => resolve(performance.now() - began), ms);
  });
  begun();
  return await ended;
}

/** As a program does that is busy, or whose machine is. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test("deadline: it is over after its time, in one step or many", async () => {
  for (const ms of [0, 30, 700]) {
    const took = await over(ms);
    assert.ok(took >= ms - 2 && took < ms + 500, `${took} ms of ${ms}`);
  }
});

test("deadline: time in which the program stood still is counted little", async () => {
  const took = await over(1_000, () => standStill(1_500));
  assert.ok(took >= 1_950, `${took} ms`);
  let read = false;
  await over(100, () => {
    standStill(300);
    // What came meanwhile is read in the next turns.
    setTimeout(() => setImmediate(() => setTimeout(() => read = true)));
  });
  assert.ok(read, "the deadline came before what had arrived");
});

test("deadline: what is cleared calls nothing, and a program that is always late waits not for ever", async () => {
  let called = 0;
  for (const ms of [0, 20]) new Deadline(() => called++, ms).clear();
  const holding = setInterval(() => standStill(120), 1);
  const took = await over(200);
  clearInterval(holding);
  assert.ok(took < 5_000, `${took} ms`);
  assert.equal(called, 0);
});
