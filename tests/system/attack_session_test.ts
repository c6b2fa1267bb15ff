/** Attacks on sessions: replayed proofs, stolen tokens, other people's ids, altered requests. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { encodeRequest } from "../../lib/protocol/codec.ts";
import { proofText } from "../../lib/protocol/record.ts";
import { connect, Group, Registry } from "../../mod.ts";
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
import { NullDealer } from "./attack_wire.ts";
import { Folder } from "./world.ts";

/** Requests of a connection within its budget: 50 a second and 200 at once. */
const BUDGET = 150;

test("attack: a proof that was recorded is good for nobody, nowhere, again", async () => {
  await closing(async (keep) => {
    const { group, record } = await world(keep, keep(new Folder()).path);
    const victim = keep(new Attacker(record));
    await victim.enter();
    const wire = keep(new RawChannel(record.address, record.curve, victim.curve));
    const hello = encodeRequest(1, "hello", { key: victim.key.publicKey, name: "victim" });
    const [answer] = await wire.askAll([hello]);
    const { nonce } = JSON.parse(answer).ok;
    const sig = victim.key.sign(proofText(nonce, record.id));
    const prove = encodeRequest(2, "prove", { sig });
    assert.equal(codeOfReply((await wire.askAll([prove]))[0]), "ok");
    const sessions = group.service.sessions.size;

    const mallory = keep(new Attacker(record));
    await mallory.enter();
    const counts = new Counts();
    for (let round = 0; round < sized(2, 20); round++) {
      const other = keep(new RawChannel(record.address, record.curve, mallory.curve));
      // Alone, after a hello for the same key, and twice.
      for (const frames of [[prove], [hello, prove], [prove, prove], [hello, hello, prove]]) {
        for (const one of [wire, other]) {
          const replies = await one.askAll(frames);
          counts.add(codeOfReply(replies[replies.length - 1]));
        }
      }
    }
    row("prove replayed", counts.all);
    assert.equal(counts.of("ok"), 0);
    assert.equal(group.service.sessions.size, sessions);
  });
});

test("attack: hello and prove with any byte altered prove nobody else", async () => {
  await closing(async (keep) => {
    const { group, record } = await world(keep, keep(new Folder()).path, { rate: Infinity });
    const victim = keep(new Attacker(record));
    await victim.enter();
    const wire = keep(new RawChannel(record.address, record.curve, victim.curve));
    const hello = encodeRequest(1, "hello", { key: victim.key.publicKey, name: "victim" });
    const sign = (answer: string) => {
      const { ok } = JSON.parse(answer);
      const sig = ok ? victim.key.sign(proofText(ok.nonce, record.id)) : "A".repeat(86);
      return encodeRequest(2, "prove", { sig });
    };
    const counts = new Counts();
    let tried = 0;
    let others = 0;
    const prove = async (frames: (string | Uint8Array)[]) => {
      const [reply] = await wire.askAll([frames]);
      const { ok } = JSON.parse(reply);
      counts.add(codeOfReply(reply));
      if (ok && ok.user !== victim.user) others++;
      tried++;
    };
    const masks = sized(1, 4);
    for (let bit = 0; bit < masks; bit++) {
      for (const body of flipped(hello[1], 1 << bit)) {
        const [answer] = await wire.askAll([["zg1", body]]);
        await prove(sign(answer));
      }
      const length = sign((await wire.askAll([hello]))[0])[1].length;
      for (let i = 0; i < length; i++) {
        const good = sign((await wire.askAll([hello]))[0]);
        await prove(["zg1", flipped(good[1], 1 << bit)[i]]);
      }
    }
    row("hello and prove with each byte flipped", { tried, ...counts.all, "as another": others });
    assert.equal(others, 0);
    // The group's own name for the victim, the id of the request: nothing that a signature covers.
    assert.ok(counts.of("bad_proof") > tried / 4);
    assert.equal(group.service.state.members.size, 1);
  });
});

