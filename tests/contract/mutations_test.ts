import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { staleness } from "../faults/support/mutant.ts";
import { MUTATIONS } from "../faults/support/mutations.ts";
import { SOURCES } from "../runtimes.ts";

test("mutations: each can still be made", () => {
  assert.deepEqual(MUTATIONS.map((one) => staleness(SOURCES, one)).filter(Boolean), []);
});

test("mutations: there is one for each fault", () => {
  const faults = readdirSync(join(SOURCES, "tests/faults"))
    .filter((name) => name.endsWith(".ts") && name !== "main.ts" && name !== "mutations.ts")
    .map((name) => name.slice(0, -3));
  assert.deepEqual([...new Set(MUTATIONS.map(({ fault }) => fault))].sort(), faults.sort());
});
