/** Attacks of members: those who were removed, banned, demoted or muted, and those who forge. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { parseInvite } from "../../lib/protocol/invite.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { closing, until } from "../support.ts";
import { Attacker, codeOf, Counts, row, sized, type World, world } from "./attack_world.ts";
import { Folder } from "./world.ts";

type Keep = Parameters<Parameters<typeof closing>[0]>[0];

/** A member who holds its sockets: the commands with a session, and the live feed. */
class Insider extends Attacker {
  readonly heard: string[] = [];
  session = "";
  #feed: AsyncDisposable | undefined;

  async join(invite?: string): Promise<void> {
    await this.enter(invite);
    this.session = await this.prove();
    await this.ask("address", "join", { session: this.session, curve: this.curve.publicKey });
  }

  /** Listens with a token of its own, and resolves when it hears. */
  async listen(live: string, serverKey: string, speak: () => Promise<unknown>): Promise<void> {
    const { token } = await this.ask("address", "subscribe", { session: this.session });
    const feed = zmqTransport().subscribe({
      address: live,
      security: { serverKey, keys: this.curve },
      onMessage: (_, payload) => this.heard.push(new TextDecoder().decode(payload)),
    });
    await this.#feed?.[Symbol.asyncDispose]();
    this.#feed = feed;
    feed.subscribe(String(token));
    await until(
      async () => {
        await speak();
        return this.heard.some((text) => text.includes("batches"));
      },
      10_000,
      "the live feed",
    );
  }

  async send(text: string, key = this.key): Promise<string> {
    const message = [midMaker()(), text] as const;
    const sig = key.sign(signedText(this.group, this.user, [messageHash(message)]));
    const fields = { session: this.session, messages: [message], sig };
    return await codeOf(this.ask("address", "send", fields));
  }

  group = "";

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#feed?.[Symbol.asyncDispose]();
    await super[Symbol.asyncDispose]();
  }
}

async function insider(keep: Keep, { record, founder, group }: World): Promise<Insider> {
  const one = keep(new Insider(record));
  one.group = record.id;
  const invite = group.service.identity.access === "private"
    ? parseInvite(await founder.invite("Lab"))!.token
    : undefined;
  await one.join(invite);
  await one.listen(record.live, record.curve, () => founder.send("Lab", "before"));
  return one;
}

for (const access of ["open", "private"] as const) {
  for (const action of ["remove", "ban"] as const) {
    test(`attack: after ${action}, who keeps its sockets gets nothing of the ${access} group`, async () => {
      await closing(async (keep) => {
        const isPrivate = access === "private";
        const here = await world(keep, keep(new Folder()).path, { private: isPrivate });
        const { founder, record, group } = here;
        const mallory = await insider(keep, here);
        const witness = await insider(keep, here);
        const told = new Counts();

        await founder.act("Lab", { action, user: mallory.user });
        for (let i = 0; i < 20; i++) await founder.send("Lab", `secret ${i}`);
        const last = () => witness.heard.some((text) => text.includes("secret 19"));
        await until(
          async () => {
            if (last()) return true;
            await witness.listen(record.live, record.curve, () => founder.send("Lab", "secret 19"));
            return last();
          },
          10_000,
          "a member that hears on",
        );
        assert.equal(mallory.heard.some((text) => text.includes("secret")), false);

        const { session } = mallory;
        for (const op of ["ping", "read", "members", "subscribe", "typing", "leave"]) {
          told.add(await codeOf(mallory.ask("address", op, { session })));
        }
        told.add(await mallory.send("still here"));
        assert.deepEqual(told.all, { no_session: 7 });

        // On the connection it kept it may say hello again, and learns nothing by it.
        const again = await mallory.prove();
        const after = new Counts();
        for (const op of ["read", "members", "subscribe", "typing"]) {
          after.add(await codeOf(mallory.ask("address", op, { session: again })));
        }
        assert.deepEqual(after.all, { not_member: 4 });
        assert.equal((await mallory.ask("address", "ping", { session: again })).head, 0);
        const back = await codeOf(mallory.ask("address", "join", { session: again }));
        const expected = action === "ban" ? "banned" : isPrivate ? "forbidden" : "ok";
        assert.equal(back, expected);
        if (expected !== "ok") {
          assert.equal(await codeOf(mallory.enter()), expected);
          assert.equal(group.service.admission.admits(mallory.curve.publicKey), false);
        }
        row(`${action} in ${access} group, sockets kept`, {
          ...told.all,
          "entries heard after it": 0,
          "join again": back,
        });
      });
    });
  }
}

