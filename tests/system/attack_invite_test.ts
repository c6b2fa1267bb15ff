/** Attacks on who may come in: guessed, altered, shared and late invites, and no invite at all. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { randomToken } from "../../lib/identity/keys.ts";
import { parseInvite } from "../../lib/protocol/invite.ts";
import { closing, until } from "../support.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Counts, row, sized, times, world } from "./attack_world.ts";
import { Folder } from "./world.ts";

const PRIVATE = { private: true, rate: Infinity } as const;
const AT_ONCE = 10;
/** Wrong invites have a rate. */
const REFUSED = /^(bad_invite|rate_limited)$/;

test("attack: random invite tokens open nothing", async () => {
  await closing(async (keep) => {
    const { address, group, founder } = await world(keep, keep(new Folder()).path, PRIVATE);
    const good = parseInvite(await founder.invite("Lab"))!.token;
    const total = sized(1_000, 10_000);
    const counts = new Counts();
    const hands = await Promise.all(
      Array.from({ length: AT_ONCE }, async () => keep(await Hand.proved(address))),
    );
    await Promise.all(hands.map(async (hand, n) => {
      for (let i = n; i < total; i += AT_ONCE) {
        // As random, or near to one that is good.
        const at = i % good.length;
        const near = good.slice(0, at) + (good[at] === "A" ? "B" : "A") + good.slice(at + 1);
        counts.add(await codeOf(hand.ask("join", { invite: i % 2 ? near : randomToken() })));
      }
    }));
    row("random invite tokens", { tried: total, ...counts.all });
    assert.equal(counts.of("bad_invite") + counts.of("rate_limited"), total);
    assert.equal(group.group.state.members.size, 1);
    assert.equal(await codeOf(hands[0].ask("join", { invite: good })), "ok");
  });
});

test("attack: an invite altered in any character leads nowhere", async () => {
  await closing(async (keep) => {
    const { group, founder, registries } = await world(keep, keep(new Folder()).path, PRIVATE);
    const link = await founder.invite("Lab", { uses: 1_000 });
    const counts = new Counts();
    const places = Array.from({ length: link.length }, (_, at) => at);
    let guests = 0;
    await times(places.length, 4 * AT_ONCE, async (at) => {
      const other = link[at] === "A" ? "B" : "A";
      const altered = link.slice(0, at) + other + link.slice(at + 1);
      // What leads to another host is looked at, not dialled.
      if (altered.split("/")[2] !== link.split("/")[2]) return counts.add("another host");
      await using user = await connect({ name: "eve", registries });
      await user.join(altered).then(() => {
        guests++;
        counts.add("joined");
      }, (error) => counts.add(error.code ?? error.name));
    });
    row("an invite with each character altered", { tried: link.length, ...counts.all });
    // 32 bits of a hash tell what was changed by mistake.
    assert.equal(guests, 0);
    assert.ok(counts.of("UsageError") > 100);
    assert.equal(group.group.state.members.size, 1 + guests);
  });
});

test("attack: of many who redeem one invite at the same time exactly as many win as it says", async () => {
  await closing(async (keep) => {
    const { address, group, founder } = await world(keep, keep(new Folder()).path, PRIVATE);
    const many = sized(40, 200);
    for (const uses of [1, 7]) {
      const { token } = parseInvite(await founder.invite("Lab", { uses }))!;
      const crowd = await Promise.all(
        Array.from({ length: many }, async () => keep(await Hand.proved(address))),
      );
      const before = group.group.state.members.size;
      const counts = new Counts();
      const join = (one: Hand) => codeOf(one.ask("join", { invite: token }));
      await Promise.all(crowd.map(async (one) => counts.add(await join(one))));
      row(`an invite for ${uses}, redeemed at once`, { tried: many, ...counts.all });
      assert.equal(counts.of("ok"), uses);
      assert.equal(counts.of("ok") + counts.of("bad_invite") + counts.of("rate_limited"), many);
      assert.equal(group.group.state.members.size, before + uses);
      // Who won and did not hear of it asks again and is in; who lost is not.
      const codes = new Counts();
      for (const one of crowd) codes.add(await join(one));
      assert.equal(codes.of("ok"), uses);
    }
  });
});

test("attack: an invite that has expired, or whose maker is out, opens nothing", async () => {
  await closing(async (keep) => {
    const { address, founder, group } = await world(keep, keep(new Folder()).path, PRIVATE);
    const late = parseInvite(await founder.invite("Lab", { for: 1 }))!;
    await until(() => Date.now() > late.until, 1_000, "the end of an invite");
    const stranger = keep(await Hand.proved(address));
    const counts = new Counts();
    counts.add(await codeOf(stranger.ask("join", { invite: late.token })));

    const admin = keep(await connect({ name: "admin", registries: founder.registries }));
    await admin.join(await founder.invite("Lab", { role: "admin" }));
    for (const action of ["demote", "remove", "ban"] as const) {
      const { token } = parseInvite(await admin.invite("Lab", { uses: 1_000 }))!;
      await founder.act("Lab", { action, user: admin.id });
      counts.add(await codeOf(stranger.ask("join", { invite: token })));
      if (action === "ban") break;
      if (action === "remove") await admin.join(await founder.invite("Lab", { role: "admin" }));
      else await founder.act("Lab", { action: "promote", user: admin.id });
    }
    row("invites expired, or of a former admin", counts.all);
    assert.deepEqual(counts.all, { bad_invite: 4 });
    assert.equal(group.group.state.members.size, 1);
  });
});

