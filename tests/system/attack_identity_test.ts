/** Attacks on who a group is: look-alikes, relays, and servers that want no encryption. */

import { Group, Registry } from "../support/inside.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { connect, IdentityChanged, type User } from "../../mod.ts";
import { shortKey } from "../../lib/identity/keys.ts";
import { encodeInvite, parseInvite } from "../../lib/protocol/invite.ts";
import { Initiator } from "../../lib/session/noise.ts";
import { encodeReset, HEAD, PROLOGUE } from "../../lib/session/packet.ts";
import { closing, until } from "../support.ts";
import { between } from "./attack_between.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { tcpServer, Wire } from "./attack_wire.ts";
import { Counts, type Keep, row, sized, times, world } from "./attack_world.ts";
import { type Imposter, lookAlike, lyingRegistry } from "./imposters.ts";
import { Folder } from "./world.ts";

const SECRET = "for the Lab alone";

/** What a user says when it is to send, and when it is to join, to who is not its group. */
async function attempts(user: User, target: string): Promise<string[]> {
  const sent = user.send("Lab", SECRET, { within: 4_000 });
  const all = await Promise.allSettled([sent, user.join(target), user.join("Lab")]);
  return all.map((one) => one.status === "fulfilled" ? "ok" : (one.reason as Error).name);
}

/** Who joined the Lab, and whose Lab and registry are gone. */
async function orphan(keep: Keep): Promise<{ user: User; address: string; key: string }> {
  const registry = await Registry.start({ port: 0 });
  const registries = [registry.address];
  const lab = await Group.start({ name: "Lab", registries });
  const user = keep(await connect({ name: "alice", registries }));
  const { key } = await user.join("Lab");
  await lab.close();
  await registry.close();
  return { user, address: lab.address, key };
}

test("attack: a look-alike gets no byte of text, and trust shows both keys", async () => {
  await closing(async (keep) => {
    const counts = new Counts();
    const rounds = sized(1, 20);
    let requests = 0;
    const got = (imposter: Imposter) => void (requests += imposter.got.length);
    for (let i = 0; i < rounds; i++) {
      // In its place, with the same name.
      const { user, address, key } = await orphan(keep);
      await using imposter = await lookAlike({ address });
      for (const said of await attempts(user, address)) counts.add(said);
      await until(() => imposter.sessions > 0, 5_000, "somebody who comes to the look-alike");
      got(imposter);
      const { before, now, changed } = await user.trust("Lab");
      assert.deepEqual([before, now, changed], [key, imposter.key.publicKey, true]);
      assert.notEqual(shortKey(before!), shortKey(now));

      // Elsewhere: by its address, by an invite, by a registry.
      const here = await world(keep, keep(new Folder()).path);
      const other = keep(await lookAlike());
      const invite = parseInvite(await here.founder.invite("Lab"))!;
      const bob = keep(await connect({ name: "bob", registries: here.registries }));
      await bob.join("Lab");
      const forged = [
        other.address,
        encodeInvite({ ...invite, address: other.address }),
        encodeInvite({ ...invite, id: other.record.id }),
        encodeInvite({ ...invite, id: other.record.id, address: other.address }),
      ];
      for (const target of forged) {
        await bob.join(target).then(() => counts.add("ok"), (error) => {
          counts.add(error.name);
          const told = error instanceof IdentityChanged;
          // An invite says the id, which is made from the key.
          const whom = [shortKey(other.key.publicKey), other.record.id];
          if (told) assert.ok(whom.some((one) => error.message.includes(one)), error.message);
        });
      }
      const { record, address: at } = other;
      const liar = keep(
        await lyingRegistry(() => ({ name: "Lab", address: at, state: "live", record })),
      );
      const home = keep(new Folder()).path;
      {
        await using carol = await connect({ name: "carol", registries: here.registries, home });
        await carol.join("Lab");
      }
      await using carol = await connect({ registries: [liar.address], home });
      await carol.join("Lab").then(() => counts.add("ok"), (error) => counts.add(error.name));
      // What she says goes to the group that she knows.
      assert.ok((await carol.send("Lab", SECRET)).seq > 0);
      got(other);
    }
    row("look-alikes by address, invite and registry", { ...counts.all, "requests got": requests });
    // Where an invite leads elsewhere, the registry says where its group is.
    assert.deepEqual(counts.all, { IdentityChanged: 7 * rounds, ok: rounds });
    assert.equal(requests, 0);
  });
});

