/** Floods: strangers who cost memory, connections or time, while members talk on. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { platform } from "node:os";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import type { GroupRecord } from "../../mod.ts";
import { closing, until } from "../support.ts";
import {
  Attacker,
  Chatter,
  codeOfReply,
  processWorld,
  RawChannel,
  residentMiB,
  row,
  sized,
  world,
} from "./attack_world.ts";
import { NullDealer, Tcp } from "./attack_wire.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const LINUX = platform() === "linux";
const MOST_MIB = 256;

interface Flood {
  readonly kind: string;
  readonly where: "door" | "address" | "live";
  readonly what: string;
}

const FLOODS: readonly Flood[] = [
  { kind: "more-curve", where: "door", what: "endless MORE at the door, any CURVE key" },
  { kind: "more-small", where: "door", what: "endless tiny MORE at the door" },
  { kind: "more-curve", where: "address", what: "endless MORE at the commands, unadmitted key" },
  { kind: "more-null", where: "door", what: "endless MORE at the door, raw TCP, NULL" },
  { kind: "more-fake", where: "address", what: "endless MORE at the commands, raw TCP, no CURVE" },
  { kind: "more-null", where: "live", what: "endless MORE at the live feed, raw TCP, NULL" },
  { kind: "garbage", where: "door", what: "garbage connections at the door, without a pause" },
];

/** Floods a group that is a process; its highest memory, and how often a member heard itself. */
async function flood(
  { kind, where }: Flood,
  { record, pid, ms, chatter, secret = "" }: {
    secret?: string;
    record: GroupRecord;
    pid: number;
    ms: number;
    chatter: Chatter;
  },
): Promise<{ highest: number; heard: number; done: Record<string, number> }> {
  const args = [kind, record[where], record.curve, String(ms), secret];
  await using attacker = new Process(ours("tests/system/attacker.ts", ...args));
  await attacker.line(/^READY/);
  const before = chatter.count;
  let highest = 0;
  const look = setInterval(() => (highest = Math.max(highest, residentMiB(pid))), 10);
  try {
    const line = await attacker.line(/^DONE/, ms + 15_000);
    return { highest, heard: chatter.count - before, done: JSON.parse(line.slice(5)) };
  } finally {
    clearInterval(look);
  }
}

test("attack: floods of strangers leave memory below 256 MiB while members chat on", {
  skip: LINUX ? false : "resident memory is read from /proc",
}, async () => {
  await closing(async (keep) => {
    const folder = keep(new Folder());
    const { record, registry, pid } = await processWorld(keep, folder.path);
    const user = await connect({ name: "alice", registries: [registry] });
    await user.join("Lab");
    const chatter = keep(new Chatter(user));
    await chatter.start();
    for (const one of FLOODS) {
      const endless = one.kind === "more-curve" && one.where === "door";
      const ms = sized(endless ? 4_000 : 1_500, endless ? 20_000 : 10_000);
      const { highest, heard, done } = await flood(one, { record, pid, ms, chatter });
      row(one.what, { ...done, seconds: ms / 1_000, "peak MiB": Math.round(highest), heard });
      assert.ok(highest < MOST_MIB, `${one.what}: ${highest} MiB`);
      assert.ok(heard > 0, `${one.what}: a member was heard`);
    }
  });
});

test("attack: endless MORE of a key that the door let in ends at 128 MiB of growth", {
  skip: LINUX ? false : "resident memory is read from /proc",
}, async () => {
  await closing(async (keep) => {
    const { record, registry, pid, group } = await processWorld(keep, keep(new Folder()).path);
    const user = await connect({ name: "alice", registries: [registry] });
    await user.join("Lab");
    const chatter = keep(new Chatter(user));
    await chatter.start();
    const guest = keep(new Attacker(record));
    await guest.enter();
    const one = { kind: "more-curve", where: "address", what: "" } as const;
    const ms = sized(5_000, 20_000);
    const secret = guest.curve.secretKey;
    // On a busy machine one flood may not get so far.
    for (let i = 0; i < 5 && !/Cutting every connection/.test(group.output); i++) {
      const { highest, heard, done } = await flood(one, { record, pid, ms, chatter, secret });
      row("endless MORE at the commands, admitted guest", {
        ...done,
        "peak MiB": highest | 0,
        heard,
      });
      assert.ok(highest < MOST_MIB + 128, `${highest} MiB`);
    }
    assert.match(group.output, /Cutting every connection/);
    const before = chatter.count;
    await until(() => chatter.count > before, 10_000, "a member that is heard after the cut");
  });
});

