/**
 * Proves the npm package on Node: `deno task test:node [--again] [--report FILE]`.
 *
 * Builds it twice and compares, installs it into an empty folder, type-checks a strict consumer,
 * runs every program, and runs the tests that Deno runs against the installed package, on the
 * lowest Node that the package names, on 24 and on the newest. Exits 1 if anything failed. With
 * --again test files that failed run once more by themselves, and what passes then is named as flaky.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { buildNpm, LOWEST_NODE } from "./build_npm.ts";
import { addTests, fetchNode, installTestPackages, type Node, npmInstall } from "./node_app.ts";
import { checkGlobalInstall, checkPrograms } from "./node_programs.ts";
import { checkConsumer, checkTypes } from "./node_consumer.ts";
import { runTests } from "./node_tests.ts";
import { keepVerdict, linesOf, sum, type Verdict } from "./verdict.ts";

const NODES = [LOWEST_NODE, "24", "latest"];
/** What takes minutes of sockets, databases and machines, hardly other on the next Node: on one. */
const ON_ONE = new RegExp(
  "(contract|system)/\\w*(attack|hostile|flood|postgres|relay|servers|database|verdict|mixed|" +
    "neighbours|network|scale|moving|copies|log_transfer|transport_client)\\w*_test\\.ts$",
);

async function main(again: boolean): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), "zgroup-node-"));
  try {
    const archive = buildTwice(folder);
    const app = join(folder, "app");
    mkdirSync(app);
    const nodes: Node[] = [];
    for (const version of NODES) nodes.push(await fetchNode(version, folder));
    await npmInstall(app, nodes[0], [archive]);
    await installTestPackages(app, nodes[0]);
    const settings = await checkTypes(join(folder, "types"), nodes[0], archive);
    console.log(`types: a strict consumer compiles for ${settings.join(", ")}`);
    await checkGlobalInstall(join(folder, "global"), nodes[0], archive);
    const tests = addTests(app, join(folder, "types"));
    const verdicts: Verdict[] = [];
    for (const node of nodes) {
      await checkConsumer(app, node);
      await checkPrograms(app, node);
      verdicts.push(await runTests(app, node, testsFor(node, tests), { again }));
    }
    return sum(verdicts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function testsFor({ version }: Node, tests: readonly string[]): readonly string[] {
  return version.startsWith("24.") ? tests : tests.filter((file) => !ON_ONE.test(file));
}

/** Builds in two folders; the first archive. @throws {Error} they differ */
function buildTwice(folder: string): string {
  const [first, second] = ["first", "second"].map((name) => {
    mkdirSync(join(folder, name));
    return buildNpm(join(folder, name));
  });
  const bytes = readFileSync(first.path);
  if (!bytes.equals(readFileSync(second.path))) {
    throw new Error("Cannot ship the package: two builds of the same sources differ");
  }
  const size = Math.ceil(bytes.length / 1024);
  console.log(`package: ${first.files.length} files, ${size} KiB, two builds are the same`);
  return first.path;
}

const { values } = parseArgs({
  options: { again: { type: "boolean", default: false }, report: { type: "string" } },
});
const verdict = await main(values.again);
for (const line of linesOf(verdict)) console.log(line);
keepVerdict(values.report, verdict);
if (verdict.failed.length > 0) process.exitCode = 1;
