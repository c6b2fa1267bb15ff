/** What CI says of tests that fail, fail once, are skipped, hang, or take their runner with them. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { runSteps } from "../../scripts/ci.ts";
import { denoTests } from "../../scripts/deno_tests.ts";
import { runTests } from "../../scripts/node_tests.ts";
import { linesOf, type Verdict } from "../../scripts/verdict.ts";
import { runFaults } from "../faults/support/run.ts";
import { executable, HERE, SOURCES } from "../runtimes.ts";
import { Folder } from "../support/folder.ts";

/** Puts files into a folder that goes away. */
async function planted(
  files: Readonly<Record<string, string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  await using folder = new Folder();
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder.path, name), text);
  }
  await body(folder.path);
}

/** Source that is true only when it is met for the second time, by a file beside it. */
const SECOND = (marker: string) =>
  `(() => { try { writeFileSync(new URL("./${marker}", import.meta.url), "", { flag: "wx" }); ` +
  `return false; } catch { return true; } })()`;
const HEAD = `import { describe, test } from "node:test";
import { writeFileSync } from "node:fs";
import process from "node:process";
`;
const GOOD = `${HEAD}test("good <1>", () => {});\ntest("off", { skip: "no root" }, () => {});\n`;
const FAILING =
  `${HEAD}test("beside", () => {});\ntest("bad", () => { throw new Error("no"); });\n`;
const FLAKY = `${HEAD}test("once", () => { if (!${SECOND("once")}) throw new Error("no"); });\n`;
const BROKEN = `${HEAD}if (!${SECOND("loaded")}) throw new Error("no");\ntest("late", () => {});\n`;
const IN_DESCRIBE = `${HEAD}describe("all", () => {
  test("one", () => { if (!${SECOND("described")}) throw new Error("no"); });
  test("two", () => {});
});\n`;
/** A helper whose tests are another file's. */
const HELPER = `${HEAD}export function check() {
  test("helped", () => { if (!${SECOND("helped")}) throw new Error("no"); });
  test("helped well", () => {});
}\n`;
const HELPED = `import { check } from "./helper.ts";\ncheck();\n`;
const DIES = `${HEAD}test("dies", () => { process.kill(process.pid, "SIGKILL"); });\n`;
const HANGS = `${HEAD}test("hangs", () => { for (;;); });\n`;

const DENO = { skip: HERE === "node" ? "Deno runs it" : false };

test("on Deno a test that fails once is named, one that fails twice fails", DENO, () =>
  planted({
    "broken_test.ts": BROKEN,
    "described_test.ts": IN_DESCRIBE,
    "failing_test.ts": FAILING,
    "flaky_test.ts": FLAKY,
    "good_test.ts": GOOD,
    "helped_test.ts": HELPED,
    "helper.ts": HELPER,
  }, async (cwd) => {
    const found = await denoTests({ cwd, folder: ".", args: ["--no-check"], again: true });
    assert.deepEqual(found.failed, ["failing_test.ts: bad"]);
    assert.deepEqual(found.flaky.toSorted(), [
      "broken_test.ts",
      "describe: all > one",
      "described_test.ts: all",
      "flaky_test.ts: once",
      "helper.ts: helped",
    ]);
    assert.deepEqual(found.skipped, ["good_test.ts: off"]);
    // late, all and its two, beside, once, good, the helped ones.
    assert.equal(found.passed, 9);
    assert.equal(linesOf(found).at(-1), "9 passed, 1 failed");
  }));

test(
  "on Deno a test that fails once fails where nothing runs again",
  DENO,
  () =>
    planted({ "flaky_test.ts": FLAKY, "good_test.ts": GOOD }, async (cwd) => {
      const { failed, flaky, passed } = await denoTests({ cwd, folder: ".", args: ["--no-check"] });
      assert.deepEqual([failed, flaky, passed], [["flaky_test.ts: once"], [], 1]);
    }),
);

for (
  const [what, files, said] of [
    ["dies", { "dies_test.ts": DIES }, /^deno test: ended with -1 and without a report$/],
    ["hangs", { "hangs_test.ts": HANGS }, /^deno test: not done in 3 s$/],
    ["cannot be read", { "x_test.ts": "import './none.ts';" }, /with 1 and without a report$/],
    [
      "leaves in a test",
      { "x_test.ts": `${HEAD}test("x", () => process.exit(0));` },
      /^x_test.ts: x$/,
    ],
  ] as const
) {
  test(
    `on Deno a runner that ${what} fails as a whole`,
    DENO,
    () =>
      planted({ "good_test.ts": GOOD, ...files }, async (cwd) => {
        const limit = what === "hangs" ? 3_000 : 60_000;
        const args = ["--no-check"];
        const found = await denoTests({ cwd, folder: ".", args, again: true, limit });
        assert.equal(found.failed.length, 1, String(found.failed));
        assert.match(found.failed[0], said);
      }),
  );
}