test("attack: who is no admin sees and revokes no invite, however often it asks", async () => {
  await closing(async (keep) => {
    const { address, founder, group } = await world(keep, keep(new Folder()).path, {
      private: true,
    });
    const made = await founder.invites.make("Lab", { uses: 1_000 });
    const { token } = parseInvite(made.link)!;
    const counts = new Counts();
    const member = keep(await Hand.proved(address));
    assert.equal(await codeOf(member.ask("join", { invite: token })), "ok");
    const reader = keep(await Hand.proved(address, { name: "reader" }));
    const { link } = await founder.invites.make("Lab", { role: "reader" });
    assert.equal(await codeOf(reader.ask("join", { invite: parseInvite(link)!.token })), "ok");
    const stranger = keep(await Hand.proved(address));
    const total = sized(120, 2_000);
    const hands = [member, reader, stranger];
    await Promise.all(hands.map(async (hand) => {
      for (let i = 0; i < total / hands.length; i++) {
        const asked = i % 2 ? hand.ask("invites") : hand.ask("revoke", { invite: made.id });
        counts.add(await codeOf(asked));
      }
    }));
    row("invites listed and revoked by who is no admin", { tried: total, ...counts.all });
    assert.deepEqual(Object.keys(counts.all).sort(), ["forbidden", "rate_limited"]);
    // Nobody else waits for it, and the invite is as it was.
    const [{ id, uses }, ...more] = await founder.invites.open("Lab");
    assert.deepEqual([id, uses, more], [made.id, 999, []]);
    assert.equal(group.group.state.members.size, 3);
  });
});

test("attack: an invite that is used while it is revoked lets in before it, or not at all", async () => {
  await closing(async (keep) => {
    const { address, founder, group } = await world(keep, keep(new Folder()).path, PRIVATE);
    const counts = new Counts();
    const many = sized(12, 60);
    for (let i = 0; i < sized(4, 20); i++) {
      const { id, link } = await founder.invites.make("Lab", { uses: many });
      const { token } = parseInvite(link)!;
      const crowd = await Promise.all(
        Array.from({ length: many }, async () => keep(await Hand.proved(address))),
      );
      const before = group.group.state.members.size;
      const join = (one: Hand) => codeOf(one.ask("join", { invite: token }));
      const revoked = founder.invites.revoke("Lab", id);
      const codes = await Promise.all(crowd.map(async (one, n) => {
        // One round trip after another, so that some are before it and some behind.
        for (let i = 0; i < n; i++) await one.ask("ping");
        return await join(one);
      }));
      // Where all were first, there was none left to be ended.
      const won = codes.filter((code) => code === "ok").length;
      assert.equal(await revoked, won < many ? 1 : 0);
      assert.equal(group.group.state.members.size, before + won);
      for (const code of codes) {
        counts.add(code);
        if (code !== "ok") assert.match(code, REFUSED);
      }
      assert.match(await join(keep(await Hand.proved(address))), REFUSED);
      assert.equal(await founder.invites.revoke("Lab", id), 0, "again is fine");
    }
    row("invites used while they are revoked", counts.all);
    assert.ok(counts.of("bad_invite") > 0);
    assert.deepEqual(await founder.invites.open("Lab"), []);
  });
});

test("attack: a private group is listed, and a stranger gets nothing of it", async () => {
  await closing(async (keep) => {
    const { address, founder, group } = await world(keep, keep(new Folder()).path, PRIVATE);
    const stranger = keep(await connect({ name: "eve", registries: founder.registries }));
    assert.deepEqual((await stranger.list()).map(({ name }) => name), ["Lab"]);
    assert.equal(await codeOf(stranger.join("Lab")), "forbidden");
    await founder.send("Lab", "inside");
    const { head } = group.group;
    const counts = new Counts();
    const rounds = sized(20, 400);
    const ops = ["join", "leave", "read", "members", "subscribe", "typing", "invite", "invites"];
    await times(rounds, AT_ONCE, async (i) => {
      await using hand = await (i % 2 ? Hand.open(address) : Hand.proved(address));
      for (const op of ops) counts.add(await codeOf(hand.ask(op)));
      counts.add(await codeOf(hand.send("from outside")));
      const ping = await hand.ask("ping");
      assert.deepEqual([ping.head, ping.hash], [0, undefined]);
      assert.deepEqual([hand.feed.length, hand.pushes.length], [0, 0]);
    });
    row("strangers at a private group", counts.all);
    assert.deepEqual(Object.keys(counts.all), ["forbidden", "no_session", "not_member"]);
    assert.equal(group.group.head, head);
    assert.equal(group.group.state.members.size, 1);
  });
});
