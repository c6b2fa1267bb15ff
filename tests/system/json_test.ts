/** With --json standard output is JSON objects, one a line, whatever the command comes to. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ONCE_COMMANDS } from "../../lib/cli/commands/table.ts";
import { Group, Registry } from "../support/inside.ts";
import { closing } from "../support.ts";
import { type Keep, member } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** Of each row what is typed behind its name, in an order in which all of it can be done. */
const TYPED: Readonly<Record<string, readonly string[]>> = {
  doctor: [],
  restore: [],
  list_groups: [],
  show_groups: [],
  join_group: ["Other"],
  send_message: ["Lab", "hello"],
  flush: ["Lab"],
  unsend: [],
  get_messages: ["Lab"],
  follow: ["Lab", "--after", "0"],
  members: ["Lab"],
  fingerprint: ["Lab"],
  invite: ["Lab", "--qr"],
  invites: ["Lab"],
  revoke: ["Lab", "all"],
  promote: ["Lab", "bob", "admin"],
  demote: ["Lab", "bob", "member"],
  mute: ["Lab", "bob", "--for", "1h"],
  unmute: ["Lab", "bob"],
  remove: ["Lab", "bob"],
  ban: ["Lab", "ID"],
  unban: ["Lab", "ID"],
  topic: ["Lab", "things"],
  trust: ["Lab"],
  rename: ["alan"],
  whoami: [],
  status: [],
  stop: [],
  "export-identity": ["FILE"],
  "import-identity": ["FILE"],
  leave_group: ["Other"],
};

/** Rows of what is not there: nothing waits. */
const NOTHING = ["unsend"];
/** Rows that talk to a person, and have no objects to give. */
const FOR_PEOPLE = ["start", "help"];

/** Runs one; its exit code and its standard output line by line. */
async function run(keep: Keep, words: readonly string[]) {
  const lines: string[] = [];
  const program = keep(
    new Process(ours("user.ts", ...words), {
      env: { ZGROUP_PASSPHRASE: "correct horse" },
      onLine(line) {
        if (lines.push(line) === 1 && words[0] === "follow") program.signal("SIGINT");
      },
    }),
  );
  program.finish();
  const { code } = await program.end(20_000);
  return { code, lines, errors: program.errors };
}

function objects(lines: readonly string[]): object[] {
  return lines.map((line) => {
    const one: unknown = JSON.parse(line);
    assert.ok(typeof one === "object" && one !== null && !Array.isArray(one), line);
    return one;
  });
}

test("--json: every command prints objects, ends with 0, and has nothing to say beside them", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const place = ["--registry", registry.address, "--home", home, "--json"];
    const alice = await member(registries, "alice", home);
    keep(await Group.start({ name: "Lab", home, registries, memory: true }));
    keep(await Group.start({ name: "Other", registries }));
    await alice.join("Lab");
    await alice.close();
    const bob = keep(await member(registries, "bob"));
    await bob.join("Lab");
    const rows = ONCE_COMMANDS.map(({ names }) => names[0]).filter((name) =>
      !FOR_PEOPLE.includes(name)
    );
    assert.deepEqual(rows.toSorted(), Object.keys(TYPED).toSorted());
    for (const [name, words] of Object.entries(TYPED)) {
      const meant: Record<string, string> = { ID: bob.id, FILE: join(home, "alice.json") };
      const typed = words.map((word) => meant[word] ?? word);
      const { code, lines, errors } = await run(keep, [name, ...typed, ...place]);
      assert.equal(code, 0, `${name}: ${lines}\n${errors}`);
      assert.equal(objects(lines).length > 0, !NOTHING.includes(name), name);
      assert.equal(errors, "", name);
    }
  }));

test("--json: what fails and what is typed wrong leave standard output empty, with 1 and 2", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const registry = keep(await Registry.start({ port: 0 }));
    const place = ["--registry", registry.address, "--home", home, "--json"];
    // Of nothing they need, these say nothing and are done.
    const easy = [
      "list_groups",
      "show_groups",
      "rename",
      "whoami",
      "doctor",
      "restore",
      "status",
      "stop",
      "unsend",
    ];
    for (const [name, words] of Object.entries(TYPED)) {
      if (easy.includes(name)) continue;
      const typed = words.map((word) => word === "FILE" ? join(home, "nowhere", word) : word);
      const { code, lines, errors } = await run(keep, [name, ...typed, ...place]);
      assert.deepEqual([code, lines], [1, []], `${name}: ${errors}`);
      assert.match(errors, /^FAILED: /, name);
    }
    for (const name of FOR_PEOPLE) {
      const { code, lines, errors } = await run(keep, [name, ...place]);
      assert.deepEqual([code, lines], [2, []], name);
      assert.match(errors, new RegExp(`^FAILED: Cannot use --json with ${name}: `));
    }
    for (const words of [["join"], ["read", "Lab", "--since", "x"], ["whoami", "--last", "3"]]) {
      const { code, lines } = await run(keep, [...words, ...place]);
      assert.deepEqual([code, lines], [2, []], words.join(" "));
    }
  }));
