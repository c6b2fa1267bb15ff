/** `groups` and `show_groups` say how much is unread, and which groups answer. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { copies } from "../../lib/run/open_group.ts";
import { Group, Registry } from "../support/inside.ts";
import { closing } from "../support.ts";
import { groupProcess, type Keep, member, upTo } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** What a command or a script says. */
async function said(keep: Keep, home: string, registry: string, words: string[], input = "") {
  const user = keep(new Process(ours("user.ts", ...words, "--home", home, "--registry", registry)));
  user.write(input);
  user.finish();
  const { code } = await user.end(20_000);
  assert.equal(code, 0, user.output);
  return user.output.split("\n").filter((line) => line !== "");
}

test("groups: unread and state of those that answer, stand still and are gone", () =>
  closing(async (keep) => {
    const [home, data] = [keep(new Folder()).path, keep(new Folder()).path];
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const still = await groupProcess(keep, data, registry.address);
    const here = keep(await Group.start({ name: "Here", registries }));
    const gone = await Group.start({ name: "Gone", registries });
    const seen = keep(await Group.start({ name: "Seen", registries }));
    const bob = keep(await member(registries, "bob"));
    const alice = await member(registries, "alice", home);
    for (const name of ["Here", "Gone", "Seen", "Lab"]) {
      await alice.join(name);
      await bob.join(name);
      await bob.send(name, "first");
    }
    for (const n of upTo(7)) await bob.send("Here", `t${n}`);
    const { seq, epoch } = (await Array.fromAsync(alice.read("Seen"))).at(-1)!;
    alice.seen("Seen", seq, epoch);
    await alice.close();
    await gone.close();
    still.signal("SIGSTOP");

    const begun = performance.now();
    const lines = await said(keep, home, registry.address, ["groups", "--json"]);
    const took = performance.now() - begun;
    const found = lines.map((line) => JSON.parse(line));
    // It began, two have entered, and one of them has written.
    assert.deepEqual(
      found.map(({ name, unread, state }) => [name, unread, state]),
      [
        ["Gone", null, "unreachable"],
        ["Here", 11, "live"],
        ["Lab", null, "unreachable"],
        ["Seen", 0, "live"],
      ],
    );
    assert.equal(found[1].unread, here.group.head - found[1].cursor);
    assert.equal(found[3].cursor, seen.group.head);
    // 2.5 s and a start. A group that stands still is asked for longer where nothing bounds it.
    assert.ok(took < 10_000, `took ${took} ms`);
    const text = [
      `Gone - ${found[0].address} (unreachable)`,
      `Here - ${here.address} (11 unread)`,
      `Lab - ${found[2].address} (unreachable)`,
      `Seen - ${seen.address}`,
    ];
    assert.deepEqual(await said(keep, home, registry.address, ["groups"]), text);
    assert.deepEqual(await said(keep, home, registry.address, [], "show_groups\n"), text);
    still.signal("SIGCONT");
  }));

test("groups: of a history that began anew all is unread", () =>
  closing(async (keep) => {
    const folder = keep(new Folder()).path;
    const [home, data, file, again] = ["u", "d", "f.db", "a"].map((name) => join(folder, name));
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const first = await Group.start({ name: "Lab", registries, data });
    const alice = await member(registries, "alice", home);
    await alice.join("Lab");
    for (const n of upTo(3)) await alice.send("Lab", `t${n}`);
    const { head } = first.group;
    await copies.backup(data, file);
    alice.seen("Lab", head);
    await alice.close();
    await first.close();
    await copies.restore(file, again, "Lab");
    keep(await Group.start({ name: "Lab", registries, data: again }));
    const [lab] = await said(keep, home, registry.address, ["groups", "--json"]);
    const { unread, state } = JSON.parse(lab);
    assert.deepEqual([unread, state], [head, "live"]);
  }));
