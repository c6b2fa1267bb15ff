/** A user whose own disk is full. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Group, Registry } from "../../mod.ts";
import { lookAtStore } from "../../lib/store/sqlite_user_look.ts";
import { closing } from "../support.ts";
import { fill, SmallDisk } from "../support/small_disk.ts";
import { member } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** Takes room in the database's pages and its write-ahead log, too. */
const LARGE = "x".repeat(60_000);
const FULL = {
  name: "DiskFull",
  message: /^Cannot write to the folder .*: the disk is full, make room on it$/,
};

/** Fills a disk until a user's folder takes nothing more; the files that do it. */
async function fillUp(disk: string, tries: () => Promise<unknown>): Promise<string[]> {
  const fillers: string[] = [];
  for (let i = 0; i < 8; i++) {
    fillers.push(fill(disk, `filler ${i}`));
    const error = await tries().then(() => undefined, (error) => error);
    if (error === undefined) continue;
    assert.equal(error.name, FULL.name, error.message);
    assert.match(error.message, FULL.message);
    return fillers;
  }
  throw new Error("everything finds room on a full disk");
}

test("a user whose disk is full is told so, keeps nothing by halves, and goes on when there is room", (t) =>
  closing(async (keep) => {
    const disk = keep(new SmallDisk(join(keep(new Folder()).path, "disk"), "1m"));
    if (disk.problem !== undefined) return t.diagnostic(disk.problem);
    const home = join(disk.path, "home");
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    keep(await Group.start({ name: "Lab", registries }));
    const alice = await member(registries, "alice", home);
    await alice.join("Lab");
    let tried = 0;
    const large = () => alice.send("Lab", `${tried++} ${LARGE}`);
    const fillers = await fillUp(disk.path, large);
    const taken = tried - 1;
    // Each write is refused with the same sentence, and none ends the program.
    await assert.rejects(large(), FULL);
    await assert.rejects(alice.rename("bob"), { name: "DiskFull", message: /make room on it$/ });
    assert.equal(alice.name, "alice");
    alice.seen("Lab", taken + 1);
    assert.equal(alice.joined()[0].waiting, 0);
    const texts = async () => {
      const entries = await Array.fromAsync(alice.read("Lab"));
      return entries.flatMap(({ text }) => text?.split(" ")[0] ?? []);
    };
    const wanted = Array.from({ length: taken }, (_, i) => String(i));
    assert.deepEqual(await texts(), wanted);
    const run = (...words: string[]) => {
      const program = keep(
        new Process(ours("user.ts", ...words, "--registry", registry.address, "--home", home)),
      );
      return { program, end: () => program.end(20_000).then(({ code }) => code) };
    };
    const once = run("send", "Lab", "-");
    once.program.write(LARGE);
    once.program.finish();
    assert.equal(await once.end(), 1, once.program.output);
    const said = /FAILED: Cannot .*: the disk is full, make room on it; the message is not sent/;
    assert.match(once.program.output, said);
    const script = run();
    script.program.write(`/send_message Lab ${LARGE}\n/whoami\n`);
    script.program.finish();
    await script.end();
    assert.match(script.program.output, said);
    assert.match(script.program.output, /^alice#[0-9a-f]{8} [0-9a-f-]{36}$/m);

    for (const filler of fillers) rmSync(filler);
    await large();
    await alice.rename("bob");
    assert.deepEqual((await texts()).length, taken + 1);
    await alice.close();
    assert.deepEqual([...lookAtStore(home)!.outbox.values()].flat(), []);
  }));
