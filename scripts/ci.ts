/**
 * Everything that must hold: `.ci/run`. What `check` finds ends it; then all tests on Deno and Node,
 * the faults in their small size, a quick bench. What failed runs once more by itself: others use
 * this machine, and a test that waits in vain for a core is no defect. The last lines name what was
 * skipped, what needed its second run and what failed; the very last is `N passed, N failed`.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "./run_command.ts";
import { keptVerdict, linesOf, noVerdict, sum, type Verdict } from "./verdict.ts";

/** A program that keeps a verdict where `--report` says. */
export interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** ms. */
  readonly limit: number;
}

const MINUTE = 60_000;
const ROOT = fileURLToPath(new URL("../", import.meta.url));

function script(name: string, file: string, args: readonly string[], minutes: number): Step {
  const command = [process.execPath, "run", "-A", join(ROOT, file), "--again", ...args];
  return { name, command, limit: minutes * MINUTE };
}

const STEPS: readonly Step[] = [
  script("test:deno", "scripts/test_deno.ts", ["--no-check"], 70),
  script("test:node", "scripts/test_node.ts", [], 60),
  // Bounds in time and memory are told, not judged.
  script("faults", "tests/faults/main.ts", ["--shared"], 90),
  // Fails when a program breaks, never on a figure.
  script("bench", "bench/main.ts", ["--quick"], 30),
];

/** Runs the steps one after the other. One that keeps no verdict has failed, whatever it ends with. */
export async function runSteps(steps: readonly Step[], show: boolean): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "zgroup-ci-"));
  try {
    const verdicts: Verdict[] = [];
    for (const [i, { name, command, limit }] of steps.entries()) {
      const report = join(folder, `${i}.json`);
      const { code, late } = await run([...command, "--report", report], {
        cwd: ROOT,
        limit,
        show,
      });
      const named = (text: string) => `${name}: ${text}`;
      const how = late ? `not done in ${limit / 1_000} s` : `ended with ${code}`;
      const kept = keptVerdict(report);
      const { passed, failed, flaky, skipped } = kept ?? noVerdict();
      const broke = late || !kept || (code !== 0 && failed.length === 0);
      verdicts.push({
        passed,
        failed: [
          ...failed.map(named),
          ...(broke ? [named(kept ? how : `${how}, without a report`)] : []),
        ],
        flaky: flaky.map(named),
        skipped: skipped.map(named),
      });
    }
    return sum(verdicts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const check = [process.execPath, "task", "check"];
  const { code } = await run(check, { cwd: ROOT, limit: 10 * MINUTE, show: true });
  const verdict = code === 0
    ? await runSteps(STEPS, true)
    : { ...noVerdict(), failed: [`check: ended with ${code}`] };
  for (const line of linesOf(verdict)) console.log(line);
  return verdict.failed.length > 0 ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
