/** Programs under test, each in a process of its own: of the faults, and zgroup's own. */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { Process, type ProcessOptions } from "../../support/process.ts";

/** Where a command line is run: the one that runs it there. */
export type Inside = (command: readonly string[]) => readonly string[];

/** One program, with words that it obeys. */
export class Child extends Process {
  /**
   * @param file below `tests/faults/`, or an absolute path
   * @param inside default: here
   */
  constructor(
    file: string,
    args: readonly string[],
    options?: ProcessOptions,
    inside: Inside = (command) => command,
  ) {
    const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
    const run = "Deno" in globalThis ? ["run", "-A", "--v8-flags=--expose-gc"] : ["--expose-gc"];
    super(inside([process.execPath, ...run, path, ...args]), options);
  }

  /**
   * What it answers to a word, behind the same word. For `programs/` that obey their input.
   *
   * @param pass gets the lines that are no answer
   */
  async ask(word: string, pass: (line: string) => void = () => {}): Promise<string> {
    this.write(`${word}\n`);
    for (;;) {
      const line = await this.line();
      if (line.startsWith(`${word} `)) return line.slice(word.length + 1);
      pass(line);
    }
  }

  /** What it uses after all garbage is gone, and its heap alone, MB. */
  async memory(): Promise<{ readonly all: number; readonly heap: number }> {
    const [all, heap] = (await this.ask("memory")).split(" ").map(Number);
    return { all, heap };
  }
}

/** Runs `group.ts`, `user.ts` or `registry.ts` to its end, for at most a minute. */
export async function runProgram(
  file: string,
  ...args: string[]
): Promise<{ readonly code: number | null; readonly output: string }> {
  await using program = new Child(`../../${file}`, args);
  program.finish();
  const { code } = await program.end(60_000);
  return { code, output: program.output };
}
