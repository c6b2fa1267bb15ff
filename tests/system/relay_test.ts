/** Several servers of one group: members notice a pause at most. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect, type Refusal, type User } from "../../mod.ts";
import { hashText } from "../../lib/log/chain.ts";
import { type Batch, encodeBatch } from "../../lib/protocol/batch.ts";
import { chainHash } from "../../lib/protocol/chain.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { encodeInvite, parseInvite } from "../../lib/protocol/invite.ts";
import { until } from "../support.ts";
import { Proxy } from "../faults/support/proxy.ts";
import { Ear } from "./live_world.ts";
import { RawMember } from "./raw_session.ts";
import { lab, servers } from "./relay_world.ts";

servers("three are one group: one order, told at each, whoever sends where", 3, async (world) => {
  const { servers: [a, b, c], lines, member, keep } = world;
  assert.match(lines[0].join("\n"), /Holds the group/);
  assert.match(lines[1].join("\n"), new RegExp(`Follows ${a.address}`));
  const users = [await member("ann", a), await member("bob", b), await member("cat", c)];
  const ears = users.map((user) => keep(new Ear(user, lab(user))));
  const sent = await Promise.all(
    users.flatMap((user, u) =>
      Array.from({ length: 20 }, (_, i) => user.send(lab(user), `${u} ${i}`))
    ),
  );
  assert.equal(new Set(sent.map(({ seq }) => seq)).size, 60);
  for (const ear of ears) {
    await until(() => ear.texts.length === 60, 10_000, "all is heard");
    assert.deepEqual(ear.texts, ears[0].texts);
  }
  const prints = await Promise.all(users.map((user) => user.fingerprint(lab(user))));
  assert.equal(new Set(prints.map(({ hash }) => hash)).size, 1);
  for (const user of users) {
    await until(
      async () => (await user.members(lab(user))).filter(({ present }) => present).length === 3,
      10_000,
      "all are present, wherever they are",
    );
  }
});

servers("what was acknowledged at one is read at every other at once", 2, async (world) => {
  const { servers: [a, b], member } = world;
  const [ann, bob] = [await member("ann", a), await member("bob", b)];
  const last = async (user: User) => {
    let last: string | undefined;
    for await (const { text } of user.read(lab(user))) last = text;
    return last;
  };
  for (let i = 0; i < 40; i++) {
    await ann.send(lab(ann), `ann ${i}`);
    assert.equal(await last(bob), `ann ${i}`);
    await bob.send(lab(bob), `bob ${i}`);
    assert.equal(await last(bob), `bob ${i}`);
    assert.equal(await last(ann), `bob ${i}`);
  }
});

servers("who is removed at one is out at every other, at once", 3, async (world) => {
  const { servers: [a, b, c], founder, member, keep } = world;
  const fay = await founder();
  const [ann, bob] = [await member("ann", b), await member("bob", c)];
  const ear = keep(new Ear(bob, lab(bob)));
  const name = lab(bob);
  await ann.send(name, "before");
  await ear.hears("before");
  const { user } = (await fay.members(name)).find((one) => one.name === "bob")!;
  await fay.act(name, { action: "remove", user });
  await ann.send(name, "after");
  assert.equal(await ear.ended.then((error) => (error as Refusal)?.code), "not_member");
  assert.ok(!ear.texts.includes("after"));
  const raw = keep(await RawMember.proved(a.address));
  await assert.rejects(raw.ask("read"), (error) => (error as Refusal).code === "not_member");
});

servers("the holder stops: another goes on, and nothing is lost or doubled", 3, async (world) => {
  const { servers: [a, b, c], lines, member, keep } = world;
  const [bob, cat] = [await member("bob", b), await member("cat", c)];
  const ear = keep(new Ear(cat, lab(cat)));
  const sent: Promise<unknown>[] = [];
  for (let i = 0; i < 30; i++) {
    sent.push(bob.send(lab(bob), `bob ${i}`, { within: 30_000 }));
    if (i === 10) sent.push(a.close());
    await sent[0];
  }
  await Promise.all(sent);
  await until(() => ear.texts.length === 30, 20_000, "all is heard");
  assert.deepEqual(ear.texts, Array.from({ length: 30 }, (_, i) => `bob ${i}`));
  const holders = lines.slice(1).filter((own) => own.some((line) => /^Holds/.test(line)));
  assert.equal(holders.length, 1);
});

servers("invites are listed and revoked at any, and outlast the holder", 2, async (world) => {
  const { servers: [a, b], founder, member, keep } = world;
  const fay = await founder();
  const ann = await member("ann", b);
  await assert.rejects(ann.invites.open(lab(ann)), { code: "forbidden" });
  await fay.act(lab(fay), { action: "promote", user: ann.id });
  const [kept, gone] = [await ann.invites.make(lab(ann)), await fay.invites.make(lab(fay))];
  const open = async (user: User) => (await user.invites.open(lab(user))).map(({ id }) => id);
  const both = [kept.id, gone.id].sort();
  assert.deepEqual([await open(ann), await open(fay)], [both, both]);
  assert.equal(await ann.invites.revoke(lab(ann), gone.id.slice(0, 8)), 1);
  await a.close();
  assert.deepEqual(await open(ann), [kept.id]);
  const bob = keep(await connect({ name: "bob", registries: [] }));
  const at = (link: string) => encodeInvite({ ...parseInvite(link)!, address: b.address });
  await assert.rejects(bob.join(at(gone.link)), { code: "bad_invite", message: /was revoked/ });
  await bob.join(at(kept.link));
  assert.deepEqual(await open(ann), []);
});

servers("one that only relays never holds", 1, async (world) => {
  const { servers: [a], lines, server, member } = world;
  const relay = await server({ relayOnly: true } as never);
  const ann = await member("ann", relay);
  await ann.send(lab(ann), "first");
  await a.close();
  await until(() => lines[1].includes("Waits for the lease of the group"), 20_000, "it waits");
  const sending = ann.send(lab(ann), "second", { within: 30_000 });
  await server();
  await sending;
});

servers(
  "a relay that has what nobody was promised takes it back, and goes on",
  2,
  async (world) => {
    const { servers: [, b], member } = world;
    const ann = await member("ann", b);
    await ann.send(lab(ann), "one");
    const { group } = b;
    const { head, hash, identity: { id: author, name } } = group;
    const body = { topic: "never" };
    const batch = { first: head + 1, count: 1, at: Date.now(), kind: "topic", author, name, body };
    const before = Buffer.from(hash, "base64url");
    const after = hashText(chainHash(before, encodeBatch(batch as Batch)));
    assert.ok(group.take({ ...batch, hash: after } as Batch));
    assert.equal(group.head, head + 1);
    assert.equal(await ann.topic(lab(ann)), "");
    assert.deepEqual([group.head, group.hash], [head, hash]);
    const { seq } = await ann.send(lab(ann), "two");
    assert.equal(seq, head + 1);
  },
);

servers("what was handed on is answered when it is here, not before", 0, async (world) => {
  const { servers, url, server, member, keep } = world;
  // What the second server hears of the first, and of the database, goes through these.
  const toHolder = keep(new Proxy("127.0.0.9", "127.0.0.1"));
  const toLog = keep(new Proxy("127.0.0.8", "127.0.0.1", "any"));
  await server({ advertise: "127.0.0.9" });
  const [holder] = servers;
  await toHolder.forward(Number(holder.address.split(":")[1]));
  const fay = await member("fay", holder);
  const ear = keep(new Ear(fay, lab(fay)));
  await fay.send(lab(fay), "first");
  await ear.hears("first");
  toHolder.spare();
  const through = new URL(url);
  await toLog.forward(Number(through.port));
  through.hostname = "127.0.0.8";
  const relay = await server({ database: through.href, relayOnly: true } as never);
  const raw = keep(await RawMember.proved(relay.address));
  await raw.ask("join");
  toHolder.cut("broken");
  await fay.send(lab(fay), "missed by the relay");
  toLog.cut("both");
  toHolder.cut("none");
  const sent = raw.send([[midMaker()(), "handed on"]]).then(([{ from }]) => {
    assert.ok(relay.group.head >= from, `${from} is answered where ${relay.group.head} are`);
  });
  await ear.hears("handed on");
  // An answer that waits for nothing comes before these.
  for (let i = 0; i < 30; i++) await fay.send(lab(fay), `after ${i}`);
  toLog.cut("none");
  await sent;
});

servers("one that takes over puts off who asks, and sends nobody away", 0, async (world) => {
  const { lines, url, server, keep } = world;
  // What the holder says to others, and to the database, goes through these.
  const toHolder = keep(new Proxy("127.0.0.9", "127.0.0.1"));
  const toLog = keep(new Proxy("127.0.0.8", "127.0.0.1", "any"));
  const through = new URL(url);
  await toLog.forward(Number(through.port));
  through.hostname = "127.0.0.8";
  const holder = await server({ advertise: "127.0.0.9", database: through.href });
  await toHolder.forward(Number(holder.address.split(":")[1]));
  const relay = await server();
  const raw = keep(await RawMember.proved(relay.address));
  await raw.ask("join");
  for (const proxy of [toHolder, toLog]) proxy.cut("both");
  const codes = new Set<string>();
  const isServed = async () => {
    try {
      await raw.ask("members");
      return true;
    } catch (error) {
      codes.add((error as Refusal).code);
      return false;
    }
  };
  await until(isServed, 20_000, "the other one to take over");
  assert.ok(lines[1].some((line) => line.startsWith("Holds")));
  assert.deepEqual([...codes], ["busy"]);
  for (const proxy of [toHolder, toLog]) proxy.cut("none");
});
