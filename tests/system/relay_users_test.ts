/** Members and registries of a group that several servers serve over one database. */

import assert from "node:assert/strict";
import { connect, Registry } from "../../mod.ts";
import { until } from "../support.ts";
import { Ear, upTo } from "./live_world.ts";
import { lab, servers } from "./relay_world.ts";
import { placeOf, toldBy } from "./servers_world.ts";

const LONG = 20_000;

servers("who joined at one knows the others, and goes on there when it ends", 3, async (world) => {
  const { servers: [holder, second, third], keep } = world;
  const alice = await world.member("alice", holder);
  const bob = await world.member("bob", second);
  const others = () => [...alice.joined()[0].servers ?? []].sort();
  await until(
    async () => {
      await alice.rename("alice"); // The next session says where the group is.
      return others().length === 2;
    },
    LONG,
    "alice knows the others",
  );
  assert.deepEqual(others(), [second.address, third.address].sort());
  const told = toldBy(alice);
  const ear = keep(new Ear(alice, lab(alice), { after: 0 }));
  await bob.send(lab(bob), "before");
  await ear.hears("before");
  await holder.close();
  const texts = upTo(20).map((n) => `during ${n}`);
  await Promise.all(texts.map((text) => alice.send(lab(alice), text, { within: LONG })));
  await bob.send(lab(bob), "after", { within: LONG });
  await ear.hears("after");
  assert.deepEqual(ear.texts, ["before", ...texts, "after"]);
  assert.deepEqual(ear.seqs, upTo(ear.seqs.length));
  assert.notEqual(placeOf(alice), holder.address);
  assert.deepEqual(told, []);
});

servers("a registry lists each, live or not, and takes each out by itself", 0, async (world) => {
  const { keep } = world;
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const running = [];
  for (const _ of upTo(3)) running.push(await world.server({ unlisted: false, registries }));
  const user = keep(await connect({ registries }));
  const listed = async () => {
    const [listing] = await user.list();
    return [listing, ...listing.servers ?? []].map(({ address, state }) => `${address} ${state}`);
  };
  const live = (all: readonly { readonly address: string }[]) =>
    all.map(({ address }) => `${address} live`).sort();
  assert.deepEqual((await listed()).sort(), live(running));
  const [{ name, record }] = await user.list();
  for (const { address } of running) {
    const other = keep(await connect({ registries }));
    const joined = await other.join(address);
    assert.deepEqual([joined.id, joined.name, joined.address], [record!.id, name, address]);
    assert.equal(joined.servers?.length, 2);
  }
  await running[0].close();
  assert.deepEqual((await listed()).sort(), live(running.slice(1)));
});

servers("thousands on their way lose and double nothing when the holder ends", 3, async (world) => {
  const { servers: [holder, second], keep } = world;
  const alice = await world.member("alice", second);
  const bob = await world.member("bob", holder);
  const ear = keep(new Ear(bob, lab(bob), { after: 0 }));
  const texts = upTo(1_500).map((n) => `line ${n} `.padEnd(400, "x"));
  let acknowledged = 0;
  const sent = Promise.all(
    texts.map((text) =>
      alice.send(lab(alice), text, { within: Infinity }).then(() => acknowledged++)
    ),
  );
  await until(() => acknowledged > 300, LONG, "some are acknowledged");
  await holder.close();
  await sent;
  await ear.hears(texts.at(-1)!);
  assert.deepEqual(ear.texts, texts);
  assert.deepEqual(ear.seqs, upTo(ear.seqs.length));
});