test("on Node a test that fails once is named; what fails, dies or hangs twice fails", async () => {
  const path = await executable("node");
  assert.ok(path);
  await planted({
    "package.json": '{ "type": "module" }',
    "dies_test.js": DIES,
    "failing_test.js": FAILING,
    "flaky_test.js": FLAKY,
    "good_test.js": GOOD,
    "hangs_test.js": HANGS,
  }, async (app) => {
    const files = ["dies", "failing", "flaky", "good", "hangs"].map((name) => `${name}_test.js`);
    const options = { again: true, limit: 5_000 };
    const found = await runTests(app, { version: "1.2.3", path }, files, options);
    assert.deepEqual(found.flaky, ["flaky_test.js on Node 1.2.3: once"]);
    assert.deepEqual(found.failed.toSorted(), [
      "dies_test.js on Node 1.2.3: ended with -1",
      "failing_test.js on Node 1.2.3: bad",
      "hangs_test.js on Node 1.2.3: did not end in its time",
    ]);
    assert.deepEqual(found.skipped, ["good_test.js on Node 1.2.3: off: no root"]);
    assert.equal(found.passed, 3);
  });
});

test("a fault that is skipped counts as nothing, one that fails once is named", async () => {
  const support = pathToFileURL(join(SOURCES, "tests/faults/support/fault.ts")).href;
  const program = (body: string) =>
    `import { fault, Skipped } from "${support}";
import { writeFileSync } from "node:fs";
await fault(async (fault) => { ${body} });\n`;
  await planted({
    "package.json": '{ "type": "module" }',
    "good.ts": program(`fault.expect(true, "");`),
    "bad.ts": program(`fault.expect(false, "it broke");`),
    "once.ts": program(`fault.expect(${SECOND("once")}, "it broke");`),
    "off.ts": program(`throw new Skipped("no root");`),
    "bad_and_off.ts": program(`fault.expect(false, "it broke"); throw new Skipped("no root");`),
    "hangs.ts": program(`await new Promise((resolve) => setTimeout(resolve, 3_600_000));`),
  }, async (folder) => {
    const programs = ["good", "bad", "once", "off", "bad_and_off", "hangs"].map((name) => ({
      name,
      file: pathToFileURL(join(folder, `${name}.ts`)),
      minutes: name === "hangs" ? 0.05 : 1,
    }));
    assert.deepEqual(await runFaults(programs, [], { again: true, atOnce: 2 }), {
      passed: 2,
      failed: ["bad", "bad_and_off", "hangs"],
      flaky: ["once"],
      skipped: ["off: no root"],
    });
  });
});

test("a step of CI fails without a report, beyond its time, and with another code than its report", async () => {
  const keeps = (verdict: Verdict, code: number) =>
    `import { writeFileSync } from "node:fs"; import process from "node:process";
writeFileSync(process.argv.at(-1), ${JSON.stringify(JSON.stringify(verdict))});
process.exit(${code});\n`;
  const verdict = { passed: 2, failed: [], flaky: ["b"], skipped: ["c: why"] };
  await planted({
    "package.json": '{ "type": "module" }',
    "good.js": keeps(verdict, 0),
    "bad.js": keeps({ ...verdict, failed: ["a"] }, 1),
    "odd.js": keeps(verdict, 3),
    "silent.js": "",
    "hangs.js": "setTimeout(() => {}, 3_600_000);",
  }, async (folder) => {
    const runtime = HERE === "deno" ? ["run", "-A"] : [];
    const steps = ["good", "bad", "odd", "silent", "hangs"].map((name) => ({
      name,
      command: [process.execPath, ...runtime, join(folder, `${name}.js`)],
      limit: name === "hangs" ? 1_000 : 60_000,
    }));
    assert.deepEqual(linesOf(await runSteps(steps, false)), [
      ...["good", "bad", "odd"].map((name) => `skipped: ${name}: c: why`),
      ...["good", "bad", "odd"].map((name) => `flaky: ${name}: b`),
      "failed: bad: a",
      "failed: odd: ended with 3",
      "failed: silent: ended with 0, without a report",
      "failed: hangs: not done in 1 s, without a report",
      "6 passed, 4 failed",
    ]);
  });
});
