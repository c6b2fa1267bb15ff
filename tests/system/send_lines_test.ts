/** `send G - --lines` tells what became of each line, whatever happens meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "../support/inside.ts";
import { sqliteStore } from "../../lib/store/sqlite_user_store.ts";
import { closing } from "../support.ts";
import { groupProcess, type Keep, member, upTo } from "./live_world.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

/** A group as a process, and a user's home that has joined it. */
async function world(keep: Keep, ...options: string[]) {
  const [home, data] = [keep(new Folder()).path, keep(new Folder()).path];
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const start = () => groupProcess(keep, data, registry.address, ...options);
  const group = await start();
  const alice = await member(registries, "alice", home);
  await alice.join("Lab");
  await alice.close();
  return {
    group,
    start,
    home,
    send: (...more: string[]) => {
      const words = ["send", "Lab", "-", "--lines", ...more];
      const place = ["--registry", registry.address, "--home", home];
      return keep(new Process(ours("user.ts", ...words, ...place)));
    },
    /** Texts of the log. */
    async log() {
      await using reader = await member(registries, "reader");
      await reader.join("Lab");
      return (await Array.fromAsync(reader.read("Lab"))).flatMap(({ text }) => text ?? []);
    },
  };
}

/** How many wait in the outbox of a home. */
function waiting(home: string): number {
  const store = sqliteStore(home);
  try {
    return store.groups().reduce((sum, { id }) => sum + store.pending(id).length, 0);
  } finally {
    store.close();
  }
}

const number = (text: string, what: RegExp) =>
  Number(what.exec(text)?.[1].replaceAll(",", "") ?? 0);

test("send --lines at the default rate goes as fast as that, and counts what was accepted", () =>
  closing(async (keep) => {
    const { send, log } = await world(keep);
    const texts = upTo(3_000).map((n) => `line ${n}`);
    const begun = performance.now();
    const sender = send();
    sender.write(texts.join("\n\n"));
    sender.finish();
    assert.equal((await sender.end(30_000)).code, 0, sender.output);
    const took = performance.now() - begun;
    assert.equal(sender.errors, "* 3,000 lines accepted\n");
    assert.ok(sender.output.includes("SUCCESS\n"), sender.output);
    assert.deepEqual(await log(), texts);
    // 1,000 at once and 500 a second: four seconds. A line that waits for the one before takes far
    // longer: 0.5 s for each request that came too early.
    assert.ok(took > 3_500 && took < 20_000, `took ${took} ms`);
  }));

test("send --lines names the first line that is refused, and counts those before and behind it", () =>
  closing(async (keep) => {
    const { send, log } = await world(keep);
    const sender = send("--json");
    sender.write(["one", "", "x".repeat(70_000), "two", ""].join("\n"));
    sender.finish();
    assert.equal((await sender.end(20_000)).code, 1, sender.output);
    const taken = await log();
    assert.match(
      sender.errors,
      /^FAILED: .*65536 bytes.*\(line 3; \d lines? accepted; 1 refused; /,
    );
    assert.equal(number(sender.errors, /(\d+) lines? accepted/), taken.length);
    assert.deepEqual(taken, ["one", "two"].slice(0, taken.length));
  }));

test("send --lines tells of a line that is none how many came before it", () =>
  closing(async (keep) => {
    const { send, log } = await world(keep);
    const sender = send();
    sender.write(`one\ntwo\n${"x".repeat(1_100_000)}`);
    sender.finish();
    assert.equal((await sender.end(20_000)).code, 2, sender.output);
    assert.match(sender.errors, /longer than 1048576 characters \(2 lines accepted; /);
    assert.deepEqual(await log(), ["one", "two"]);
  }));

for (const [how, code] of [["the group dies", 1], ["Ctrl-C", 130]] as const) {
  test(`send --lines: what was accepted when ${how} in the middle`, () =>
    closing(async (keep) => {
      const { group, start, home, send, log } = await world(keep, "--rate", "2000");
      const receipts: { seq: number }[] = [];
      const sender = send("--json");
      // More than go out before it ends, and no end of the input.
      sender.write(upTo(50_000).map((n) => `line ${n}\n`).join(""));
      while (receipts.length < 100) receipts.push(JSON.parse(await sender.line(/seq/)));
      if (code === 130) sender.signal("SIGINT");
      else group.signal("SIGKILL");
      assert.equal((await sender.end(20_000)).code, code, sender.output);
      try {
        for (;;) receipts.push(JSON.parse(await sender.line(/seq/)));
      } catch {
        // All of them were taken.
      }
      assert.equal(number(sender.errors, /([\d,]+) lines? accepted/), receipts.length);
      const kept = number(sender.errors, /([\d,]+) kept in the outbox/);
      assert.equal(waiting(home), kept);
      assert.equal(number(sender.errors, /nothing after line (\d+) was/), receipts.length + kept);
      if (code === 1) await start();
      const taken = await log();
      assert.deepEqual(taken, upTo(taken.length).map((n) => `line ${n}`));
      // What the group took and could not say any more is in the outbox, too.
      const { length } = taken;
      assert.ok(length >= receipts.length && length <= receipts.length + kept, `${length}`);
    }));
}
