/** Attacks of members: those who were removed, banned, demoted or muted, and those who forge. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { parseInvite } from "../../lib/protocol/invite.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { openFeed, readFeedHead } from "../../lib/session/packet.ts";
import { closing, until } from "../support.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Counts, type Keep, row, sized, type World, world } from "./attack_world.ts";
import { Folder } from "./world.ts";

/** A member who follows, with the keys that it was given. */
class Insider {
  readonly hand: Hand;
  readonly keys = new Map<number, ReturnType<typeof sealingKey>>();

  constructor(hand: Hand) {
    this.hand = hand;
  }

  async follow(): Promise<void> {
    this.learn(await this.hand.ask("subscribe") as { generation: number; key: string });
  }

  learn({ generation, key }: { generation: number; key: string }): void {
    this.keys.set(generation, sealingKey(Buffer.from(key, "base64url")));
  }

  /** What this one's keys open of packets, whoever got them. */
  open(packets: readonly Buffer[]): string[] {
    return packets.flatMap((packet) => {
      const { generation, counter } = readFeedHead(packet)!;
      const texts: string[] = [];
      // A key of another generation may be tried, too.
      for (const key of new Set([this.keys.get(generation), ...this.keys.values()])) {
        try {
          if (key) texts.push(new TextDecoder().decode(openFeed(key, counter, packet)));
        } catch {
          // Not with this one.
        }
      }
      return texts;
    });
  }
}

async function insider(keep: Keep, { address, founder, group }: World): Promise<Insider> {
  const isPrivate = group.group.identity.access === "private";
  const invite = isPrivate ? parseInvite(await founder.invite("Lab"))!.token : undefined;
  const one = new Insider(keep(await Hand.member(address, invite ? { invite } : {})));
  await one.follow();
  return one;
}

/** Hears on until a text came; what went to it, and the keys that were pushed to it. */
async function hears(one: Insider, text: string): Promise<void> {
  const { hand } = one;
  const heard = () => one.open(hand.feed).some((found) => found.includes(text));
  await until(
    async () => {
      await hand.ask("typing");
      hand.pushes.forEach((push) => one.learn(push));
      return heard();
    },
    10_000,
    `a member that hears "${text}"`,
  );
}

for (const access of ["open", "private"] as const) {
  for (const action of ["remove", "ban"] as const) {
    test(`attack: after ${action}, who keeps its connections and keys gets nothing of the ${access} group`, async () => {
      await closing(async (keep) => {
        const isPrivate = access === "private";
        const here = await world(keep, keep(new Folder()).path, { private: isPrivate });
        const { founder, group, address } = here;
        const mallory = await insider(keep, here);
        const second = keep(await Hand.proved(address, { key: mallory.hand.key }));
        const accomplice = await insider(keep, here);
        await founder.send("Lab", "before");
        await hears(mallory, "before");
        await hears(accomplice, "before");
        const told = new Counts();

        await founder.act("Lab", { action, user: mallory.hand.user });
        const from = accomplice.hand.feed.length;
        const secrets = sized(20, 500);
        for (let i = 0; i < secrets; i++) await founder.send("Lab", `secret ${i}`);
        await hears(accomplice, `secret ${secrets - 1}`);
        const later = accomplice.hand.feed.slice(from)
          .filter((packet) => accomplice.open([packet])[0]?.includes("secret"));
        assert.ok(later.length > 0);

        // What it had before it was cut, and what an accomplice hands on.
        for (const hand of [mallory.hand, second]) {
          while (await codeOf(hand.reply()) !== "cut");
          told.add(await codeOf(hand.ask("ping")));
        }
        assert.deepEqual(told.all, { cut: 2 });
        mallory.hand.pushes.forEach((push) => mallory.learn(push));
        const heard = mallory.open(mallory.hand.feed).filter((text) => text.includes("secret"));
        const opened = mallory.open(later);

        // It may come again and prove its key, and learns nothing by it.
        const again = keep(await Hand.proved(address, { key: mallory.hand.key }));
        const after = new Counts();
        for (const op of ["read", "members", "subscribe", "typing", "leave", "invite"]) {
          after.add(await codeOf(again.ask(op)));
        }
        after.add(await codeOf(again.send("still here")));
        after.add(await codeOf(again.ask("act", { action: "topic", topic: "mine" })));
        const out = action === "ban" ? "banned" : "not_member";
        assert.deepEqual(after.all, { forbidden: 1, [out]: 7 });
        const { head, hash } = await again.ask("ping");
        assert.deepEqual([head, hash], [0, undefined]);
        const back = await codeOf(again.ask("join"));
        assert.equal(back, action === "ban" ? "banned" : isPrivate ? "forbidden" : "ok");
        row(`${action} in ${access} group, connections and keys kept`, {
          "connections cut": told.of("cut"),
          ...after.all,
          "frames of later": later.length,
          opened: opened.length,
          heard: heard.length,
          "join again": back,
        });
        assert.deepEqual([opened, heard], [[], []]);
        assert.ok(group.accounts.counts.size > 0);
      });
    });
  }
}

