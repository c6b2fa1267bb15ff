/** Our test files on Node, each in a process of its own that must end by itself. */

import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Node } from "./node_app.ts";
import { type Ended, run } from "./run_command.ts";
import { noVerdict, type Verdict } from "./verdict.ts";

/** One test file, ms; one that leaves a socket open does not end and fails after this. */
const FILE_LIMIT = 60_000;
/** All files on one Node, ms; what has not been run by then fails. */
const ALL_LIMIT = 900_000;
const ROOT = fileURLToPath(new URL("../", import.meta.url));

interface Result extends Ended {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface RunOptions {
  /** Run files that failed once more, one after the other. */
  readonly again?: boolean;
  /** ms for one file. */
  readonly limit?: number;
}

/** Runs the files of an app's tests, and says how many passed. */
export async function runTests(
  app: string,
  node: Node,
  files: readonly string[],
  { again = false, limit = FILE_LIMIT }: RunOptions = {},
): Promise<Verdict> {
  const begin = performance.now();
  const waiting = [...files];
  const results: Result[] = [];
  const work = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const left = begin + ALL_LIMIT - performance.now();
      results.push(await runFile(app, node, file, Math.max(1, Math.min(limit, left))));
    }
  };
  // One more than there are cores: most of their time they wait.
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 3) + 1 }, work));

  const named = (file: string, test: string) => `${file} on Node ${node.version}: ${test}`;
  const sum = (what: "passed" | "failed" | "skipped") =>
    results.reduce((total, result) => total + result[what], 0);
  const seconds = ((performance.now() - begin) / 1_000).toFixed(0);
  console.log(
    `Node ${node.version}: ${sum("passed")} passed, ${sum("failed")} failed, ` +
      `${sum("skipped")} skipped in ${files.length} test files, ${seconds} s`,
  );
  const verdict = { ...noVerdict(), passed: sum("passed") };
  for (const { file, stdout } of results) {
    for (const [, what, why] of stdout.matchAll(/^\s*ok \d+ - (.*) # SKIP(.*)$/gm)) {
      verdict.skipped.push(`${named(file, what)}${why && `:${why}`}`);
    }
  }
  for (const result of results.filter(({ failed }) => failed > 0)) {
    console.error(report(result, node));
    const names = failures(result).map((test) => named(result.file, test));
    const second = again ? await runFile(app, node, result.file, limit) : result;
    if (again && second.failed > 0) console.error(report(second, node));
    if (second.failed === 0) {
      verdict.passed += result.failed;
      verdict.flaky.push(...names);
    } else verdict.failed.push(...names);
  }
  if (results.every(({ passed }) => passed === 0)) {
    verdict.failed.push(`Node ${node.version}: no test`);
  }
  return verdict;
}

/** The tests of a file that failed; the file where it failed as a whole. */
function failures({ stdout, late, code }: Result): string[] {
  const names = [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map(([, name]) => name);
  if (late) return ["did not end in its time"];
  return names.length > 0 ? names : [`ended with ${code}`];
}

async function runFile(app: string, node: Node, file: string, limit: number): Promise<Result> {
  const ended = await run([node.path, "--test-reporter=tap", file], {
    cwd: app,
    limit,
    env: {
      // Also for what a test starts. Below 22.18 types are taken off only when asked.
      NODE_OPTIONS: "--experimental-strip-types --disable-warning=ExperimentalWarning",
      ZGROUP_HOME: join(app, "home"),
      ZGROUP_TEST_DENO: process.execPath,
      ZGROUP_TEST_SOURCES: ROOT,
    },
  });
  const count = (what: string) =>
    Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(ended.stdout)?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  const good = ended.code === 0 && !ended.late && count("pass") + count("skipped") > 0;
  return {
    ...ended,
    file,
    passed: count("pass"),
    failed: good ? failed : Math.max(1, failed),
    skipped: count("skipped"),
  };
}

function report({ file, code, stdout, stderr, late }: Result, node: Node): string {
  const how = late ? "did not end in its time" : `exit code ${code}`;
  const failures = stdout.match(/^ *not ok [^]*?^ *\.\.\.$/gm) ?? [stdout.slice(-4_000)];
  const said = failures.join("\n").slice(0, 8_000);
  return `\n${file} on Node ${node.version}: ${how}\n${said}\n${stderr.slice(-4_000)}`;
}
