import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { Group, Refusal, Registry } from "../../mod.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { openFeed, readFeedHead } from "../../lib/session/packet.ts";
import { closing, until } from "../support.ts";
import { Ear, userOver } from "./live_world.ts";
import { RawMember, RawSession } from "./raw_session.ts";

const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

for (const plain of [false, true]) {
  test(`a stranger receives nothing of the feed of a group${plain ? " with --plain" : ""}`, () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const lab = keep(await Group.start({ name: "Lab", registries, plain, rate: Infinity }));
      const alice = keep(userOver({ registries, name: "alice" }));
      await alice.join("Lab");
      const ear = keep(new Ear(alice, "Lab", { after: 0 }));
      await alice.send("Lab", "first");
      await ear.hears("first");

      // Who follows gets packets and can open them: what comes below can fail.
      const mallory = keep(await RawMember.proved(lab.address));
      await mallory.ask("join");
      const feed = await mallory.ask("subscribe");
      const formerKey = sealingKey(Buffer.from(feed.key as string, "base64url"));
      await alice.send("Lab", "for members");
      await until(
        async () => {
          await mallory.ask("ping");
          return mallory.session.feed.some((packet) => opens(packet).includes("for members"));
        },
        5_000,
        "a packet that the member can open",
      );

      // An accomplice inside hands on whatever it gets after mallory has left.
      const inside = keep(await RawMember.proved(lab.address));
      await inside.ask("join");
      const before = (await inside.ask("subscribe")).generation;
      await mallory.ask("leave");
      const silent = mallory.session.feed.length;

      const anonymous = keep(await RawSession.open(lab.address));
      const outsider = keep(await RawMember.proved(lab.address));
      const again = keep(await RawMember.proved(lab.address, mallory.key));
      await assert.rejects(anonymous.ask("subscribe"), refused("no_session"));
      for (const one of [outsider, again, mallory]) {
        await assert.rejects(one.ask("subscribe"), refused("not_member"));
      }
      const thief = keep(await RawMember.open(lab.address));
      await assert.rejects(thief.prove(newSigningKey()), refused("bad_proof"));

      for (let n = 0; n < 100; n++) await alice.send("Lab", `secret ${n}`);
      await ear.hears("secret 99");
      const strangers = [anonymous, ...[outsider, again, mallory, thief].map((one) => one.session)];
      for (const stranger of strangers) {
        await assert.rejects(stranger.ask("read")); // What was written before has come.
      }
      assert.deepEqual(strangers.map(({ feed }) => feed.length), [0, 0, 0, silent, 0]);

      await until(
        async () => {
          await inside.ask("ping");
          return inside.session.feed.length > 0 && inside.session.pushes.length > 0;
        },
        5_000,
        "what was sent after the removal",
      );
      const [{ generation }] = inside.session.pushes;
      assert.ok(generation > Number(before), "a removal begins a generation");
      const late = inside.session.feed.filter((packet) =>
        readFeedHead(packet)!.generation === generation
      );
      assert.ok(late.length > 0);
      for (const packet of late) assert.throws(() => opens(packet));

      function opens(packet: Uint8Array): string {
        const { counter } = readFeedHead(packet)!;
        return new TextDecoder().decode(openFeed(formerKey, counter, packet));
      }
    }));
}
