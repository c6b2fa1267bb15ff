/** Members who take more than their part: each alone is slowed, refused or cut. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { MAX_PACKET } from "../../lib/protocol/limits.ts";
import { readFeedHead } from "../../lib/session/packet.ts";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { closing, until } from "../support.ts";
import { usage } from "../support/usage.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { command, frame, PING } from "./attack_wire.ts";
import {
  Chatter,
  Counts,
  highest,
  LINUX,
  processWorld,
  row,
  sized,
  times,
  type World,
  world,
} from "./attack_world.ts";
import { Folder } from "./world.ts";

const MIB = 1_048_576;

type Way = (hand: Hand, here: World) => Promise<unknown>;

const raw = (bytes: () => Uint8Array): Way => (hand) => hand.wire.tcp.write(bytes());
const many = (n: number, bytes: Uint8Array) =>
  Buffer.concat(Array.from({ length: n }, () => bytes));

/** Each way, and what the accounts count for it. */
const CUT: Record<string, { readonly way: Way; readonly counted: string }> = {
  "a frame above the longest": {
    way: raw(() => {
      const head = Buffer.from("020000000000000000", "hex");
      head.writeBigUInt64BE(BigInt(MAX_PACKET + 1), 1);
      return head;
    }),
    counted: "cut: frame too long",
  },
  "endless MORE": {
    way: raw(() => many(20, frame(new Uint8Array(1_000), 1))),
    counted: "cut: too many frames",
  },
  "long frames with MORE": {
    way: raw(() => many(4, frame(new Uint8Array(MAX_PACKET / 2), 1))),
    counted: "cut: message too long",
  },
  "a command of 5,000 bytes": {
    way: raw(() => command("SUBSCRIBE", new Uint8Array(5_000))),
    counted: "cut: command too long",
  },
  "READY again": { way: raw(() => command("READY")), counted: "cut: second READY" },
  "a message without a packet": {
    way: (hand) => hand.wire.send("zg2", ""),
    counted: "cut: no packet",
  },
  "a message of another protocol": {
    way: (hand) => hand.wire.send("zg1", "{}"),
    counted: "cut: speaks no protocol known here",
  },
};

const SLOWED: typeof CUT = {
  "60,000 PINGs at once": {
    async way(hand) {
      const burst = hand.wire.tcp.write(many(60_000, PING));
      await hand.put(hand.request("ping"));
      await burst;
      await hand.reply();
    },
    counted: "paused: flood",
  },
  "1,000 requests at once": {
    async way(hand) {
      const all = Array.from({ length: 1_000 }, () => hand.request("members"));
      const more = Array.from({ length: 1_000 }, () => hand.request("read", { limit: 1 }));
      for (const packet of [...all, ...more]) void hand.put(packet);
      for (let i = 0; i < 2_000; i++) await hand.reply();
    },
    counted: "paused: too many requests",
  },
  "300 pages asked for at once, none read": {
    async way(hand, { group }) {
      hand.wire.tcp.deaf();
      const before = group.accounts.held;
      const pages = Array.from({ length: 300 }, () => hand.request("read"));
      for (const packet of pages) void hand.put(packet);
      await until(() => group.accounts.held > before + MIB, 10_000, "pages that wait");
    },
    counted: "paused: too many requests",
  },
  "a feed that is not read": {
    async way(hand, { founder, group }) {
      await hand.ask("subscribe");
      hand.wire.tcp.deaf();
      const text = "x".repeat(60_000);
      const dropped = () => group.accounts.counts.get("dropped: slow reader");
      // Never where what is not read is kept without a bound.
      await until(
        async () => dropped() || !await founder.send("Lab", text),
        30_000,
        "a frame that is dropped",
      );
    },
    counted: "dropped: slow reader",
  },
};