test("attack: nobody claims another's user id", async () => {
  await closing(async (keep) => {
    const { record, founder, group } = await world(keep, keep(new Folder()).path);
    const victim = newSigningKey();
    const mallory = keep(new Attacker(record));
    await mallory.enter();
    const counts = new Counts();
    for (let i = 0; i < sized(50, BUDGET / 2); i++) {
      const hello = await mallory.ask("address", "hello", {
        key: victim.publicKey,
        name: founder.name,
      });
      const nonce = String(hello.nonce);
      const sig = [
        mallory.key.sign(proofText(nonce, record.id)),
        victim.sign(proofText(nonce, mallory.user)), // another group's
        victim.sign(nonce),
      ][i % 3];
      counts.add(await codeOf(mallory.ask("address", "prove", { sig })));
    }
    row("another's user id", counts.all);
    assert.equal(counts.of("ok"), 0);
    assert.equal(group.service.sessions.size, 1);
  });
});

test("attack: a session's token is worthless on another connection, whatever is asked", async () => {
  await closing(async (keep) => {
    const { record, group } = await world(keep, keep(new Folder()).path);
    const victim = keep(new Attacker(record));
    await victim.enter();
    const session = await victim.prove();
    await victim.ask("address", "join", { session });
    const mid = midMaker();
    const message = [mid(), "not mine"] as const;
    const sig = victim.key.sign(signedText(record.id, victim.user, [messageHash(message)]));
    const asks: [string, object][] = [
      ["ping", {}],
      ["join", {}],
      ["leave", {}],
      ["send", { messages: [message], sig }],
      ["read", {}],
      ["members", {}],
      ["subscribe", {}],
      ["typing", {}],
      ["invite", {}],
      ["act", { action: "topic", topic: "mine" }],
    ];
    const { head } = group.service;
    const mallory = keep(new Attacker(record));
    await mallory.enter();
    const wire = keep(new RawChannel(record.address, record.curve, mallory.curve));
    const counts = new Counts();
    for (let round = 0; round < sized(10, 100); round++) {
      const frames = asks.map(([op, fields], i) => encodeRequest(i, op, { session, ...fields }));
      for (const reply of await wire.askAll(frames)) counts.add(codeOfReply(reply));
    }
    const send = encodeRequest(1, "send", { session, messages: [message], sig })[1];
    for (const reply of await wire.askAll(flipped(send).map((body) => ["zg1", body]))) {
      counts.add(codeOfReply(reply));
    }
    row("a session token from another connection", counts.all);
    assert.equal(counts.of("ok"), 0);
    assert.equal(group.service.head, head);
    assert.equal(await codeOf(victim.ask("address", "ping", { session })), "ok");
  });
});

test("attack: a send altered on its way is refused, or shown as not verified", async () => {
  await closing(async (keep) => {
    // In the clear, where somebody on the network can alter what a member sends.
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const group = keep(
      await Group.start({ name: "Lab", plain: true, rate: Infinity, registries }),
    );
    const reader = keep(await connect({ name: "reader", registries }));
    await reader.join("Lab");
    const wire = keep(new RawChannel(group.address));
    const key = newSigningKey();
    const { id } = group.service.identity;
    const ask = async (op: string, fields: object) => {
      const [reply] = await wire.askAll([encodeRequest(1, op, fields)]);
      return JSON.parse(reply).ok;
    };
    const { nonce } = await ask("hello", { key: key.publicKey, name: "victim" });
    const { session, user } = await ask("prove", { sig: key.sign(proofText(nonce, id)) });
    await ask("join", { session });
    const mid = midMaker();
    const sent = new Map<string, string>();
    const bodies: Uint8Array[] = [];
    const sample = () => {
      const message = [mid(), "pay bob 100"] as const;
      sent.set(message[0], message[1]);
      const sig = key.sign(signedText(id, user, [messageHash(message)]));
      return encodeRequest(1, "send", { session, messages: [message], sig })[1];
    };
    const { length } = sample();
    for (let bit = 0; bit < sized(1, 4); bit++) {
      for (let i = 0; i < length; i++) bodies.push(flipped(sample(), 1 << bit)[i]);
    }
    const counts = new Counts();
    for (let i = 0; i < bodies.length; i += 100) {
      const replies = await wire.askAll(bodies.slice(i, i + 100).map((body) => ["zg1", body]));
      for (const reply of replies) counts.add(codeOfReply(reply));
    }
    const shown = new Counts();
    let forged = 0;
    for await (const entry of reader.read("Lab")) {
      if (entry.kind !== "message") continue;
      shown.add(entry.signature);
      if (entry.signature === "valid" && sent.get(entry.mid!) !== entry.text) forged++;
    }
    row("send with each byte flipped in the clear", {
      tried: bodies.length,
      ...counts.all,
      ...Object.fromEntries(Object.entries(shown.all).map(([k, n]) => [`shown as ${k}`, n])),
      forged,
    });
    assert.equal(forged, 0);
    assert.ok(shown.of("invalid") > 0);
    assert.equal(shown.of("unsigned"), 0);
  });
});

