/** What a program under test does when it is told something on standard input. */

import { writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";

/**
 * Answers words with themselves and what `answers` gives, `memory` with the MB in use after all
 * garbage is gone, of the process and of the heap alone; V8 keeps what its heap once took, and the
 * allocator below it gives back when it likes. The end: the process ends, because nobody is left who
 * waits for it.
 */
export function obeyInput(answers: Readonly<Record<string, () => unknown>> = {}): void {
  const all: Record<string, () => unknown> = { memory, ...answers };
  const input = createInterface({ input: process.stdin });
  input.on("line", (word) => {
    if (Object.hasOwn(all, word)) writeSync(1, `${word} ${all[word]()}\n`);
  });
  input.on("close", () => process.exit(1));
}

function memory(): string {
  const collect = (globalThis as { gc?: () => void }).gc;
  collect?.();
  collect?.();
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  return [rss - heapTotal + heapUsed, heapUsed + external].map((n) => n / 1_048_576).join(" ");
}