test("attack: what is decided in the same commit as a removal does not reach who is removed", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path, { private: true });
    const { founder, group } = here;
    const mallory = await insider(keep, here);
    const mid = midMaker();
    const answer = { ok() {}, refuse() {} };
    const actor = { user: founder.id, name: "founder", key: newSigningKey().publicKey };
    group.service.act(actor, { action: "remove", user: mallory.user }, answer);
    for (let i = 0; i < 50; i++) {
      group.service.send(actor, [[mid(), `secret ${i}`]], undefined, 100, answer);
    }
    const done = (await founder.send("Lab", "last")).seq;
    assert.equal(group.service.head, done);
    // What was published to it before the cut has arrived when its own removal has.
    await until(
      () => mallory.heard.some((text) => text.includes('"kind":"remove"')),
      5_000,
      "its removal",
    );
    row("entries of the removal's own commit", { sent: 50, heard: 0 });
    assert.equal(mallory.heard.some((text) => text.includes("secret")), false);
  });
});

test("attack: a demoted reader and a muted member cannot send, and leaving does not help", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path);
    const { founder, group } = here;
    const mallory = await insider(keep, here);
    const counts = new Counts();
    const comeBack = async () => {
      const { session } = mallory;
      await mallory.ask("address", "leave", { session });
      await mallory.ask("address", "join", { session });
    };
    assert.equal(await mallory.send("as a member"), "ok");
    const { head } = group.service;
    await founder.act("Lab", { action: "demote", user: mallory.user });
    for (let i = 0; i < 20; i++) counts.add(await mallory.send("as a reader"));
    await comeBack();
    for (let i = 0; i < 20; i++) counts.add(await mallory.send("as a reader who came back"));
    await founder.act("Lab", { action: "promote", user: mallory.user });
    await founder.act("Lab", { action: "mute", user: mallory.user });
    for (let i = 0; i < 20; i++) counts.add(await mallory.send("muted"));
    await comeBack();
    for (let i = 0; i < 20; i++) counts.add(await mallory.send("muted, came back"));
    row("send by a reader and a muted member", counts.all);
    assert.deepEqual(counts.all, { forbidden: 40, muted: 40 });
    const texts: string[] = [];
    for await (const entry of founder.read("Lab", { after: head })) {
      if (entry.kind === "message") texts.push(entry.text!);
    }
    assert.deepEqual(texts, []);
    assert.equal(
      await codeOf(mallory.ask("address", "act", {
        session: mallory.session,
        action: "unmute",
        user: mallory.user,
      })),
      "forbidden",
    );
  });
});

test("attack: a message that its author did not sign is marked, live and in the log", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path);
    const { founder } = here;
    const mallory = await insider(keep, here);
    const reader = keep(await connect({ name: "reader", registries: founder.registries }));
    await reader.join("Lab");
    const total = sized(10, 200);
    for (let i = 0; i < total; i++) {
      assert.equal(await mallory.send(`forged ${i}`, newSigningKey()), "ok");
    }
    assert.equal(await mallory.send("honest"), "ok");
    const live = new Counts();
    const logged = new Counts();
    for await (const { text, signature } of reader.follow("Lab", { after: 0 })) {
      if (text?.startsWith("forged")) live.add(signature);
      if (text !== "honest") continue;
      assert.equal(signature, "valid");
      break;
    }
    for await (const { text, signature } of reader.read("Lab")) {
      if (text?.startsWith("forged")) logged.add(signature);
    }
    row("messages with another's signature", { tried: total, ...logged.all });
    assert.deepEqual(live.all, { invalid: total });
    assert.deepEqual(logged.all, { invalid: total });
  });
});

test("attack: a guest that is no member is not let in at the live feed, nor given its topic", async () => {
  await closing(async (keep) => {
    const here = await world(keep, keep(new Folder()).path);
    const { founder, record, group } = here;
    const member = await insider(keep, here);
    const guest = keep(new Insider(record));
    await guest.enter();
    assert.equal(group.service.admission.admits(guest.curve.publicKey), true);
    assert.equal(group.service.admission.admitsToFeed(guest.curve.publicKey), false);
    const heard: string[] = [];
    const feed = keep(
      zmqTransport().subscribe({
        address: record.live,
        security: { serverKey: record.curve, keys: member.curve }, // as if a member lent its key
        onMessage: (_, payload) => heard.push(new TextDecoder().decode(payload)),
      }),
    );
    for (const token of ["", "\0", "A".repeat(22), record.id, "x".repeat(200)]) {
      feed.subscribe(token);
    }
    const before = member.heard.length;
    await until(
      async () => {
        await founder.send("Lab", "for members");
        return member.heard.length > before + 5;
      },
      10_000,
      "the member's feed",
    );
    row("subscriptions without a token of the group", { tried: 5, heard: heard.length });
    assert.deepEqual(heard, []);
  });
});
