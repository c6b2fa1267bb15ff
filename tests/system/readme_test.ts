/** What README.md and the head of mod.ts tell a newcomer to run, runs. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { closing } from "../support.ts";
import { Process, ROOT } from "./processes.ts";
import { Folder } from "./world.ts";

const onDeno = "Deno" in globalThis;

/** The TypeScript blocks of a text, comment stars taken off. */
function blocks(text: string): string[] {
  const plain = text.replace(/^ \* ?/gm, "");
  return [...plain.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code);
}

for (const [file, said] of [["README.md", /^3 alice hi$/m], ["mod.ts", /^hi$/m]] as const) {
  test(
    `the example in ${file} runs as it stands`,
    { skip: onDeno ? false : "it imports ./mod.ts, as a Deno program does" },
    () =>
      closing(async (keep) => {
        const [example, ...others] = blocks(readFileSync(join(ROOT, file), "utf8"));
        assert.deepEqual(others, [], "one example to a file, or test them all here");
        const program = join(keep(new Folder()).path, "example.ts");
        const module = JSON.stringify(join(ROOT, "mod.ts"));
        writeFileSync(program, example.replace('"./mod.ts"', module));
        const config = join(ROOT, "deno.json");
        const run = keep(
          new Process([process.execPath, "run", "-A", "--check", "--config", config, program]),
        );
        assert.equal((await run.end(60_000)).code, 0, run.output);
        assert.match(run.output, said);
      }),
  );
}

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
