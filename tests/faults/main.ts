/**
 * `deno task faults [NAME …] [--full] [--minutes N] [--members N] [--seed N] [--shared]`: what
 * zgroup survives, by numbers.
 *
 * Each fault is a program of its own, with a limit in time. It prints what it did and found, and
 * ends with 1 when an invariant was violated. With `--shared`, for a machine that others use, too,
 * bounds in time and memory are told and not judged.
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** Faults by name: limits of the small and of the full size, in minutes. */
const FAULTS: Readonly<Record<string, readonly [small: number, full: number]>> = {
  kill_group: [2, 60],
  kill_user: [2, 60],
  kill_registry: [2, 15],
  power_loss: [2, 30],
  torn_bytes: [2, 30],
  group_files: [3, 60],
  disk_full: [2, 5],
  failing_fsync: [1, 10],
  clock_jumps: [1, 5],
  slow_members: [2, 15],
  partition: [2, 30],
  malformed: [2, 20],
  two_groups: [1, 2],
  five_programs: [2, 15],
  user_files: [2, 20],
  upgrade: [1, 2],
  backup: [2, 10],
  soak: [2, 90],
  identity: [1, 2],
  strangers: [1, 5],
  crowd: [3, 40],
};

/** Runs one fault program; true when it ended with 0 within its time. */
async function run(name: string, args: readonly string[], minutes: number): Promise<boolean> {
  const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A"] : [];
  const begin = performance.now();
  const child = spawn(process.execPath, [...runtime, file, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGTERM");
    hard = setTimeout(() => child.kill("SIGKILL"), 5_000);
  }, minutes * 60_000);
  let hard: ReturnType<typeof setTimeout> | undefined;
  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on("line", (line) => console.log(`${name}: ${line}`));
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearTimeout(timer);
  clearTimeout(hard);
  const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
  const verdict = late ? `FAILED: not done in ${minutes} min` : code === 0 ? "ok" : "FAILED";
  console.log(`${name}: ${verdict} (${seconds} s)`);
  return code === 0 && !late;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: "boolean", default: false },
    minutes: { type: "string" },
    members: { type: "string" },
    seed: { type: "string" },
    shared: { type: "boolean", default: false },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(FAULTS);
const unknown = names.filter((name) => !Object.hasOwn(FAULTS, name));
if (unknown.length > 0) {
  console.error(`No fault ${unknown.join(", ")}: there are ${Object.keys(FAULTS).join(", ")}`);
  process.exit(2);
}
const args = [
  ...(values.full ? ["--full"] : []),
  ...(values.minutes ? ["--minutes", values.minutes] : []),
  ...(values.members ? ["--members", values.members] : []),
  ...(values.shared ? ["--shared"] : []),
  ...(values.seed ? ["--seed", values.seed] : []),
];
let failed = 0;
for (const name of names) {
  const limit = FAULTS[name][values.full || values.members ? 1 : 0] + Number(values.minutes ?? 0);
  if (!await run(name, args, limit)) failed++;
}
console.log(`${names.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
