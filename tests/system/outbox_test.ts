import assert from "node:assert/strict";
import { test } from "node:test";
import { Group, Registry } from "../../mod.ts";
import { sqliteStore } from "../../lib/store/sqlite_user_store.ts";
import { closing, until } from "../support.ts";
import { groupProcess, type Keep, member, upTo } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** The texts that wait in a home. */
function outbox(home: string): string[] {
  const store = sqliteStore(home);
  try {
    return store.groups().flatMap(({ id }) => store.pending(id).map(([, text]) => text));
  } finally {
    store.close();
  }
}

/** Texts of a group's log, as another member reads them. */
async function logged(registries: string[]): Promise<string[]> {
  await using reader = await member(registries, "reader");
  await reader.join("Lab");
  const entries = await Array.fromAsync(reader.read("Lab"));
  return entries.flatMap(({ text }) => text ?? []);
}

function userProcess(keep: Keep, registry: string, home: string, ...words: string[]): Process {
  return keep(new Process(ours("user.ts", ...words, "--registry", registry, "--home", home)));
}

for (const both of [false, true]) {
  const who = both ? "user and group" : "a user";
  test(`outbox: ${who} killed in the middle of sending lose and double nothing`, () =>
    closing(async (keep) => {
      const home = keep(new Folder()).path;
      const data = keep(new Folder()).path;
      const registry = keep(await Registry.start({ port: 0 }));
      const start = () => groupProcess(keep, data, registry.address, "--rate", "100000");
      let group = await start();
      const run = (...words: string[]) => userProcess(keep, registry.address, home, ...words);
      const join = run("join", "Lab", "--name", "alice");
      assert.equal((await join.end(20_000)).code, 0, join.output);

      const texts = upTo(20_000).map((n) => `line ${n}`);
      const sender = run("send", "Lab", "-", "--lines", "--json");
      sender.write(texts.join("\n") + "\n");
      const receipts = [];
      while (receipts.length < 1_000) receipts.push(JSON.parse(await sender.line(/seq/)));
      if (both) group.signal("SIGKILL");
      sender.signal("SIGKILL");
      await sender.ended;
      if (both) {
        await group.ended;
        group = await start();
      }

      // Any program of this user takes the rest along.
      const waiting = outbox(home);
      const list = run("list");
      assert.equal((await list.end(20_000)).code, 0, list.output);
      while (outbox(home).length > 0) {
        const groups = run("groups");
        assert.equal((await groups.end(20_000)).code, 0, groups.output);
      }
      const log = await logged([registry.address]);
      assert.ok(log.length >= receipts.length, `${log.length} in the log`);
      assert.deepEqual(log, texts.slice(0, log.length), "in order, none missing, none twice");
      assert.deepEqual(waiting, log.slice(log.length - waiting.length));
      assert.ok(log.length < texts.length, "it was killed in the middle");
    }));
}

test("outbox: what a group could not take goes out when the user is opened, whatever for", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const data = keep(new Folder()).path;
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const lab = keep(await Group.start({ name: "Lab", registries, data }));
    const first = await member(registries, "alice", home);
    await first.join("Lab");
    await lab.close();
    await assert.rejects(first.send("Lab", "one", { within: 200 }), { name: "Unreachable" });
    await assert.rejects(first.send("Lab", "two", { within: 200 }), { name: "Unreachable" });
    assert.equal(first.joined()[0].waiting, 2);
    await first.close();
    assert.deepEqual(outbox(home), ["one", "two"]);

    keep(await Group.start({ name: "Lab", registries, data }));
    const second = keep(await member(registries, "alice", home));
    await until(() => outbox(home).length === 0, 10_000, "the outbox is empty");
    assert.deepEqual(await logged(registries), ["one", "two"]);
    assert.equal(second.joined()[0].waiting, 0);
  }));

test("outbox: closing lets go out what a group is about to take", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    keep(await Group.start({ name: "Lab", registries, rate: Infinity }));
    const alice = await member(registries, "alice", home);
    await alice.join("Lab");
    const sent = upTo(1_000).map((n) => alice.send("Lab", `t${n}`));
    await alice.close();
    assert.equal((await Promise.all(sent)).length, 1_000);
    assert.deepEqual(outbox(home), []);
  }));

test("outbox: programs of one home at once send everything, each once, each in its order", () =>
  closing(async (keep) => {
    const home = keep(new Folder()).path;
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    keep(await Group.start({ name: "Lab", registries, rate: Infinity }));
    await keep(await member(registries, "alice", home)).join("Lab");
    const programs = [];
    for (const n of upTo(3)) {
      const program = userProcess(keep, registry.address, home, "send", "Lab", "-", "--lines");
      program.write(upTo(500).map((line) => `${n} ${line}`).join("\n"));
      program.finish();
      programs.push(program);
    }
    for (const program of programs) {
      // Never where one program waits for what another has sent.
      assert.equal((await program.end(30_000)).code, 0, program.output);
    }
    const log = await logged(registries);
    assert.equal(log.length, 1_500);
    for (const n of upTo(3)) {
      const own = log.filter((text) => text.startsWith(`${n} `));
      assert.deepEqual(own, upTo(500).map((line) => `${n} ${line}`));
    }
  }));

test("outbox: a bulk sender above its rate is delayed and loses nothing", () =>
  closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    keep(await Group.start({ name: "Lab", registries, rate: 400 }));
    const alice = keep(await member(registries, "alice"));
    await alice.join("Lab");
    const begun = performance.now();
    const texts = upTo(1_600).map((n) => `t${n}`);
    const receipts = await Promise.all(texts.map((text) => alice.send("Lab", text)));
    const took = performance.now() - begun;
    assert.ok(took > 1_000, `a burst of 800, then 400 a second: took ${took} ms`);
    assert.deepEqual(receipts.map(({ seq }) => seq - receipts[0].seq), texts.map((_, i) => i));
    assert.deepEqual(await logged(registries), texts);
  }));
