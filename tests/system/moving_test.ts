/** `group.ts copy`: a group goes from one place to another while its members wait, or not at all. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Registry } from "../../mod.ts";
import { copies } from "../../lib/run/open_group.ts";
import { Group } from "../support/inside.ts";
import { GROUP_PROGRAM } from "../runtimes.ts";
import { closing, until } from "../support.ts";
import { member } from "./live_world.ts";
import { ENDS_WITHIN, Place, Talker } from "./moving_place.ts";

test("copy: a group moves while its members send, and none of it is lost or doubled", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const registry = keep(await Registry.start({ port: 0 }));
    const own = ["--registry", registry.address, "--rate", "off"];
    await place.filled("data", 100);
    const group = await place.group("data", ...own);
    const alice = keep(await member([registry.address], "alice"));
    await alice.join("Lab");
    const talker = new Talker(keep, (text) => alice.send("Lab", text, { within: 60_000 }));
    await talker.goesOn();
    const { code, output } = await place.run(place.copy("data", "other"));
    assert.equal(code, 0, output);
    assert.match(
      output,
      /^The group is there now, up to entry \d+, .* start it with (group\.ts|zgroup group) "Lab" .*other$/m,
    );
    assert.equal((await group.end(ENDS_WITHIN)).code, 1);
    assert.match(group.output, /Cannot go on with the group: it is kept in .*other now; start it/);
    await place.group("other", ...own);
    await talker.goesOn();
    await talker.stop();
    const read = (await Array.fromAsync(alice.read("Lab"))).flatMap(({ text, signature }) =>
      signature === "valid" ? text! : []
    );
    assert.deepEqual(read, talker.texts);
    const verified = await place.run(place.start("verify", "--data", place.file("other")));
    assert.equal(verified.code, 0, verified.output);
    const again = await place.run(place.start("Lab", "127.0.0.1:0", "--data", place.file("data")));
    assert.equal(again.code, 1);
    assert.match(
      again.output,
      /^FAILED: Cannot start a group in .*data: it is kept in .*other now; /m,
    );
  }));

for (const runs of [true, false]) {
  const whose = runs ? "of the group that runs" : "of the command that works on a stopped group";
  test(`copy: kill -9 ${whose} leaves the group where it is, and the next copy ends`, () =>
    closing(async (keep) => {
      const place = new Place(keep);
      const head = await place.filled("data", 400);
      const group = runs ? await place.group("data") : undefined;
      const copy = place.copy("data", "other");
      await place.begun("other");
      await (group ?? copy).kill();
      const { code, output } = await place.run(copy);
      assert.notEqual(code, 0, "it was killed in the middle");
      if (runs) assert.match(output, /it ended before it was done; try again|FAILED/);
      assert.equal(existsSync(place.file("other")), false);
      // What is left of the copy is no group.
      const part = place.start(
        "Lab",
        "127.0.0.1:0",
        "--unlisted",
        "--data",
        place.file("other.moving"),
      );
      const refused = await place.run(part);
      assert.equal(refused.code, 1);
      assert.match(refused.output, /it is kept in .*data now; start it/);
      const goesOn = await place.group("data");
      const done = await place.run(place.copy("data", "other"));
      assert.equal(done.code, 0, done.output);
      assert.match(done.output, new RegExp(`^The group is there now, up to entry ${head},`, "m"));
      await goesOn.end(ENDS_WITHIN);
      await place.group("other");
      assert.deepEqual(readdirSync(place.path).sort(), ["data", "other"]);
    }));
}

test("copy: Ctrl-C leaves nothing of it, and the group goes on", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    await place.filled("data", 400);
    const group = await place.group("data", "--unlisted", "--rate", "off");
    const copy = place.copy("data", "other");
    await place.begun("other");
    copy.signal("SIGINT");
    const { code, output } = await place.run(copy);
    assert.equal(code, 130, output);
    const left = () => readdirSync(place.path).filter((name) => name.startsWith("other"));
    await until(() => left().length === 0, 10_000, "nothing is left of the copy");
    assert.equal(existsSync(join(place.file("data"), "moved.json")), false);
    const alice = keep(await member([], "alice"));
    const [, address] = /listens on (\S+),/.exec(group.output)!;
    await alice.join(address);
    await alice.send("Lab", "still there");
    assert.equal(await group.stop(), 0);
  }));

test("copy: of a stopped group takes key and epoch along, and is made once", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const [data, other, third] = ["data", "other", "third"].map((name) => place.file(name));
    const to = (to: string) => ({ to, singleCopy: false });
    await place.filled("data", 3);
    await using before = await Group.start({ name: "Lab", data, unlisted: true });
    const { epoch, head } = before.group.state;
    await before.close();
    await assert.rejects(copies.copy("Loo", data, to(other)), /it holds the group "Lab"/);
    await assert.rejects(copies.copy("Lab", data, to(data)), /to itself/);
    mkdirSync(other);
    writeFileSync(join(other, "notes"), "mine");
    await assert.rejects(copies.copy("Lab", data, to(other)), /it is not empty/);
    rmSync(join(other, "notes"));
    const moved = await copies.copy("Lab", data, to(other));
    assert.deepEqual(moved, { head, start: `${GROUP_PROGRAM} "Lab" HOST:PORT --data ${other}` });
    await assert.rejects(copies.copy("Lab", data, to(other)), {
      name: "UsageError",
      message: `Cannot copy "Lab" from ${data}: it is kept in ${other} now; start it with ` +
        `${GROUP_PROGRAM} "Lab" HOST:PORT --data ${other}`,
    });
    await assert.rejects(copies.copy("Lab", data, to(third)), /copy it from there, with --from/);
    await assert.rejects(copies.copy("Lab", other, to(data)), /there is a group/);
    await assert.rejects(Group.start({ name: "Lab", data, unlisted: true }), {
      name: "FolderUnusable",
      message: new RegExp(`it is kept in ${other} now`),
    });
    await using after = await Group.start({ name: "Lab", data: other, unlisted: true });
    assert.deepEqual([after.group.state.epoch, after.key], [epoch, before.key]);
  }));

test("copy: one that could not end ends when it is run once more", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const [data, other] = ["data", "other"].map((name) => place.file(name));
    const to = { to: other, singleCopy: false };
    const head = await place.filled("data", 30);
    const group = keep(await Group.start({ name: "Lab", data, unlisted: true }));
    const copied = copies.copy("Lab", data, to);
    await place.begun("other");
    mkdirSync(other);
    writeFileSync(join(other, "file"), "");
    await assert.rejects(copied, /run it once more/);
    let ended: unknown;
    void group.stopped.then((error) => (ended = error));
    await until(() => ended, 10_000, "the group stops");
    assert.match(String(ended), /it is kept in .*other now/);
    rmSync(join(other, "file"));
    assert.equal((await copies.copy("Lab", data, to)).head, head);
    keep(await Group.start({ name: "Lab", data: other, unlisted: true }));
  }));

test("copy: one that fails while members wait lets them go on", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    const [data, other] = ["data", "other"].map((name) => place.file(name));
    await place.filled("data", 3);
    const { group, address } = keep(await Group.start({ name: "Lab", data, unlisted: true }));
    const stop = new AbortController();
    const pause = async () => {
      const resume = await group.pause();
      stop.abort(new Error("unwanted"));
      return resume;
    };
    const held = { log: group.log, folder: data, pause };
    const request = { op: "move", to: other, singleCopy: false } as const;
    const failing = copies.handle(held, request, { signal: stop.signal });
    await assert.rejects(failing, { message: "unwanted" });
    assert.deepEqual(readdirSync(place.path), ["data"]);
    const alice = keep(await member([], "alice"));
    await alice.join(address);
    await alice.send("Lab", "still there");
  }));

test("copy: two at once to one folder: one is made", () =>
  closing(async (keep) => {
    const place = new Place(keep);
    for (const data of ["data", "data 2"]) await place.filled(data, 200);
    const both = await Promise.all([
      place.run(place.copy("data", "other")),
      place.run(place.copy("data 2", "other")),
    ]);
    both.sort((a, b) => a.code! - b.code!);
    assert.deepEqual(both.map(({ code }) => code), [0, 2], JSON.stringify(both));
    assert.match(both[1].output, /another copy to it is under way|there is a group/);
    assert.equal(await (await place.group("other")).stop(), 0);
  }));
