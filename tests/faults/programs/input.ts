/** What a program under test does when it is told something on standard input. */

import { writeSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";

/**
 * `memory`: prints `memory MB`, what is in use after all garbage is gone; V8 keeps what its heap
 * once took. The end: the process ends, because nobody is left who waits for it.
 */
export function obeyInput(): void {
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    if (line !== "memory") return;
    const collect = (globalThis as { gc?: () => void }).gc;
    collect?.();
    collect?.();
    const { rss, heapTotal, heapUsed } = process.memoryUsage();
    writeSync(1, `memory ${(rss - heapTotal + heapUsed) / 1_048_576}\n`);
  });
  input.on("close", () => process.exit(1));
}
