/**
 * Runs all tests on Deno: `deno run -A scripts/test_deno.ts [--again] [--no-check] [--report FILE]`.
 * With --again files with a test that failed run once more by themselves, and what passes then is
 * named as flaky; --no-check leaves out the types, where `deno task check` has looked at them.
 */

import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { denoTests } from "./deno_tests.ts";
import { keepVerdict, linesOf } from "./verdict.ts";

const { values } = parseArgs({
  options: {
    again: { type: "boolean", default: false },
    "no-check": { type: "boolean", default: false },
    report: { type: "string" },
  },
});
const cwd = fileURLToPath(new URL("../", import.meta.url));
const args = values["no-check"] ? ["--no-check"] : [];
const verdict = await denoTests({ cwd, args, again: values.again, show: true });
for (const line of linesOf(verdict)) console.log(line);
keepVerdict(values.report, verdict);
if (verdict.failed.length > 0) process.exitCode = 1;
