import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "../../lib/cli/progress.ts";

/** Shows work of 20 s, a look every 10 ms; what was written. */
function shown(stream: { isTTY?: boolean; columns?: number }, share?: (ms: number) => number) {
  const written: string[] = [];
  let now = 0;
  const progress = new Progress({ ...stream, write: (text) => written.push(text) }, () => now);
  for (; now <= 20_000; now += 10) {
    progress.show({ done: now / 10, noun: "line", share: share?.(now) });
  }
  progress.end();
  return written;
}

test("progress is a line every five seconds where there is no terminal", () => {
  assert.deepEqual(shown({}), [
    "* 100 lines, 100 a second\n",
    "* 600 lines, 100 a second\n",
    "* 1,100 lines, 100 a second\n",
    "* 1,600 lines, 100 a second\n",
  ]);
});

test("progress is one line of a terminal that is drawn again, no wider than it, and taken away", () => {
  const written = shown({ isTTY: true, columns: 50 }, (ms) => ms / 20_000);
  assert.equal(written.length, 192, "nothing in the first second, then ten a second, then the end");
  assert.equal(
    written[90],
    "\r\x1b[K[############------------] 50 %, 1,000 lines, 100",
  );
  assert.equal(written.at(-1), "\r\x1b[K");
  for (const text of written) assert.ok(text.length <= 4 + 49, text);
});

test("progress of work that is done within a second shows nothing", () => {
  const written: string[] = [];
  let now = 0;
  const progress = new Progress({ isTTY: true, write: (text) => written.push(text) }, () => now);
  for (; now < 1_000; now += 10) progress.show({ done: now, noun: "line" });
  progress.end();
  assert.deepEqual(written, []);
});
