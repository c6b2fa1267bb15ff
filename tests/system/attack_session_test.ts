/** Attacks on sessions: handshakes and packets altered, replayed, copied, and out of order. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { newSigningKey, type SigningKey, userId } from "../../lib/identity/keys.ts";
import { proofText } from "../../lib/protocol/record.ts";
import { GROUP_REPLIES } from "../../lib/protocol/schema.ts";
import { SessionClient } from "../../lib/session/client.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing } from "../support.ts";
import { between, type Way } from "./attack_between.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Counts, row, sized, times, world } from "./attack_world.ts";
import { Folder } from "./world.ts";

const AT_ONCE = 16;

/** One try for a session, and its end; true when it opened. */
async function tryOnce(address: string, key: SigningKey, ticket?: Uint8Array): Promise<boolean> {
  const gone = Promise.withResolvers<void>();
  let opened = false;
  const client = new SessionClient({
    transport: zmtpTransport(),
    address,
    what: "it",
    replies: GROUP_REPLIES,
    check: () => {},
    ticket: () => ticket,
    prove: (transcript) => ({
      key: key.publicKey,
      name: "victim",
      sig: key.sign(proofText(transcript)),
    }),
    opened: () => void (opened = true),
    gone: () => gone.resolve(),
  });
  const asked = client.opened(5_000).then(() => {}, () => {});
  await Promise.race([gone.promise, asked]);
  await client.close();
  return opened;
}

test("attack: a handshake with any byte altered on its way opens no session", async () => {
  await closing(async (keep) => {
    const { group, address } = await world(keep, keep(new Folder()).path, { rate: Infinity });
    const victim = newSigningKey();
    const first = keep(await Hand.proved(address, { key: victim }));
    const ticket = Buffer.from(String((await first.prove()).ticket), "base64url");
    await first[Symbol.asyncDispose]();

    // How long each packet is: hello with a ticket, answer, prove, its reply.
    const lengths = new Map<string, number>();
    const flips: { way: Way; n: number; at: number; mask: number }[] = [];
    const wire = keep(
      await between(address, (packet, { way, connection, n }) => {
        if (connection === 0) lengths.set(`${way} ${n}`, packet.length);
        const flip = flips[connection - 1];
        if (flip && flip.way === way && flip.n === n && flip.at < packet.length) {
          packet = Buffer.from(packet);
          packet[flip.at] ^= flip.mask;
        }
        return [packet];
      }),
    );
    assert.equal(await tryOnce(wire.address, victim, ticket), true);
    for (const [key, length] of lengths) {
      const [way, n] = key.split(" ");
      for (let at = 0; at < length; at += sized(3, 1)) {
        for (let bit = 0; bit < sized(1, 8); bit++) {
          flips.push({ way: way as Way, n: Number(n), at, mask: 1 << (at + bit) % 8 });
        }
      }
    }
    let opened = 0;
    const other = newSigningKey();
    const attempt = async (key: SigningKey) => {
      if (await tryOnce(wire.address, key, ticket)) opened++;
    };
    // What is altered behind the proof is no business of the group's.
    const before = flips.filter(({ way, n }) => way === "up" || n === 0);
    flips.splice(0, flips.length, ...before, ...flips.filter((flip) => !before.includes(flip)));
    await times(before.length, AT_ONCE, () => attempt(other));
    assert.equal(group.group.presence.of(userId(other.publicKey)).length, 0);
    await times(flips.length - before.length, AT_ONCE, () => attempt(newSigningKey()));
    row("a handshake with each byte flipped", { tried: flips.length, opened });
    assert.ok(flips.length > 300);
    assert.equal(opened, 0);
    assert.equal(wire.connections, flips.length + 1);
  });
});

test("attack: a recorded session is good for nobody, nowhere, again", async () => {
  await closing(async (keep) => {
    const { group, address } = await world(keep, keep(new Folder()).path);
    const victim = keep(await Hand.member(address));
    await victim.send("once");
    const { head } = group.group;
    const counts = new Counts();
    const sessions = group.group.presence.of(victim.user).length;
    await times(sized(60, 1_000), AT_ONCE, async (i) => {
      await using replay = await Hand.connected(address);
      // All of it, from the hello on, or with a hello of its own.
      await replay.put(i % 3 === 0 ? replay.hello() : victim.sent[0]);
      assert.equal((await replay.packet())[0], 2);
      for (const packet of victim.sent.slice(1 + i % 2)) await replay.put(packet);
      counts.add(await codeOf(replay.packet()));
    });
    row("a recorded session, replayed", counts.all);
    assert.deepEqual(Object.keys(counts.all), ["cut"]);
    assert.equal(group.group.head, head);
    assert.equal(group.group.presence.of(victim.user).length, sessions);
    assert.ok((await victim.send("still me")).accepted);
  });
});

test("attack: a sealed packet is worthless on another connection, whatever it asks", async () => {
  await closing(async (keep) => {
    const { group, address, founder } = await world(keep, keep(new Folder()).path, {
      rate: Infinity,
    });
    const victim = keep(await Hand.member(address));
    await founder.act("Lab", { action: "promote", user: victim.user });
    const asks: [string, object][] = [
      ["ping", {}],
      ["join", {}],
      ["read", {}],
      ["members", {}],
      ["subscribe", {}],
      ["typing", {}],
      ["invite", {}],
      ["act", { action: "topic", topic: "hers" }],
      ["send", victim.texts("hers")],
      ["leave", {}],
    ];
    const counts = new Counts();
    const rounds = sized(5, 100);
    for (let i = 0; i < rounds * asks.length; i++) {
      const [op, fields] = asks[i % asks.length];
      const { head } = group.group;
      const packet = victim.request(op, fields);
      await using thief = await Hand.proved(address);
      await thief.put(packet);
      counts.add(await codeOf(thief.reply()));
      assert.equal(group.group.head, head);
      // Hers is still good: nobody took it.
      await victim.put(packet);
      assert.ok("ok" in await victim.reply());
      if (op === "leave") {
        await victim.ask("join");
        await founder.act("Lab", { action: "promote", user: victim.user });
      }
    }
    row("a sealed packet on another connection", counts.all);
    assert.deepEqual(counts.all, { cut: rounds * asks.length });
  });
});