/** A connection of this routing id that is answered; undefined when nobody answers it. */
async function heard(address: string, identity: string): Promise<NullDealer | undefined> {
  const dealer = await NullDealer.open(address, identity);
  if (!dealer) return undefined;
  await dealer.send(...encodeRequest(0, "ping", {}));
  const timer = setTimeout(() => void dealer[Symbol.asyncDispose](), 100);
  const reply = await dealer.receive();
  clearTimeout(timer);
  return reply ? dealer : undefined;
}

test("attack: another's routing id after a disconnect gives nothing of the session", async () => {
  await closing(async (keep) => {
    const registry = keep(await Registry.start({ port: 0 }));
    const registries = [registry.address];
    const group = keep(
      await Group.start({ name: "Lab", plain: true, rate: Infinity, registries }),
    );
    const { id } = group.service.identity;
    const key = newSigningKey();
    const counts = new Counts();
    for (let round = 0; round < sized(20, 200); round++) {
      const victim = await until(() => heard(group.address, "victim"), 10_000, "the first");
      const ask = async (dealer: NullDealer, op: string, fields: object) => {
        assert.ok(await dealer.send(...encodeRequest(1, op, fields)));
        return JSON.parse((await dealer.receive())!.at(-1)!);
      };
      const { nonce } = (await ask(victim, "hello", { key: key.publicKey, name: "v" })).ok;
      const sig = key.sign(proofText(nonce, id));
      assert.ok((await ask(victim, "prove", { sig })).ok);
      await ask(victim, "hello", { key: key.publicKey, name: "v" }); // a challenge that waits
      await victim[Symbol.asyncDispose]();

      // Until the group has seen the end of the connection, a second one of its id is not heard.
      const thief = await until(() => heard(group.address, "victim"), 10_000, "the id to be free");
      for (const [op, fields] of [["prove", { sig }], ["read", { session: "A".repeat(22) }]]) {
        const { ok, error } = await ask(thief, op as string, fields as object);
        counts.add(ok ? "ok" : error.code);
      }
      await thief[Symbol.asyncDispose]();
    }
    row("another's routing id after a disconnect", counts.all);
    assert.equal(counts.of("ok"), 0);
  });
});

test("attack: sessions of one connection are bounded, and a flood of hello is slowed", async () => {
  await closing(async (keep) => {
    const { record, group } = await world(keep, keep(new Folder()).path);
    const mallory = keep(new Attacker(record));
    await mallory.enter();
    const wire = keep(new RawChannel(record.address, record.curve, mallory.curve));
    for (let i = 0; i < 20; i++) {
      const key = newSigningKey();
      const hello = encodeRequest(1, "hello", { key: key.publicKey, name: "many" });
      const { nonce } = JSON.parse((await wire.askAll([hello]))[0]).ok;
      const sig = key.sign(proofText(nonce, record.id));
      assert.equal(codeOfReply((await wire.askAll([encodeRequest(2, "prove", { sig })]))[0]), "ok");
    }
    assert.ok(group.service.sessions.size <= 9, `${group.service.sessions.size} sessions`);
    const total = sized(500, 5_000);
    const hello = encodeRequest(3, "hello", { key: mallory.key.publicKey, name: "many" });
    const counts = new Counts();
    for (let i = 0; i < total; i += 500) {
      const replies = await wire.askAll(Array.from({ length: 500 }, () => hello));
      for (const reply of replies) counts.add(codeOfReply(reply));
    }
    row("hello without a pause", counts.all);
    assert.ok(counts.of("rate_limited") > total / 2);
    const long = keep(new RawChannel(record.address, record.curve, mallory.curve));
    const [reply] = await long.askAll([encodeRequest(9, "ping", { x: "x".repeat(100_000) })]);
    assert.deepEqual([JSON.parse(reply).id, codeOfReply(reply)], [9, "no_session"]);
  });
});
