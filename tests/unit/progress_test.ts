/** How far long work is, as people see it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "../../lib/cli/progress.ts";

/** What is written within a time that is set. */
function shown(isTTY: boolean, columns = 80) {
  const written: string[] = [];
  const clock = { now: 0 };
  const screen = { isTTY, columns, write: (text: string) => written.push(text) };
  return { written, clock, progress: new Progress(screen, () => clock.now) };
}

test("progress is a bar on a terminal, within its width, and gone at the end", () => {
  const { written, clock, progress } = shown(true);
  progress.tell(1, 4_000);
  assert.deepEqual(written, []);
  clock.now = 500;
  progress.tell(0, 0);
  clock.now = 550;
  progress.tell(1_000, 4_000);
  clock.now = 600;
  progress.tell(1_000, 4_000);
  clock.now = 700;
  progress.tell(4_001, 4_000);
  progress.close();
  progress.close();
  assert.deepEqual(written, [
    `\r\x1b[K[${".".repeat(30)}] waits for what was asked before`,
    `\r\x1b[K[${"#".repeat(8)}${".".repeat(22)}] 25 %  1,000 of 4,000 entries`,
    `\r\x1b[K[${"#".repeat(30)}] 100 %  4,001 of 4,000 entries`,
    "\r\x1b[K",
  ]);
  const narrow = shown(true, 20);
  narrow.clock.now = 500;
  narrow.progress.tell(1, 2);
  assert.equal(narrow.written[0].length, "\r\x1b[K".length + 17);
});

test("progress is a line now and then where there is no terminal, and none of short work", () => {
  const { written, clock, progress } = shown(false);
  for (clock.now = 0; clock.now < 25_000; clock.now += 1_000) progress.tell(clock.now, 50_000);
  progress.close();
  assert.deepEqual(written, [
    "20 %  10,000 of 50,000 entries\n",
    "40 %  20,000 of 50,000 entries\n",
  ]);
});

test("progress of which nobody knows the end says what it is asked to, without a bar", () => {
  for (const isTTY of [true, false]) {
    const { written, clock, progress } = shown(isTTY, 0);
    clock.now = 10_000;
    progress.tell(7, 0, () => "7 lines accepted");
    progress.close();
    assert.deepEqual(
      written,
      isTTY ? ["\r\x1b[K7 lines accepted", "\r\x1b[K"] : ["7 lines accepted\n"],
    );
  }
});