test("attack: packets out of order, twice, left out, cut and prolonged end their session", async () => {
  await closing(async (keep) => {
    const { group, address } = await world(keep, keep(new Folder()).path, { rate: Infinity });
    const { head } = group.group;
    const tricks: Record<string, (hand: Hand, one: Uint8Array) => Uint8Array[]> = {
      "out of order": (hand, one) => [hand.request("ping"), one],
      "left out": (hand) => [hand.request("ping")],
      "twice": (_, one) => [one, one],
      "cut": (_, one) => [one.subarray(0, -1)],
      "tag alone": (_, one) => [one.subarray(0, 17)],
      "empty": (_, one) => [one.subarray(0, 1)],
      "nothing": (_, one) => [one.subarray(0, 0)],
      "prolonged": (_, one) => [Buffer.concat([one, Uint8Array.of(0)])],
      "as an answer": (_, one) => [Buffer.concat([Uint8Array.of(2), one.subarray(1)])],
      "as a feed packet": (_, one) => [Buffer.concat([Uint8Array.of(4), one.subarray(1)])],
      "of no kind": (_, one) => [Buffer.concat([Uint8Array.of(9), one.subarray(1)])],
      "a hello too long": (hand) => [Buffer.concat([hand.hello(), Uint8Array.of(0)])],
      "a hello of low order": () => [Buffer.concat([Uint8Array.of(1), new Uint8Array(32)])],
    };
    const rounds = sized(5, 80);
    const counts = new Counts();
    const answered = new Counts();
    const names = Object.keys(tricks);
    await times(rounds * names.length, AT_ONCE, async (i) => {
      const name = names[i % names.length];
      await using hand = await Hand.proved(address);
      const one = hand.request("join");
      for (const packet of tricks[name](hand, one)) await hand.put(packet);
      let code = await codeOf(hand.reply());
      // The first of the two is good.
      if (name === "twice" && code === "ok") code = await codeOf(hand.reply());
      counts.add(code);
      if (code !== "cut") answered.add(name);
    });
    row("packets out of order, twice, left out, altered", counts.all);
    assert.deepEqual(answered.all, {});
    // One join for each good one of two.
    assert.ok(group.group.head <= head + rounds);
  });
});

test("attack: who drops, doubles and swaps packets between a user and its group changes nothing", async () => {
  await closing(async (keep) => {
    const { group, address, founder } = await world(keep, keep(new Folder()).path);
    let changed = 0;
    let held: Uint8Array | undefined;
    let seen = 0;
    const wire = keep(
      await between(address, (packet, { way, n }) => {
        // Handshakes, proofs and some requests pass, or nobody could notice anything.
        if (n < 2 || ++seen % 5 > 0) return [packet];
        changed++;
        const kind = changed % 4;
        if (kind === 0) return [];
        if (kind === 1) return [packet, packet];
        if (kind === 2) return way === "up" ? [Buffer.concat([packet, packet])] : [];
        const before = held;
        held = packet;
        return before ? [before] : [];
      }),
    );
    const user = keep(await connect({ name: "alice", registries: [] }));
    await user.join(wire.address);
    const total = sized(6, 100);
    const texts = Array.from({ length: total }, (_, i) => `text ${i}`);
    // For ever where a connection on which a packet was lost is kept.
    for (const text of texts) await user.send("Lab", text, { within: 60_000 });
    const found: string[] = [];
    for await (const entry of founder.read("Lab")) {
      if (entry.author === user.id && entry.text) found.push(entry.text);
      if (entry.author === user.id && entry.text) assert.equal(entry.signature, "valid");
    }
    row("packets dropped, doubled and swapped between a user and its group", {
      changed,
      sent: total,
      "there once, in order": found.length,
    });
    assert.ok(changed > 2);
    assert.deepEqual(found, texts);
    assert.ok(group.accounts.counts.size > 0);
  });
});

test("attack: nobody claims another's user id", async () => {
  await closing(async (keep) => {
    const { address, group } = await world(keep, keep(new Folder()).path);
    const victim = keep(await Hand.member(address));
    const mallory = newSigningKey();
    const counts = new Counts();
    await times(sized(60, 1_000), AT_ONCE, async (i) => {
      await using hand = await Hand.open(address, { key: victim.key });
      const { key, name } = hand.proof();
      const sig = [
        mallory.sign(proofText(hand.transcript)),
        victim.proof().sig, // of another session
        victim.key.sign(hand.transcript),
        victim.key.sign(`zgroup server 2\n${hand.transcript}`),
        mallory.sign(proofText(victim.transcript)),
      ][i % 5];
      counts.add(await codeOf(hand.ask("prove", { key, name, sig })));
      // After a wrong one no other is looked at in this session.
      counts.add(await codeOf(hand.prove()));
      counts.add(await codeOf(hand.ask("members")));
    });
    row("another's user id", counts.all);
    const tried = sized(60, 1_000);
    assert.deepEqual(counts.all, { bad_proof: 2 * tried, no_session: tried });
    assert.equal(group.group.presence.of(victim.user).length, 1);
  });
});
