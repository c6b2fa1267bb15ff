import assert from "node:assert/strict";
import { test } from "node:test";
import { inSlices } from "../../lib/group/fanout.ts";

test("in slices: few are done before anything is waited for", () => {
  const done: number[] = [];
  void inSlices([1, 2, 3], (one) => done.push(one), () => 0);
  assert.deepEqual(done, [1, 2, 3]);
});

test("in slices: many are done in order, and others have their turn every few ms", async () => {
  let clock = 0;
  const all = Array.from({ length: 1_000 }, (_, i) => i);
  const done: number[] = [];
  const turns: number[] = [];
  let going = true;
  const turn = () => {
    turns.push(done.length);
    if (going) setImmediate(turn);
  };
  setImmediate(turn);
  await inSlices(all, (one) => {
    done.push(one);
    clock += 0.1;
  }, () => clock);
  going = false;
  assert.deepEqual(done, all);
  // 0.1 ms each: no stretch of more than 50 between two turns of the others.
  const stretches = [...turns, 1_000].map((at, i) => at - (turns[i - 1] ?? 0));
  assert.ok(Math.max(...stretches) <= 50, stretches.join(" "));
  assert.ok(turns.length >= 20, String(turns.length));
});
