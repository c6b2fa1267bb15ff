/** Attacks on the door: guessed, altered, replayed, shared and late invites; strangers and ZAP. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { randomToken } from "../../lib/identity/keys.ts";
import { encodeRequest } from "../../lib/protocol/codec.ts";
import { parseInvite } from "../../lib/protocol/invite.ts";
import { Requester } from "../../lib/transport/requester.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { closing, until } from "../support.ts";
import {
  Attacker,
  codeOf,
  codeOfReply,
  Counts,
  flipped,
  RawChannel,
  row,
  sized,
  world,
} from "./attack_world.ts";
import { CurveDealer } from "./attack_wire.ts";
import { Folder } from "./world.ts";

/** The door keeps 16 replies of a connection and no more. */
const AT_ONCE = 10;

test("attack: random invite tokens open nothing", async () => {
  await closing(async (keep) => {
    const { group, record } = await world(keep, keep(new Folder()).path, { private: true });
    const attacker = keep(new Attacker(record));
    const total = sized(2_000, 10_000);
    const counts = new Counts();
    // The door limits all knocks together; a guess counts when it was looked at.
    const guess = async () => {
      for (const token = randomToken();;) {
        const request = attacker.ask("door", "enter", attacker.knock(token), 1_500);
        const said = await request.then(() => "ok", (error) => `${error.code} ${error.message}`);
        const heard = !said.includes("too many knock") && !said.includes("no answer");
        if (heard) return counts.add(said.split(" ")[0]);
      }
    };
    for (let i = 0; i < total; i += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, guess));
    }
    row("random invite tokens", { tried: total, ...counts.all });
    assert.equal(counts.of("ok"), 0);
    assert.equal(counts.of("bad_invite") + counts.of("rate_limited"), total);
    assert.equal(group.service.state.members.size, 1);
    assert.equal(group.service.admission.admits(attacker.curve.publicKey), false);
  });
});

test("attack: an enter altered in any byte, or replayed, lets nobody else in", async () => {
  await closing(async (keep) => {
    const { group, record, founder } = await world(keep, keep(new Folder()).path, {
      private: true,
    });
    const { token } = parseInvite(await founder.invite("Lab"))!;
    const guest = keep(new Attacker(record));
    const good = JSON.stringify({ id: 1, op: "enter", ...guest.knock(token) });
    await guest.ask("door", "enter", guest.knock(token));
    const members = [...group.service.state.members.keys()].sort();

    const mallory = keep(new Attacker(record));
    const wire = keep(new RawChannel(record.door, record.curve, mallory.curve));
    const counts = new Counts();
    const altered = flipped(good, 1);
    for (let i = 0; i < altered.length; i += AT_ONCE) {
      const some = altered.slice(i, i + AT_ONCE).map((body) => ["zg1", body]);
      for (const reply of await wire.askAll(some)) counts.add(codeOfReply(reply));
    }
    row("enter with each byte flipped", { tried: altered.length, ...counts.all });
    // Ok are those with another id, or another name before a signature that is whole.
    assert.deepEqual([...group.service.state.members.keys()].sort(), members);
    assert.equal(group.service.admission.admits(mallory.curve.publicKey), false);

    const replays = sized(50, 500);
    for (let i = 0; i < replays; i += AT_ONCE) {
      await wire.askAll(Array.from({ length: AT_ONCE }, () => ["zg1", good]));
    }
    assert.deepEqual([...group.service.state.members.keys()].sort(), members);
    assert.equal(group.service.admission.admits(mallory.curve.publicKey), false);
    const { key, name, sig } = guest.knock(token) as Record<string, string>;
    const swapped = { key, name, sig, invite: token, curve: mallory.curve.publicKey };
    assert.equal(await codeOf(mallory.ask("door", "enter", swapped)), "bad_proof");
    row("enter replayed by another connection", { replays, "others let in": 0 });
  });
});