/** A world with a long log and a member who must not notice. */
async function busyWorld(
  keep: Parameters<typeof world>[0],
  options: Parameters<typeof world>[2] = {},
): Promise<World & { chatter: Chatter }> {
  const here = await world(keep, keep(new Folder()).path, { rate: Infinity, ...options });
  for (let i = 0; i < 8; i++) await here.founder.send("Lab", "x".repeat(60_000));
  return { ...here, chatter: await Chatter.in(keep, here.registries) };
}

test("attack: a member who overdraws its account is cut, or slowed, alone", async () => {
  await closing(async (keep) => {
    const here = await busyWorld(keep);
    const { address, group, chatter } = here;
    const good = keep(await Hand.member(address));
    const rounds = sized(1, 50);
    for (const [what, { way, counted }] of [...Object.entries(CUT), ...Object.entries(SLOWED)]) {
      const heard = chatter.count;
      const before = group.accounts.counts.get(counted) ?? 0;
      const counts = new Counts();
      await times(what in CUT ? rounds : 1, 4, async () => {
        await using hand = await Hand.member(address);
        await way(hand, here);
        if (what in SLOWED) return counts.add("slowed");
        // Deaf ones hear of it when they listen again.
        hand.wire.tcp.socket.resume();
        await until(() => hand.wire.tcp.ended, 10_000, `the end of who sends ${what}`);
        counts.add("cut");
      });
      assert.ok((group.accounts.counts.get(counted) ?? 0) > before, `${what}: ${counted}`);
      assert.equal(await codeOf(good.ask("ping")), "ok");
      await chatter.hears(3);
      row(what, { ...counts.all, heard: chatter.count - heard });
    }
    assert.equal(chatter.lost, 0);
    const most = Math.ceil(group.accounts.most / MIB);
    row("accounts of members who overdraw", { "MiB at most": most });
    assert.ok(most < DEFAULT_BOUNDS.total / MIB);
  });
});

test("attack: a member who asks more than its part is refused, and the others are not", async () => {
  await closing(async (keep) => {
    const { address, group, registries } = await world(keep, keep(new Folder()).path);
    const chatter = await Chatter.in(keep, registries);
    const witness = keep(await Hand.member(address));
    await witness.ask("subscribe");
    const { generation } = (await witness.ask("subscribe")) as { generation: number };
    const asks: Record<string, { n: number; ask: (hand: Hand) => Promise<unknown> }> = {
      "sends": {
        n: sized(500, 20_000),
        ask: (hand) => hand.ask("send", hand.texts("spam", hand.key, 16)),
      },
      "reads": { n: sized(2_000, 20_000), ask: (hand) => hand.ask("read", { limit: 1 }) },
      "typing hints": { n: sized(1_000, 5_000), ask: (hand) => hand.ask("typing") },
      "proofs": { n: sized(1_000, 5_000), ask: (hand) => hand.prove() },
      "pings": { n: sized(1_000, 5_000), ask: (hand) => hand.ask("ping") },
      "subscriptions": { n: sized(500, 5_000), ask: (hand) => hand.ask("subscribe") },
      "invites": { n: sized(500, 5_000), ask: (hand) => hand.ask("invite") },
      "leaves and joins": {
        n: sized(100, 1_000),
        ask: async (hand) => {
          await hand.ask("leave");
          await hand.ask("join");
        },
      },
      "requests that are none": {
        n: sized(1_000, 20_000),
        async ask(hand) {
          await hand.say("{");
          const reply = await hand.reply();
          if ("error" in reply) throw reply.error;
        },
      },
    };
    for (const [what, { n, ask }] of Object.entries(asks)) {
      await using hand = await Hand.member(address);
      const followers = group.group.feed.followers;
      const counts = new Counts();
      for (let i = 0; i < n; i++) counts.add(await codeOf(ask(hand)));
      row(`${what} without a pause`, counts.all);
      const refused = what === "requests that are none" ? "bad_request" : "rate_limited";
      assert.ok(counts.of(refused) > 0, what);
      assert.ok(group.group.feed.followers <= followers + 1, what);
    }
    await witness.ask("ping");
    const pushed = witness.pushes.length;
    row("generations of leaves and joins", { pushed, first: generation });
    assert.ok(witness.feed.every((packet) => readFeedHead(packet)));
    await chatter.hears(3);
    assert.equal(chatter.lost, 0);
  });
});

