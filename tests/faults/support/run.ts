/** Runs fault programs, each in a process of its own and bounded in time. */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Outcome, runEach, type Verdict } from "../../../scripts/verdict.ts";
import { SKIPPED } from "./fault.ts";

/** A program, and how long it may take. */
export interface FaultProgram {
  readonly name: string;
  readonly file: URL;
  readonly minutes: number;
}

/** Runs so many at once; with `again` those that failed once more, alone. */
export function runFaults(
  programs: readonly FaultProgram[],
  args: readonly string[],
  options: { readonly again: boolean; readonly atOnce: number },
): Promise<Verdict> {
  const byName = new Map(programs.map((program) => [program.name, program]));
  return runEach([...byName.keys()], (name) => run(byName.get(name)!, args), options);
}

/** Runs one fault program; it passes when it ends with 0 within its time. */
async function run(
  { name, file, minutes }: FaultProgram,
  args: readonly string[],
): Promise<Outcome> {
  const runtime = "Deno" in globalThis ? ["run", "-A"] : [];
  const begin = performance.now();
  const child = spawn(process.execPath, [...runtime, fileURLToPath(file), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
  let late = false;
  let hard: ReturnType<typeof setTimeout> | undefined;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGTERM");
    hard = setTimeout(() => child.kill("SIGKILL"), 5_000);
  }, minutes * 60_000);
  let skipped = "";
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on("line", (line) => {
      console.log(`${name}: ${line}`);
      const [, what] = /^skipped: (.*)/.exec(line) ?? [];
      if (what !== undefined) skipped = what;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  clearTimeout(hard);
  const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
  const [outcome, said] = ((): [Outcome, string] => {
    if (late) return ["failed", `FAILED: not done in ${minutes} min`];
    if (code === 0) return ["passed", "ok"];
    return code === SKIPPED ? [{ skipped }, "skipped"] : ["failed", "FAILED"];
  })();
  console.log(`${name}: ${said} (${seconds} s)`);
  return outcome;
}