test("attack: what is decided in the same commit as a removal does not reach who is removed", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path, { private: true });
    const { founder, group } = here;
    const counts = { removals: 0, sent: 0, heard: 0 };
    for (let round = 0; round < sized(2, 20); round++) {
      const mallory = await insider(keep, here);
      const mid = midMaker();
      const actor = { user: founder.id, name: "founder", key: newSigningKey().publicKey };
      const asked = { actor, from: "here", size: 100 };
      const gone = { action: "remove", user: mallory.hand.user } as const;
      void group.group.handle<"act">({ op: "act", ...gone, ...asked });
      for (let i = 0; i < 50; i++) {
        const messages = [[mid(), `secret ${i}`] as const];
        void group.group.handle<"send">({ op: "send", messages, ...asked });
      }
      const done = (await founder.send("Lab", "last")).seq;
      assert.equal(group.group.head, done);
      while (await codeOf(mallory.hand.reply()) !== "cut");
      mallory.hand.pushes.forEach((push) => mallory.learn(push));
      counts.removals++;
      counts.sent += 51;
      counts.heard += mallory.open(mallory.hand.feed).filter((text) =>
        text.includes("secret") || text.includes("last")
      ).length;
    }
    row("entries of the removal's own commit", counts);
    assert.equal(counts.heard, 0);
  });
});

test("attack: a demoted reader and a muted member cannot send, and leaving does not help", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path);
    const { founder, group } = here;
    const { hand } = await insider(keep, here);
    const counts = new Counts();
    const many = sized(20, 200);
    const sends = async (text: string) => {
      for (let i = 0; i < many; i++) counts.add(await codeOf(hand.send(text)));
    };
    const comeBack = async () => {
      await hand.ask("leave");
      await hand.ask("join");
    };
    assert.equal(await codeOf(hand.send("as a member")), "ok");
    const { head } = group.group;
    await founder.act("Lab", { action: "demote", user: hand.user });
    await sends("as a reader");
    await comeBack();
    await sends("as a reader who came back");
    await founder.act("Lab", { action: "promote", user: hand.user });
    await founder.act("Lab", { action: "mute", user: hand.user });
    await sends("muted");
    await comeBack();
    await sends("muted, came back");
    row("send by a reader and a muted member", counts.all);
    assert.deepEqual(counts.all, { forbidden: 2 * many, muted: 2 * many });
    const texts: string[] = [];
    for await (const entry of founder.read("Lab", { after: head })) {
      if (entry.kind === "message") texts.push(entry.text!);
    }
    assert.deepEqual(texts, []);
    const unmute = hand.ask("act", { action: "unmute", user: hand.user });
    assert.equal(await codeOf(unmute), "forbidden");
  });
});

test("attack: a message that its author did not sign is marked, live and in the log", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path);
    const { founder } = here;
    const { hand } = await insider(keep, here);
    const reader = keep(await connect({ name: "reader", registries: founder.registries }));
    await reader.join("Lab");
    const total = sized(10, 200);
    for (let i = 0; i < total; i++) {
      assert.equal(await codeOf(hand.send(`forged ${i}`, newSigningKey())), "ok");
    }
    // What was signed, altered before it is sent.
    const { messages, sig } = hand.texts("pay bob 100");
    const [[id, text]] = messages as [string, string][];
    for (const other of [`${text}0`, text.replace("bob", "eve"), text.slice(0, -1)]) {
      const altered = [[id.replace(/^.{4}/, other.length.toString(16).padStart(4, "0")), other]];
      assert.equal(await codeOf(hand.ask("send", { messages: altered, sig })), "ok");
    }
    assert.equal(await codeOf(hand.send("honest")), "ok");
    const live = new Counts();
    const logged = new Counts();
    const isForged = (text?: string) => text?.startsWith("forged") || text?.startsWith("pay");
    for await (const { text, signature } of reader.follow("Lab", { after: 0 })) {
      if (isForged(text)) live.add(signature);
      if (text !== "honest") continue;
      assert.equal(signature, "valid");
      break;
    }
    for await (const { text, signature } of reader.read("Lab")) {
      if (isForged(text)) logged.add(signature);
    }
    row("messages with another's signature, or altered", { tried: total + 3, ...logged.all });
    assert.deepEqual(live.all, { invalid: total + 3 });
    assert.deepEqual(logged.all, { invalid: total + 3 });
  });
});

test("attack: who is no member gets no frame and no key of the feed", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path);
    const { founder, address } = here;
    const member = await insider(keep, here);
    const guests = await Promise.all(
      Array.from(
        { length: sized(10, 100) },
        async (_, i) => keep(await (i % 2 ? Hand.open(address) : Hand.proved(address))),
      ),
    );
    const counts = new Counts();
    for (const guest of guests) counts.add(await codeOf(guest.ask("subscribe")));
    await founder.send("Lab", "for members");
    await hears(member, "for members");
    for (const guest of guests) counts.add(await codeOf(guest.ask("read")));
    const heard = guests.reduce((sum, { feed, pushes }) => sum + feed.length + pushes.length, 0);
    row("subscriptions of who is no member", { ...counts.all, heard });
    assert.deepEqual(counts.all, { no_session: guests.length, not_member: guests.length });
    assert.equal(heard, 0);
  });
});