test("attack: one user has 64 connections at most", async () => {
  await closing(async (keep) => {
    const { address, group, registries } = await world(keep, keep(new Folder()).path);
    const chatter = await Chatter.in(keep, registries);
    const first = keep(await Hand.member(address));
    const total = sized(80, 500);
    for (let i = 0; i < total; i++) keep(await Hand.proved(address, { key: first.key }));
    await until(() => first.wire.tcp.ended, 5_000, "the oldest is cut");
    const { length } = group.group.presence.of(first.user);
    row("connections of one user", { tried: total, held: length });
    assert.equal(length, 64);
    await chatter.hears(3);
    assert.equal(chatter.lost, 0);
  });
});

test("attack: many members who read nothing hold together what the sum allows", async () => {
  await closing(async (keep) => {
    const limit = 16 * MIB;
    const { address, group, chatter } = await busyWorld(keep, { memoryLimit: limit });
    const hands = await Promise.all(
      Array.from({ length: sized(20, 100) }, async () => keep(await Hand.member(address))),
    );
    const { connections } = group.accounts;
    await Promise.all(hands.map(async (hand) => {
      hand.wire.tcp.deaf();
      // More than the system's buffers take.
      for (let i = 0; i < 60; i++) await hand.put(hand.request("read"));
    }));
    const cut = () => group.accounts.counts.get("cut: holds most of all") ?? 0;
    await until(() => cut() > 0, 20_000, "the largest are cut");
    await chatter.hears(10);
    const slowest = Math.round(Math.max(...chatter.delays));
    row("members who read nothing, all together", {
      "slowest ms": slowest,
      members: hands.length,
      cut: connections - group.accounts.connections,
      "held MiB at most": (group.accounts.most / MIB).toFixed(1),
      "bound MiB": limit / MIB,
    });
    assert.equal(chatter.lost, 0);
    // What came in one turn may go over it before the largest are cut: one reply.
    assert.ok(group.accounts.most <= limit + 1.1 * MIB);
  });
});

test("attack: the same in a process of its own, by its resident memory", {
  skip: LINUX ? false : "memory is read from /proc",
}, async () => {
  await closing(async (keep) => {
    const bound = sized(48, 256);
    const options = ["--max-memory", String(bound), "--rate", "off"];
    const { registries, address, pid } = await processWorld(
      keep,
      keep(new Folder()).path,
      options,
    );
    const user = keep(await connect({ name: "filler", registries }));
    await user.join("Lab");
    for (let i = 0; i < 8; i++) await user.send("Lab", "x".repeat(60_000));
    const chatter = await Chatter.in(keep, registries);
    const rest = usage(pid).memory;
    const members = sized(20, 100);
    const { most } = await highest(pid, async () => {
      const from = chatter.count;
      await times(members, 10, async () => {
        const hand = keep(await Hand.member(address));
        hand.wire.tcp.deaf();
        for (let i = 0; i < 60; i++) await hand.put(hand.request("read"));
      });
      await until(() => chatter.count > from + 20, 30_000, "a member that goes on");
    });
    await using late = await Hand.member(address);
    assert.equal(await codeOf(late.ask("ping")), "ok");
    row("members who read nothing, resident memory", {
      members,
      "bound MiB": bound,
      "at rest MiB": Math.round(rest),
      "peak MiB": most,
      heard: chatter.count,
    });
    assert.equal(chatter.lost, 0);
    // What the runtime freed and did not give back comes on top.
    assert.ok(most < rest + bound + 256, `${most} MiB`);
  });
});
