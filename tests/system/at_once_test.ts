/** Programs of one user that begin at the same moment. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lookAtHome } from "../../lib/run/open_home.ts";
import { closing } from "../support.ts";
import { upTo } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const PROGRAMS = 5;

/** What each of several processes has, when all do the same at once. */
async function atOnce(what: string, home: string, killed: boolean): Promise<string[]> {
  const programs = upTo(PROGRAMS).map(() =>
    new Process(ours("tests/support/at_once.ts", what, home))
  );
  try {
    for (const program of programs) await program.line(/^ready$/);
    for (const program of programs) program.write("go\n");
    const said = await Promise.all(programs.map((program) => program.line(/^has /)));
    return said.map((line) => line.slice("has ".length));
  } finally {
    for (const program of programs) {
      if (killed) program.signal("SIGKILL");
      else program.finish();
      await program.ended;
    }
  }
}

test("at once: programs that start on a home that one left behind take a profile each", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    // Of a version that kept a file for it.
    writeFileSync(join(home, "start.lock"), "1234567 boot\n");
    const folders = [home, ...upTo(PROGRAMS - 1).map((n) => join(home, "profiles", `${n + 1}`))];
    for (const killed of [true, true, false]) {
      assert.deepEqual((await atOnce("hold", home, killed)).sort(), folders.sort());
    }
  }));

test("at once: programs at the first start of a home are one user", () =>
  closing(async (keep) => {
    for (const _ of upTo(3)) {
      const home = keep(new Folder()).path;
      const users = await atOnce("user", home, false);
      assert.equal(new Set(users).size, 1, users.join());
      assert.deepEqual(lookAtHome(home), { hasUser: true, problems: [] });
    }
  }));