test("attack: of many who redeem one invite at the same time exactly as many win as it says", async () => {
  await closing(async (keep) => {
    const { group, record, founder } = await world(keep, keep(new Folder()).path, {
      private: true,
    });
    const many = sized(40, 200);
    for (const uses of [1, 7]) {
      const { token } = parseInvite(await founder.invite("Lab", { uses }))!;
      const crowd = Array.from({ length: many }, () => keep(new Attacker(record)));
      const before = group.service.state.members.size;
      const counts = new Counts();
      await Promise.all(crowd.map(async (one) => counts.add(await codeOf(one.enter(token)))));
      row(`an invite for ${uses}, redeemed at once`, { tried: many, ...counts.all });
      assert.equal(counts.of("ok"), uses);
      assert.equal(counts.of("ok") + counts.of("bad_invite") + counts.of("rate_limited"), many);
      assert.equal(group.service.state.members.size, before + uses);
      // Who won and did not hear of it asks again and is in; who lost is not.
      const codes = new Counts();
      for (const one of crowd) codes.add(await codeOf(one.enter(token)));
      assert.equal(codes.of("ok"), uses);
    }
  });
});

test("attack: an invite that has expired, or whose maker is out, opens nothing", async () => {
  await closing(async (keep) => {
    const { record, founder, group } = await world(keep, keep(new Folder()).path, {
      private: true,
    });
    const late = parseInvite(await founder.invite("Lab", { for: 1 }))!;
    await until(() => Date.now() > late.expires, 1_000, "the end of an invite");
    const stranger = keep(new Attacker(record));
    assert.equal(await codeOf(stranger.enter(late.token)), "bad_invite");

    const admin = keep(await connect({ name: "admin", registries: founder.registries }));
    await admin.join(await founder.invite("Lab", { role: "admin" }));
    const { token } = parseInvite(await admin.invite("Lab", { uses: 1_000 }))!;
    await founder.act("Lab", { action: "remove", user: admin.id });
    assert.equal(await codeOf(stranger.enter(token)), "bad_invite");
    row("invites expired, or of a removed admin", { tried: 2, accepted: 0 });
    assert.equal(group.service.state.members.size, 1);
  });
});

test("attack: a private group is listed, and a stranger never gets past ZAP", async () => {
  await closing(async (keep) => {
    const { record, founder, group } = await world(keep, keep(new Folder()).path, {
      private: true,
    });
    const stranger = keep(await connect({ name: "eve", registries: founder.registries }));
    assert.deepEqual((await stranger.list()).map(({ name }) => name), ["Lab"]);
    assert.equal(await codeOf(stranger.join("Lab")), "forbidden");
    const tries = sized(20, 200);
    let past = 0;
    for (const address of [record.address, record.live]) {
      for (let i = 0; i < tries; i++) {
        await using dealer = await CurveDealer.open(address, record.curve);
        if (dealer) past++;
      }
    }
    const security = { serverKey: record.curve };
    const options = { transport: zmqTransport(), address: record.address, what: "it", security };
    const direct = keep(new Requester(options));
    await assert.rejects(direct.request("ping", {}, 300), /no answer/);
    row("strangers at commands and feed of a private group", { tries: 2 * tries + 1, past });
    assert.equal(past, 0);
    assert.equal(group.service.state.members.size, 1);
  });
});

test("attack: a door that is flooded with knocks keeps no member out", async () => {
  await closing(async (keep) => {
    const { record, founder, group } = await world(keep, keep(new Folder()).path);
    const home = keep(new Folder()).path;
    const { registries } = founder;
    {
      await using alice = await connect({ home, name: "alice", registries });
      await alice.join("Lab");
    }
    // Whoever knocks takes from one budget of all; here it is used up while alice comes back.
    const mallory = keep(new Attacker(record));
    const knock = encodeRequest(1, "enter", { ...mallory.knock(), sig: "A".repeat(86) });
    let flooding = true;
    let knocks = 0;
    const peer = { id: "flood" };
    const flood = setInterval(() => {
      if (!flooding) return;
      const frames = knock.map((text) => new TextEncoder().encode(text));
      for (let i = 0; i < 300; i++, knocks++) group.knock(peer, frames);
    }, 5);
    try {
      await until(() => knocks > 3_000, 5_000, "a flood");
      const stranger = keep(new Attacker(record));
      const limited = async () => await codeOf(stranger.enter()) === "rate_limited";
      await until(limited, 5_000, "a stranger who has to wait");
      await using alice = await connect({ home, registries });
      assert.ok((await alice.send("Lab", "in spite of it")).seq > 0);
      row("knocks while a member comes back", { knocks, "members kept out": 0 });
    } finally {
      flooding = false;
      clearInterval(flood);
    }
  });
});
