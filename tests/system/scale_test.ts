/** `deno task scale` without a terminal: what is lost goes on elsewhere, and all tell the same story. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { availablePostgres } from "../support/postgres.ts";
import { Process } from "../support/process.ts";
import { HERE } from "../runtimes.ts";
import { ROOT } from "./processes.ts";

const skip = availablePostgres() ??
  (HERE === "deno" ? false : "the task is one of Deno: nothing of it differs on Node");

test("scale: the holder and the primary are killed, and nothing is lost or there twice", {
  skip,
}, async () => {
  const command = [process.execPath, "run", "-A", "scripts/scale.ts", "--members", "12"];
  await using scale = new Process(command, { cwd: ROOT });
  await scale.line(/all members have joined/, 120_000);
  scale.write("kill holder\n");
  await scale.line(/Holds the group from entry \d+ on, term 2/, 60_000);
  scale.write("kill primary\n");
  await scale.line(/n\d: n\d is the primary now/, 60_000);
  scale.write("kill nobody\n");
  await scale.line(/Nothing is called "nobody" now/);
  scale.write("quit\n");
  const { code } = await scale.end(180_000);
  assert.equal(code, 0, scale.output);
  assert.match(scale.output, /none is lost, none is there twice/);
});
