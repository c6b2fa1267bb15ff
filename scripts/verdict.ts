/** What several tests came to: named, so that nothing that failed once, or was skipped, counts as passed. */

import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** Names are whole: `tests/unit/ids_test.ts: ids are …`, `faults: disk_full`. */
export interface Verdict {
  passed: number;
  failed: string[];
  /** Failed, and passed when they ran once more by themselves. They count as passed. */
  flaky: string[];
  /** Not run, with the reason; they count as nothing. */
  skipped: string[];
}

export function noVerdict(): Verdict {
  return { passed: 0, failed: [], flaky: [], skipped: [] };
}

/** All of several. */
export function sum(verdicts: readonly Verdict[]): Verdict {
  return {
    passed: verdicts.reduce((total, { passed }) => total + passed, 0),
    failed: verdicts.flatMap(({ failed }) => failed),
    flaky: verdicts.flatMap(({ flaky }) => flaky),
    skipped: verdicts.flatMap(({ skipped }) => skipped),
  };
}

/** A line for each that did not simply pass, and `N passed, N failed` as the last one. */
export function linesOf({ passed, failed, flaky, skipped }: Verdict): string[] {
  return [
    ...skipped.map((name) => `skipped: ${name}`),
    ...flaky.map((name) => `flaky: ${name}`),
    ...failed.map((name) => `failed: ${name}`),
    `${passed} passed, ${failed.length} failed`,
  ];
}

/** Writes a verdict for who asked for it; without a file nobody did. */
export function keepVerdict(file: string | undefined, verdict: Verdict): void {
  if (file !== undefined) writeFileSync(file, JSON.stringify(verdict));
}

/** The verdict that was kept; undefined when its program ended before. */
export function keptVerdict(file: string): Verdict | undefined {
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : undefined;
}

/** How one came out. */
export type Outcome = "passed" | "failed" | { readonly skipped: string };

/**
 * Runs so many `atOnce`, default 1; with `again` those that failed once more, one after the other when
 * all others are done. Whatever failed and then passed is flaky.
 */
export async function runEach(
  names: readonly string[],
  run: (name: string) => Promise<Outcome>,
  { again = false, atOnce = 1 } = {},
): Promise<Verdict> {
  const verdict = noVerdict();
  const failed: string[] = [];
  const waiting = [...names];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const outcome = await run(name);
      if (outcome === "passed") verdict.passed++;
      else if (outcome === "failed") failed.push(name);
      else verdict.skipped.push(`${name}: ${outcome.skipped}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  for (const name of failed) {
    if (!again || await run(name) !== "passed") {
      verdict.failed.push(name);
      continue;
    }
    verdict.passed++;
    verdict.flaky.push(name);
  }
  return verdict;
}
