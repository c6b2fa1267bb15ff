/** The prompt in a real terminal, in a group that has several servers. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { closing } from "../support.ts";
import { NO_TERMINAL, Terminal } from "../support/terminal.ts";
import { ours } from "./processes.ts";
import { serversWorld } from "./servers_world.ts";
import { Folder } from "./world.ts";

const skip = NO_TERMINAL;

test("prompt: a change to another server is not seen, and each server stands in the list", {
  skip,
}, () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const [first, second] = world.ways;
    const bob = await world.member("bob");
    const home = join(keep(new Folder()).path, "alice");
    const where = ["--home", home, "--name", "alice", "--registry", world.registry.address];
    const alice = keep(new Terminal(ours("user.ts", ...where), {}));
    await alice.line("zgroup>");
    await alice.enter("join_group Lab", "* alice joined");
    await alice.line("Lab>");
    await alice.enter("list_groups", `1. Lab - ${first.address}, ${second.address} (joined)`);
    await bob.send("Lab", "before");
    await alice.shows(/bob: before\nLab>$/);
    for (const way of world.ways) {
      await way.kill();
      alice.type(`without ${way.address}\r`);
      await alice.shows(`alice: without ${way.address}\nLab>`);
      await bob.send("Lab", `after ${way.address}`, { within: 20_000 });
      await alice.shows(`bob: after ${way.address}\nLab>`);
      await way.open();
    }
    assert.doesNotMatch(alice.screen.text, /unreachable|is back|…/);
    assert.deepEqual(alice.screen.strange, []);

    for (const way of world.ways) await way.kill();
    await alice.shows("* Lab is unreachable; what you send waits for it");
    await second.open();
    await alice.shows("* Lab is back");
    assert.deepEqual(alice.screen.strange, []);
  }));
