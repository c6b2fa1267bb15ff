/** What README.md tells a newcomer to run is there; what it shows of the library is run by examples_test.ts. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./processes.ts";

test("every task that README.md names is there, and every task is named", () => {
  const tasks = Object.keys(JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")).tasks);
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  for (const [, task] of readme.matchAll(/deno(?:@[\d.]+)? task ([\w:]+)/g)) {
    assert.ok(tasks.includes(task), `README.md names the task ${task}, deno.json does not`);
  }
  for (const task of tasks) {
    assert.match(readme, new RegExp(`(task |\`)${task}\\b`), `README.md leaves out ${task}`);
  }
});
