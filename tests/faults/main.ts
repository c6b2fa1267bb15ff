/**
 * `deno task faults [NAME …] [--full] [--minutes N] [--members N] [--seed N] [--shared]
 * [--again] [--report FILE]`: what zgroup survives, by numbers.
 *
 * Each fault is a program of its own, with a limit in time. It prints what it did and found, and
 * ends with 1 when an invariant was violated. With `--shared`, for a machine that others use, too,
 * bounds in time and memory are told and not judged, and two run at once. What a machine cannot show
 * is named as skipped and counts as nothing. With `--again` what failed runs once more; if it passes,
 * it is named as flaky.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { keepVerdict, linesOf } from "../../scripts/verdict.ts";
import { runFaults } from "./support/run.ts";

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
  postgres_log: [3, 60],
  servers: [5, 120],
  servers_cut: [5, 60],
  servers_clocks: [6, 60],
  database: [6, 180],
  database_full: [4, 20],
  operate: [10, 15],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: "boolean", default: false },
    minutes: { type: "string" },
    members: { type: "string" },
    seed: { type: "string" },
    shared: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    report: { type: "string" },
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
const full = values.full || values.members !== undefined;
const verdict = await runFaults(
  names.map((name) => ({
    name,
    file: new URL(`${name}.ts`, import.meta.url),
    minutes: FAULTS[name][full ? 1 : 0] + Number(values.minutes ?? 0),
  })),
  args,
  // Most of the time a program waits; where bounds in time count it is alone.
  { again: values.again, atOnce: values.shared ? 2 : 1 },
);
for (const line of linesOf(verdict)) console.log(line);
keepVerdict(values.report, verdict);
process.exit(verdict.failed.length > 0 ? 1 : 0);