test("attack: a founder's proof is worth nothing to the member who gets it", async () => {
  await closing(async (keep) => {
    const { group, address, founder } = await world(keep, keep(new Folder()).path);
    const mallory = keep(await Hand.member(address));
    const evil = keep(await lookAlike({ name: "Evil" }));
    const counts = new Counts();
    const total = sized(10, 200);
    for (let i = 0; i < total; i++) {
      await founder.join(evil.address);
      const { key, name, sig } = evil.got.findLast(({ op }) => op === "prove")!;
      await using relay = await Hand.open(address);
      counts.add(await codeOf(relay.ask("prove", { key, name, sig })));
      counts.add(await codeOf(relay.ask("act", { action: "promote", user: mallory.user })));
      await founder.leave("Evil");
    }
    row("a founder's proof, relayed by a look-alike", counts.all);
    assert.deepEqual(counts.all, { bad_proof: total, no_session: total });
    assert.equal(group.group.state.members.get(mallory.user)?.role, "member");
  });
});

test("attack: who stands between a founder and the group opens nothing, and cannot mix in", async () => {
  await closing(async (keep) => {
    const { group, address, founder, registries } = await world(keep, keep(new Folder()).path);
    const mallory = keep(await Hand.member(address));
    const tried = sized(8, 100);
    let mixed = 0;
    let leaked = 0;
    // With handshakes of its own on both sides, or with packets of its own in between.
    const wire = keep(
      await between(address, (packet, { way, connection, n }) => {
        if (packet.includes(SECRET)) leaked++;
        if (way === "up" && n === 0 && connection % 2 === 1) {
          mixed++;
          return [new Initiator(PROLOGUE).write(new Uint8Array(0), HEAD.hello)];
        }
        if (way === "up" && n === 1 && connection % 4 === 2) {
          mixed++;
          return [mallory.request("act", { action: "promote", user: mallory.user }), packet];
        }
        return [packet];
      }),
    );
    await times(tried, 8, async () => {
      await using user = await connect({ name: "dora", registries });
      // Half of the connections are of no use to her; all of them where one that was mixed into is kept.
      const joins = () => user.join(wire.address).then(() => true, () => false);
      await until(joins, 60_000, "a connection that nobody mixes in");
      await user.send("Lab", SECRET, { within: 30_000 });
    });
    row("who stands between users and the group", {
      users: tried,
      mixed,
      "texts read": leaked,
      "requests taken": 0,
    });
    assert.ok(mixed > 0);
    assert.equal(leaked, 0);
    assert.equal(group.group.state.members.get(mallory.user)?.role, "member");
    assert.ok((await founder.send("Lab", "all is well")).seq > 0);
  });
});

test("attack: a server that wants no encryption, or begins again for ever, is told nothing", async () => {
  await closing(async (keep) => {
    const clear = JSON.stringify({ id: 1, ok: { epoch: "", head: 0, role: "member" } });
    const answers: Record<string, () => (string | Uint8Array)[]> = {
      "JSON in the clear": () => ["zg2", clear],
      "the former protocol": () => ["zg1", clear],
      "dialect 002": () => ['{"response": "SUCCESS"}'],
      "no_session for ever": () => ["zg2", encodeReset("no_session")],
      "busy for ever": () => ["zg2", encodeReset("busy")],
      "bad_packet for ever": () => ["zg2", encodeReset("bad_packet")],
      "a reset of no kind": () => ["zg2", Uint8Array.of(0, 0xff, 0xfe)],
      "an answer of zeros": () => ["zg2", Buffer.alloc(600, 0).fill(2, 0, 1)],
      "an answer too short": () => ["zg2", Uint8Array.of(2, 1, 2)],
      "a sealed packet": () => ["zg2", Buffer.alloc(100, 3)],
      "a feed packet": () => ["zg2", Buffer.alloc(100, 4)],
      "a hello": () => ["zg2", new Initiator(PROLOGUE).write(new Uint8Array(0), HEAD.hello)],
      "nothing": () => [],
      "empty frames": () => ["", "", ""],
    };
    const names = Object.keys(answers);
    const counts = new Counts();
    let leaked = 0;
    let hellos = 0;
    let came = 0;
    const rounds = sized(1, 10);
    await times(rounds * names.length, names.length, async (i) => {
      const { user, address } = await orphan(keep);
      const server = keep(
        await tcpServer(async (tcp) => {
          came++;
          const wire = await Wire.accept(tcp);
          for (;;) {
            const frames = await wire?.receive();
            if (!frames) return;
            const [, packet] = frames;
            if (packet?.[0] === 1) hellos++;
            // A hello tells its key alone; whatever else comes would be worth reading.
            if (packet?.[0] !== 1 || packet.length > 85) leaked += packet?.length ?? 0;
            const answer = answers[names[i % names.length]]();
            if (answer.length > 0) await wire!.send(...answer);
          }
        }, address),
      );
      for (const said of await attempts(user, server.address)) counts.add(said);
    });
    const tried = 3 * rounds * names.length;
    row("servers that want no encryption", { tried, ...counts.all, came, hellos, leaked });
    assert.equal(leaked, 0);
    assert.deepEqual(counts.of("ok"), 0);
    assert.ok(hellos >= rounds * (names.length - 1));
  });
});
