/** What one has read, on one's own disk, while the group is down. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lookAtHome, restoreHome } from "../../lib/run/open_home.ts";
import { closing } from "../support.ts";
import { NO_TERMINAL } from "../support/terminal.ts";
import { ours, Process } from "./processes.ts";
import { PromptWorld } from "./prompt_world.ts";
import { Folder } from "./world.ts";
import { connect, Group, Registry } from "../../mod.ts";

/** What one command and out did. */
interface Said {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs one command of a home. */
async function run(home: string, args: readonly string[], env = {}): Promise<Said> {
  const lines: string[] = [];
  const command = ours("user.ts", ...args, "--home", home);
  const child = new Process(command, { env, onLine: (line) => void lines.push(line) });
  child.finish();
  const { code } = await child.end(30_000);
  return { code, output: lines.join("\n"), errors: child.errors };
}

test(
  "a person reads at the prompt what is kept of a group that is down",
  { skip: NO_TERMINAL },
  () =>
    closing(async (keep) => {
      const world = await PromptWorld.start(keep);
      const ops = await world.group("Ops");
      const alice = await world.member("alice");
      await alice.enter("/join Ops", "* alice joined");
      await alice.line("Ops>");
      for (const text of ["one", "two", "three"]) await alice.enter(text, `alice: ${text}`);
      await ops.close();
      await alice.shows("Ops is unreachable");
      await alice.enter(
        "/read",
        /Ops does not answer: 3 of its messages from this disk, the newest of \d\d:\d\d\n(.*\n)*.*alice: one\n.*two\n.*three/,
      );
      // It is what the next program has, too.
      await alice.enter("/read Ops 1h", /does not answer: 3 of its/);
      alice.type("/exit\r");
      assert.equal(await alice.end(), 0);
      const again = await world.person("alice", { start: /^(Lab|Ops)>/m });
      await again.shows("Ops is unreachable");
      await again.enter("/read Ops", /Ops does not answer: 3 of its messages/);
    }),
);

test("a script reads what is kept where it asks for it, is told where it did not, and can have none", () =>
  closing(async (keep) => {
    const home = join(keep(new Folder()).path, "alice");
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const group = keep(await Group.start({ name: "Lab", registries }));
    const alice = await connect({ home, name: "alice", registries });
    await alice.join("Lab");
    for (const text of ["one", "two"]) await alice.send("Lab", text);
    await alice.close();
    const env = { ZGROUP_REGISTRY: registry.address };
    const kept = join(home, "messages.db");

    // As JSON nothing is kept, nor where it is not wished; what is read as text is.
    assert.equal((await run(home, ["read", "Lab", "--json"], env)).code, 0);
    await run(home, ["read", "Lab"], { ...env, ZGROUP_KEEP_LOCAL: "0" });
    assert.ok(!existsSync(kept));
    assert.match((await run(home, ["read", "Lab"], env)).output, /one\n.*two$/);
    await group.close();
    await registry.close();

    const [down, json, asked] = await Promise.all([
      run(home, ["read", "Lab", "--last", "1"], env),
      run(home, ["read", "Lab", "--json"], env),
      run(home, ["read", "Lab", "--kept", "--json"], env),
    ]);
    assert.equal(down.code, 1, down.errors);
    assert.match(down.output, /^\[.*\] alice: two$/, down.errors);
    assert.match(
      down.errors,
      /^\* Lab does not answer: 1 of its messages from this disk, the newest of \d\d:\d\d\nFAILED: Cannot reach/,
    );
    assert.deepEqual([json.code, json.output], [1, ""]);
    assert.equal(asked.code, 0);
    const entries = asked.output.split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(entries.map(({ seq, text }) => [seq, text]).slice(2), [[3, "one"], [
      4,
      "two",
    ]]);

    // Damage is no reason not to start; the doctor names it, and restore sets it aside.
    writeFileSync(kept, "no database ".repeat(1_000));
    const { hasUser, problems } = lookAtHome(home);
    assert.equal(hasUser, true);
    assert.match(
      problems.join(),
      /^Cannot trust .*messages\.db: it is not what was written, the next/,
    );
    assert.match(
      restoreHome(home, {}).join(),
      /^Set aside as .*messages\.db\.damaged: what you had /,
    );
    assert.match(readFileSync(`${kept}.damaged`, "utf8"), /^no database/);
    const none = await run(home, ["read", "Lab", "--kept"], env);
    assert.deepEqual([none.code, none.output], [0, ""]);
    assert.equal(none.errors, "* nothing of Lab is kept on this disk\n");
    await run(home, ["whoami", "--keep-local", "0"], env);
    assert.ok(!existsSync(`${kept}.damaged`));
    const wrong = await run(home, ["whoami"], { ...env, ZGROUP_KEEP_LOCAL: "some" });
    assert.equal(wrong.code, 2);
    assert.match(
      wrong.errors,
      /^FAILED: Cannot use \$ZGROUP_KEEP_LOCAL: expected a whole number up /,
    );
  }));
