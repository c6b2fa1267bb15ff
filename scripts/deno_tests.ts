/** Our test files on Deno: what `deno test` reports, and those that failed once more by themselves. */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { type Ended, run } from "./run_command.ts";
import { noVerdict, type Verdict } from "./verdict.ts";

interface DenoTests {
  /** Where `deno test` runs. */
  readonly cwd: string;
  /** Below it; default `tests`. */
  readonly folder?: string;
  /** Before the files. */
  readonly args?: readonly string[];
  /** Run what failed once more. */
  readonly again?: boolean;
  /** ms for all files, and as much for those that failed. */
  readonly limit?: number;
  /** Shows what `deno test` says while it says it. */
  readonly show?: boolean;
}

/** All files together, ms. On two quiet cores they take five minutes. */
const LIMIT = 1_800_000;
/** As many as the tests, which measure time and memory here and there, bear beside each other. */
const SHARDS = 2;

/** What one run of some files found, by the names of tests with their files. */
interface Found {
  readonly passed: ReadonlySet<string>;
  readonly failed: ReadonlySet<string>;
  readonly skipped: readonly string[];
  /** Files with a test that failed, and those that could not be run. */
  readonly bad: ReadonlySet<string>;
  /** What the run printed. */
  readonly said: string;
}

/**
 * Runs all test files, in two `deno test` side by side where there are cores for that: most of their
 * time they wait. A run without a report fails as a whole: the runner broke, or did not end in its
 * time.
 */
export async function denoTests(options: DenoTests): Promise<Verdict> {
  const { cwd, folder = "tests", again = false } = options;
  const files = readdirSync(join(cwd, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("_test.ts"))
    .map((path) => relative(cwd, join(cwd, folder, path)).replaceAll("\\", "/"))
    .sort();
  const first = await runShards(files, options);
  if (typeof first === "string") return { ...noVerdict(), failed: [first] };
  const verdict = { ...noVerdict(), passed: first.passed.size, skipped: [...first.skipped] };
  if (first.bad.size === 0) return verdict;
  if (!again) return { ...verdict, failed: [...first.failed] };
  const second = await runFiles([...first.bad], options);
  if (typeof second === "string") return { ...verdict, failed: [...first.failed, second] };
  return both(first, second);
}

/** Of two runs, the second of those files only of which something failed in the first. */
function both(first: Found, second: Found): Verdict {
  const verdict = { ...noVerdict(), skipped: [...first.skipped] };
  const passed = new Set([...first.passed, ...second.passed]);
  for (const name of new Set([...first.failed, ...second.failed])) {
    // One that passed once and failed once is flaky, in whichever order; a file passes by being run.
    const twice = first.failed.has(name) && second.failed.has(name);
    const other = first.failed.has(name) ? second : first;
    const ran = other.passed.has(name) || (name.endsWith("_test.ts") && !other.failed.has(name));
    if (!twice && ran) verdict.flaky.push(name);
    else {
      verdict.failed.push(name);
      passed.delete(name);
    }
  }
  return { ...verdict, passed: passed.size };
}

/** What these files came to, run side by side; a sentence where a runner broke. */
async function runShards(files: readonly string[], options: DenoTests): Promise<Found | string> {
  const count = Math.max(1, Math.min(availableParallelism(), SHARDS, files.length));
  const shards = await Promise.all(
    Array.from({ length: count }, (_, shard) => {
      const own = files.filter((_, i) => i % count === shard);
      return runFiles(own, { ...options, show: options.show === true && shard === 0 });
    }),
  );
  const all = { passed: new Set<string>(), failed: new Set<string>(), bad: new Set<string>() };
  const skipped: string[] = [];
  for (const [shard, found] of shards.entries()) {
    if (typeof found === "string") return found;
    if (options.show && shard > 0) process.stdout.write(found.said);
    for (const name of ["passed", "failed", "bad"] as const) {
      for (const one of found[name]) all[name].add(one);
    }
    skipped.push(...found.skipped);
  }
  return { ...all, skipped, said: "" };
}

/** What these files came to; a sentence where the runner broke. */
async function runFiles(
  files: readonly string[],
  { cwd, args = [], limit = LIMIT, show = false }: DenoTests,
): Promise<Found | string> {
  const folder = mkdtempSync(join(tmpdir(), "zgroup-junit-"));
  const report = join(folder, "junit.xml");
  try {
    const command = [process.execPath, "test", "-A", ...args, `--junit-path=${report}`, ...files];
    const ended = await run(command, { cwd, limit, show });
    if (ended.late) return `deno test: not done in ${limit / 1_000} s`;
    let xml: string;
    try {
      xml = readFileSync(report, "utf8");
    } catch {
      return `deno test: ended with ${ended.code} and without a report`;
    }
    const found = read(xml, files, ended);
    const silent = ended.code !== 0 && found.bad.size === 0;
    return silent ? `deno test: ended with ${ended.code}, and no test failed` : found;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Reads a report of `--junit-path`. It names the file in which `test` was called, which may be a
 * helper's, and none for a test of a `describe`: which files ran, and which failed, stands in what was
 * printed.
 */
function read(xml: string, files: readonly string[], { stdout, stderr }: Ended): Found {
  const [passed, failed, bad] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const skipped: string[] = [];
  const printed = stdout.split(/^running \d+ tests? from \.\/(\S+)$/m);
  const ran = printed.filter((_, i) => i % 2 === 1);
  let suite = "";
  for (const [, begun, name, self, body = ""] of xml.matchAll(PART)) {
    if (begun !== undefined) {
      suite = begun.startsWith("ext:") ? "describe" : plain(begun).replace(/^\.\//, "");
      continue;
    }
    const whole = `${suite}: ${plain(name)}`;
    if (self === "/" || !/<(failure|error|skipped)\b/.test(body)) passed.add(whole);
    else if (/<skipped\b/.test(body)) skipped.push(whole);
    else {
      failed.add(whole);
      const line = `${plain(name).split(" > ")[0]} ... FAILED`;
      ran.forEach((file, i) => printed[2 * i + 2].includes(line) && bad.add(file));
      if (files.includes(suite)) bad.add(suite);
    }
  }
  // One that could not be loaded did not run, or broke off.
  const broken = [...`${stdout}\n${stderr}`.matchAll(/^\.\/(\S+) \(uncaught error\)/gm)];
  const absent = files.filter((path) => !ran.includes(path));
  for (const path of new Set([...absent, ...broken.map(([, path]) => path)])) {
    failed.add(path);
    bad.add(path);
  }
  return { passed, failed, skipped, bad, said: `${stdout}${stderr}` };
}

/** The beginning of a suite, or a whole test. */
const PART =
  /<testsuite name="([^"]*)"|<testcase name="([^"]*)"[^>]*?(?:(\/)>|>([^]*?)<\/testcase>)/g;

function plain(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"')
    .replaceAll("&apos;", "'").replaceAll("&amp;", "&");
}