test("attack: garbage, greetings and half a handshake are cut, and members chat on", async () => {
  await closing(async (keep) => {
    const { group, record, founder } = await world(keep, keep(new Folder()).path);
    const chatter = keep(new Chatter(founder));
    await chatter.start();
    const total = sized(400, 2_000);
    const targets = [record.door, record.address, record.live];
    const random = new Uint8Array(64);
    let connected = 0;
    let cut = 0;
    for (let i = 0; i < total; i += 50) {
      await Promise.all(Array.from({ length: 50 }, async (_, n) => {
        await using tcp = await Tcp.open(targets[(i + n) % targets.length]);
        if (!tcp) return;
        connected++;
        await tcp.write(crypto.getRandomValues(random.slice()));
        await tcp.hungUp();
        cut++;
      }));
    }
    row("garbage connections", { connected, cut, heard: chatter.count });
    assert.equal(connected, total);
    assert.equal(cut, total);
    assert.equal(group.service.sessions.size, 1);
  });
});

test("attack: messages of 0, 1, 9 and 200,000 frames change nothing", async () => {
  await closing(async (keep) => {
    const { group, record, founder } = await world(keep, keep(new Folder()).path);
    const insider = keep(new Attacker(record));
    await insider.enter();
    const head = group.service.head;
    const many = sized(20_000, 200_000);
    for (const [where, keys] of [["door", undefined], ["address", insider.curve]] as const) {
      const wire = keep(new RawChannel(record[where], record.curve, keys));
      const good = ["zg1", '{"id":1,"op":"ping"}'];
      assert.deepEqual((await wire.askAll([good])).map(codeOfReply), ["ok"]);
      wire.send(Array.from({ length: many }, () => ""));
      wire.send(Array.from({ length: 9 }, () => "zg1"));
      const replies = await wire.askAll([[""], ["zg1"], ["zg1", ""], ["", "", ""], good]);
      // The long ones are dropped, the short ones answered; the last one shows that all is well.
      assert.equal(codeOfReply(replies[4]), "ok");
      row(`frames at the ${where === "door" ? "door" : "commands"}`, {
        longest: many,
        accepted: 0,
      });
    }
    assert.equal(group.service.head, head);
    assert.equal((await founder.send("Lab", "still here")).seq, head + 1);
  });
});

test(
  "attack: idle connections keep nobody out",
  { skip: LINUX ? false : "reads /proc" },
  async () => {
    await closing(async (keep) => {
      const folder = keep(new Folder());
      const { record, registry, pid } = await processWorld(keep, folder.path);
      const user = await connect({ name: "alice", registries: [registry] });
      await user.join("Lab");
      const chatter = keep(new Chatter(user));
      await chatter.start();
      const limit = Number(
        /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1],
      );
      const wanted = Math.min(sized(600, 3_000), limit - 500);
      const held: Tcp[] = [];
      try {
        for (let i = 0; i < wanted; i++) {
          const tcp = await Tcp.open(record.door);
          if (tcp) held.push(tcp);
        }
        assert.equal(held.length, wanted);
        const before = chatter.count;
        await using late = await connect({ name: "bob", registries: [registry] });
        await late.join("Lab");
        await until(() => chatter.count > before + 10, 10_000, "ten messages beside them");
        await Promise.all(held.map((tcp) => tcp.hungUp()));
        row("idle connections", { held: wanted, "cut after the handshake's 5 s": wanted, limit });
      } finally {
        await Promise.all(held.map((tcp) => tcp[Symbol.asyncDispose]()));
      }
    });
  },
);

test("attack: a peer in the clear never gets past the handshake of an encrypted group", async () => {
  await closing(async (keep) => {
    const { record } = await world(keep, keep(new Folder()).path);
    let refused = 0;
    for (const address of [record.door, record.address, record.live]) {
      const type = address === record.live ? "SUB" : "DEALER";
      for (const identity of [undefined, "x", "\0".repeat(5)]) {
        if (await NullDealer.open(address, identity, type) === undefined) refused++;
      }
    }
    row("handshakes in the clear", { refused, accepted: 9 - refused });
    assert.equal(refused, 9);
  });
});
