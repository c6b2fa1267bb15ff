/** Floods of strangers: what they cost in memory and time, while members talk on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { closing } from "../support.ts";
import { usage } from "../support/usage.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import {
  Chatter,
  flood,
  FULL,
  highest,
  LINUX,
  processWorld,
  program,
  row,
  sized,
} from "./attack_world.ts";
import { bare, Folder } from "./world.ts";

const skip = LINUX ? false : "memory and time are read from /proc";
/**
 * What a flood may add to a server at rest, MiB. Its accounts hold a hundredth of it: the rest is
 * what the runtime read, gave away and has not collected yet.
 */
const STRANGERS_MIB = 384;

const FLOODS = [
  "endless MORE",
  "endless tiny MORE",
  "endless empty MORE",
  "a frame that claims 2^62 bytes",
  "READY of 1 MB",
  "READY of 4,000 bytes, then nothing but READY",
  "commands",
  "PING",
  "PING, nothing read",
  "messages",
  "rubbish after a greeting",
  "rubbish",
  "greetings of ZMTP 1 and 2, CURVE, PLAIN",
  "hellos, nothing read",
  "resets",
  "invalid JSON",
];

test(
  "attack: floods of strangers cost a group little, and its members nothing",
  { skip },
  async () => {
    await closing(async (keep) => {
      const { registries, address, pid, process } = await processWorld(
        keep,
        keep(new Folder()).path,
      );
      const chatter = await Chatter.in(keep, registries);
      const rest = usage(pid).memory;
      const proved = ["invalid JSON of who proved a key", "deep JSON of who proved a key"];
      for (const kind of [...FLOODS, ...proved]) {
        const heard = chatter.count;
        const [before, ms] = [usage(pid).cpu, sized(300, 10_000)];
        const { most, done } = await highest(pid, () => flood(kind, address, ms));
        await chatter.hears(3);
        row(kind, {
          ...done,
          seconds: ms / 1_000,
          "CPU s": (usage(pid).cpu - before).toFixed(1),
          "peak MiB": most,
          heard: chatter.count - heard,
        });
        assert.ok(done.connections > 0);
        assert.ok(most < rest + STRANGERS_MIB, `${kind}: ${most} MiB, ${rest} at rest`);
        assert.equal(chatter.lost, 0, kind);
      }
      assert.doesNotMatch(process.output, /A request failed/);
    });
  },
);

test("attack: floods of strangers cost a registry little", { skip }, async () => {
  await closing(async (keep) => {
    const args = ["--port", "0", "--home", keep(new Folder()).path, "--quiet"];
    const registry = await program(keep, "registry.ts", args);
    const address = bare(registry.address);
    const rest = usage(registry.pid).memory;
    for (const kind of FULL ? FLOODS : ["endless MORE", "PING, nothing read", "messages"]) {
      const ms = sized(300, 5_000);
      const { most, done } = await highest(registry.pid, () => flood(kind, address, ms));
      row(`${kind}, at a registry`, { ...done, seconds: ms / 1_000, "peak MiB": most });
      assert.ok(most < rest + STRANGERS_MIB, `${kind}: ${most} MiB, ${rest} at rest`);
      // From another address: this one has asked for a while.
      await using hand = await Hand.open(address, { from: "127.0.0.77" });
      assert.equal(await codeOf(hand.ask("ping")), "ok");
    }
  });
});

test("attack: connections that are idle, half open or slow keep nobody out", { skip }, async () => {
  await closing(async (keep) => {
    const { registries, address, pid } = await processWorld(keep, keep(new Folder()).path);
    const chatter = await Chatter.in(keep, registries);
    const rest = usage(pid).memory;
    for (const kind of ["idle", "half open", "one byte a second"]) {
      const heard = chatter.count;
      // At full size until all are cut that did not prove themselves in time.
      const ms = sized(1_500, DEFAULT_BOUNDS.admitWithin + 5_000);
      const { most, done } = await highest(pid, () => flood(kind, address, ms));
      await using late = await Hand.member(address, { from: "127.0.0.77" });
      assert.equal(await codeOf(late.send("late")), "ok");
      row(kind, { ...done, "peak MiB": most, heard: chatter.count - heard });
      assert.ok(done.connections >= 500);
      if (FULL) assert.equal(done.cut, done.connections);
      assert.ok(most < rest + STRANGERS_MIB, `${kind}: ${most} MiB, ${rest} at rest`);
      assert.equal(chatter.lost, 0, kind);
    }
  });
});
