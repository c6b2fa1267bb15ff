/**
 * `deno run -A tests/faults/mutations.ts [FAULT …] [--seed N]`: whether the fault programs can fail.
 *
 * Each row is a defect that somebody might put into zgroup. It is made in a copy of the project, and
 * the fault program must end with a violation there. Bounds in time and memory are not judged, so
 * that no defect is found by a slow machine alone. Ends with 1 when a defect was not caught, with 2
 * when the table went stale.
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { Mutant, ROOT, staleness } from "./support/mutant.ts";
import { MUTATIONS } from "./support/mutations.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: "1" } },
});
const chosen = MUTATIONS.filter(({ fault, what }) =>
  positionals.length === 0 || positionals.some((name) => name === fault || name === what)
);
if (chosen.length === 0) {
  console.error(`No mutation for ${positionals.join(", ")}`);
  process.exit(2);
}
const stale = MUTATIONS.map((one) => staleness(ROOT, one)).filter((problem) =>
  problem !== undefined
);
if (stale.length > 0) {
  console.error(`The table went stale:\n${stale.join("\n")}`);
  process.exit(2);
}
const mutant = new Mutant();
process.on("exit", () => mutant.close());
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
let missed = 0;
try {
  for (const mutation of chosen) {
    const { fault, what } = mutation;
    const { violation, end } = await mutant.run(mutation, ["--shared", "--seed", values.seed]);
    if (violation) console.log(`${fault}: caught: ${what} (${violation})`);
    else console.log(`${fault}: NOT CAUGHT: ${what} (${end})`);
    if (!violation) missed++;
  }
} catch (error) {
  console.error((error as Error).message);
  process.exit(2);
}
console.log(`${chosen.length - missed} caught, ${missed} not caught`);
process.exit(missed > 0 ? 1 : 0);
