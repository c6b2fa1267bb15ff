/** Attacks on the live feed from the network: packets again, late, altered, and forged by a member. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { feedPacket, KIND, openFeed, readFeedHead } from "../../lib/session/packet.ts";
import { closing, until } from "../support.ts";
import { between } from "./attack_between.ts";
import { Hand } from "./attack_hand.ts";
import { Counts, row, sized, world } from "./attack_world.ts";
import { Ear } from "./live_world.ts";
import { Folder } from "./world.ts";

test("attack: feed packets that come again, late or altered are heard once, in order", async () => {
  await closing(async (keep) => {
    const { address, founder } = await world(keep, keep(new Folder()).path);
    const counts = new Counts();
    const former: Buffer[] = [];
    const wire = keep(
      await between(address, (packet, { way }) => {
        if (way === "up" || packet[0] !== KIND.feed) return [packet];
        const one = Buffer.from(packet);
        former.push(one);
        const n = former.length;
        if (n % 20 === 0) {
          counts.add("altered");
          one[n % one.length] ^= 1;
          return [one];
        }
        if (n % 7 === 0) {
          counts.add("left out");
          return [];
        }
        counts.add("again");
        const old = former[Math.floor(Math.random() * n)];
        // The counter of the head alone is raised: the packet is another one then.
        const raised = Buffer.from(one);
        raised.writeBigUInt64BE(raised.readBigUInt64BE(5) + 1_000n, 5);
        if (n % 11 !== 0) return [one, one, old];
        counts.add("counter raised");
        return [one, raised];
      }),
    );
    const user = keep(await connect({ name: "alice", registries: [] }));
    await user.join(wire.address);
    const ear = keep(new Ear(user, "Lab", { after: 0 }));
    const total = sized(25, 250);
    const texts = Array.from({ length: total }, (_, i) => `text ${i}`);
    for (const text of texts) {
      await founder.send("Lab", text);
      // Or it comes from the log, with many others: never where a hole is not seen.
      await ear.hears(text, 30_000);
    }
    row("feed packets again, late, altered, left out", { ...counts.all, heard: ear.texts.length });
    assert.ok(counts.of("again") > 5 && counts.of("altered") > 0);
    assert.deepEqual(ear.texts, texts);
    assert.deepEqual(ear.seqs, ear.seqs.map((_, i) => i + 1));
  });
});

test("attack: a member on another's network path forges hints, and no message", async () => {
  await closing(async (keep) => {
    const { address, founder, group } = await world(keep, keep(new Folder()).path);
    const mallory = keep(await Hand.member(address));
    const { generation, key, epoch } = await mallory.ask("subscribe") as Record<string, string>;
    const sealing = sealingKey(Buffer.from(key, "base64url"));
    const mid = midMaker();
    const counts = new Counts();
    const forger = newSigningKey();
    const frames = (first: number): object[] => [
      { epoch, head: 1e9 },
      { epoch, typing: { user: founder.id, name: "founder" } },
      { epoch: founder.id, head: 5 },
      {
        epoch,
        from: first,
        batches: [{
          ...{ first, count: 1, at: Date.now(), kind: "message" },
          ...{ author: founder.id, name: "founder", key: forger.publicKey },
          ...{ messages: [[mid(), "forged"]], sig: forger.sign("x"), hash: "A".repeat(43) },
        }],
      },
    ];
    const wire = keep(
      await between(address, (packet, { way }) => {
        const head = way === "down" && packet[0] === KIND.feed ? readFeedHead(packet) : undefined;
        if (!head || head.generation !== Number(generation)) return [packet];
        const forged = frames(group.group.head)[head.counter % 4];
        counts.add("forged");
        const text = JSON.stringify(forged);
        return [feedPacket(sealing, head.generation, head.counter, text), packet];
      }),
    );
    const user = keep(await connect({ name: "alice", registries: [] }));
    await user.join(wire.address);
    const signatures = new Counts();
    let [typing, alarms] = [0, 0];
    user.on((event) => {
      if (event.type === "typing") typing++;
      if (event.type === "alarm") alarms++;
    });
    const stop = new AbortController();
    const seqs: number[] = [];
    const following = (async () => {
      for await (const entry of user.follow("Lab", { after: 0, signal: stop.signal })) {
        seqs.push(entry.seq);
        if (entry.kind !== "message") continue;
        if (entry.text === "forged") signatures.add(entry.signature);
        else assert.equal(entry.signature, "valid");
        if (entry.text === "last") return;
      }
    })();
    const total = sized(12, 100);
    for (let i = 0; i < total; i++) {
      const { seq } = await founder.send("Lab", `text ${i}`);
      await until(() => seqs.at(-1)! >= seq, 30_000, "an entry in each place");
    }
    await founder.send("Lab", "last");
    await following;
    stop.abort();
    const logged: string[] = [];
    for await (const { text, signature } of user.read("Lab")) {
      if (text !== undefined) logged.push(text);
      if (text !== undefined) assert.equal(signature, "valid");
    }
    row("feed frames forged by a member on the path", {
      ...counts.all,
      "typing hints believed": typing,
      "shown": signatures.of("valid") + signatures.of("invalid"),
      "in the log": logged.filter((text) => text === "forged").length,
    });
    assert.ok(counts.of("forged") > 4);
    assert.deepEqual([signatures.all, alarms], [{}, 0]);
    assert.deepEqual(seqs, seqs.map((_, i) => i + 1));
    assert.equal(logged.includes("forged"), false);
    assert.equal(logged.length, total + 1);
  });
});

test("attack: a join that a member forges on the path, with the right hash, is taken back", async () => {
  await closing(async (keep) => {
    const { address, founder, group } = await world(keep, keep(new Folder()).path);
    const mallory = keep(await Hand.member(address));
    const { generation, key, epoch } = await mallory.ask("subscribe") as Record<string, string>;
    const sealing = sealingKey(Buffer.from(key, "base64url"));
    let { hash } = group.group;
    let forged = 0;
    const wire = keep(
      await between(address, (packet, { way }) => {
        const head = way === "down" && packet[0] === KIND.feed ? readFeedHead(packet) : undefined;
        if (!head || head.generation !== Number(generation)) return [packet];
        const { batches } = JSON.parse(
          Buffer.from(openFeed(sealing, head.counter, packet)).toString(),
        );
        if (!batches) return [packet];
        const former = Buffer.from(hash, "base64url");
        hash = batches.at(-1).hash;
        if (batches[0].messages?.[0][1] !== "replaced") return [packet];
        const { first } = batches[0];
        const own = { first, count: 1, at: Date.now(), kind: "join", author: founder.id };
        const batch = { ...own, name: "mallory", body: { role: "admin" } };
        const made = createHash("sha256").update(former).update(JSON.stringify(batch));
        const chained = { ...batch, hash: made.digest("base64url") };
        forged++;
        const text = JSON.stringify({ epoch, from: first, batches: [chained] });
        return [feedPacket(sealing, head.generation, head.counter, text)];
      }),
    );
    const user = keep(await connect({ name: "alice", registries: [] }));
    await user.join(wire.address);
    let taken = 0;
    user.on((event) => {
      if (event.type === "alarm" && event.why === "corrected") taken++;
    });
    const ear = keep(new Ear(user, "Lab", { after: 0 }));
    await founder.send("Lab", "first");
    await ear.hears("first");
    const total = sized(10, 100);
    for (let i = 0; i < total; i++) {
      const { seq } = await founder.send("Lab", "replaced");
      await until(() => (ear.seqs.at(-1) ?? 0) >= seq, 20_000, "the forged one");
      await founder.send("Lab", `text ${i}`);
      await ear.hears(`text ${i}`);
    }
    // What stands there when all is said.
    const shown = new Map(ear.heard.map(({ seq, kind, text }) => [seq, text ?? kind]));
    const logged = new Map<number, string>();
    for await (const { seq, kind, text } of user.read("Lab")) logged.set(seq, text ?? kind);
    const seen = ear.heard.filter((entry) => entry.kind === "join" && entry.body.role === "admin");
    const counts = { forged, shown: seen.length, "taken back": taken };
    row("joins forged by a member on the path, with the right hash", counts);
    assert.ok(taken > 0 && seen.length <= forged);
    assert.equal(taken, seen.length);
    assert.deepEqual([...shown].toSorted(([a], [b]) => a - b), [...logged]);
  });
});
