/** Members of a group that has several servers, when one of them dies, hangs, or is another's. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, Group, isRetriable, Refusal, Registry, type User } from "../../mod.ts";
import { decodeObject, encodeError, encodeOk } from "../../lib/protocol/codec.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { SessionServer } from "../../lib/session/server.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { lookAlike } from "./imposters.ts";
import { Ear, upTo } from "./live_world.ts";
import { placeOf, type ServersWorld, serversWorld, toldBy, type Way } from "./servers_world.ts";
import { bare, Folder } from "./world.ts";

/** What a defect never does. */
const LONG = 20_000;

const wayOf = ({ ways }: ServersWorld, user: User): Way =>
  ways.find(({ address }) => address === placeOf(user))!;
const otherOf = ({ ways }: ServersWorld, user: User): Way =>
  ways.find(({ address }) => address !== placeOf(user))!;

test("servers: users spread over those that are live, and know the others", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 3);
    const users = await Promise.all(upTo(24).map((n) => world.member(`user ${n}`)));
    const places = new Set(users.map(placeOf));
    // Each of 24 at one of the same two: less than one in 10,000.
    assert.deepEqual([...places].sort(), world.ways.map(({ address }) => address).sort());
    for (const user of users) {
      const [{ address, servers = [] }] = user.joined();
      assert.deepEqual(
        [address, ...servers].sort(),
        world.ways.map(({ address }) => address).sort(),
      );
      // A group is named by the address of any of them.
      for (const place of [address, ...servers]) await user.send(place, "here");
    }
  }));

test("servers: a quiet one is nowhere to begin", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const [first, second] = world.ways;
    await first.kill();
    first.rest();
    const user = await world.user("alice");
    await until(
      async () => (await user.list())[0].servers?.[0].state === "quiet",
      LONG,
      "the first one is quiet",
    );
    const [{ address, servers }] = await user.list();
    assert.equal(address, second.address);
    assert.deepEqual(servers?.map(({ address, state }) => [address, state]), [
      [first.address, "quiet"],
    ]);
    for (const n of upTo(8)) {
      const other = await world.member(`user ${n}`);
      assert.equal(placeOf(other), second.address);
    }
  }));

for (const how of ["kill", "silence"] as const) {
  test(`servers: when one is ${how === "kill" ? "killed" : "silent"} its members go on at another, and nobody is told`, () =>
    closing(async (keep) => {
      const world = await serversWorld(keep, 2);
      const [alice, bob] = await Promise.all([world.member("alice"), world.member("bob")]);
      const told = toldBy(alice);
      const ear = keep(new Ear(alice, "Lab"));
      await bob.send("Lab", "before");
      await ear.hears("before");
      const former = wayOf(world, alice);
      await former[how]();
      const texts = upTo(20).map((n) => `during ${n}`);
      const sent = texts.map((text) => alice.send("Lab", text, { within: LONG }));
      await Promise.all(sent);
      assert.notEqual(placeOf(alice), former.address);
      await bob.send("Lab", "after", { within: LONG });
      await ear.hears("after");
      assert.deepEqual(ear.texts, ["before", ...texts, "after"]);
      assert.deepEqual(ear.seqs, upTo(ear.seqs.length).map((n) => n + ear.seqs[0] - 1));
      assert.deepEqual(told, []);
      assert.deepEqual(alice.joined()[0].state, "live");
    }));
}

test("servers: thousands on their way lose and double nothing, and keep their order, while servers die", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 3);
    const [alice, bob] = [await world.member("alice"), await world.member("bob")];
    const ear = keep(new Ear(bob, "Lab"));
    const texts = upTo(20_000).map((n) => `line ${n} `.padEnd(200, "x"));
    let acknowledged = 0;
    const sent = texts.map((text) =>
      alice.send("Lab", text, { within: Infinity }).then((receipt) => {
        acknowledged++;
        return receipt;
      })
    );
    const all = Promise.all(sent);
    let changes = 0;
    for (let at = 1_000; at < texts.length; at += 2_000) {
      await until(() => acknowledged >= at, LONG, `${at} are acknowledged`);
      const way = wayOf(world, alice);
      await way.kill();
      await until(() => placeOf(alice) !== way.address, LONG, "alice is elsewhere");
      await way.open();
      changes++;
    }
    const receipts = await all;
    assert.ok(changes >= 5, `${changes} changes`);
    await ear.hears(texts.at(-1)!);
    assert.deepEqual(ear.texts, texts);
    const log = await Array.fromAsync(bob.read("Lab"));
    assert.deepEqual(log.flatMap(({ text }) => text ?? []), texts);
    const seqs = new Map(log.map(({ seq, text }) => [text, seq]));
    assert.deepEqual(receipts.map(({ seq }) => seq), texts.map((text) => seqs.get(text)));
  }));

test("servers: who lost its server and all registries finds the others, as its folder has them", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const home = keep(new Folder()).path;
    const alice = await world.member("alice", home);
    const former = wayOf(world, alice);
    await alice.close();
    await world.registry.close();
    await former.kill();
    // One that ends soon asks where it was last, and finds the other one from there.
    const again = keep(await connect({ home, registries: world.registries, stays: true }));
    assert.equal(placeOf(again), former.address);
    await again.send("Lab", "still here");
    assert.notEqual(placeOf(again), former.address);
    await again.close();
    const third = keep(await connect({ home, registries: world.registries, stays: true }));
    assert.notEqual(placeOf(third), former.address);
  }));

test("servers: a group is away for ten seconds before it is unreachable, and then it is back", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const alice = await world.member("alice");
    const told = toldBy(alice);
    const ear = keep(new Ear(alice, "Lab"));
    await alice.send("Lab", "one");
    await ear.hears("one");
    const begin = performance.now();
    for (const way of world.ways) await way.kill();
    await until(() => told.length > 0, LONG, "it is unreachable");
    const away = performance.now() - begin;
    assert.ok(away >= 9_990, `told after ${away} ms`);
    assert.deepEqual(told, [{ type: "state", group: "Lab", state: "unreachable" }]);
    const sent = alice.send("Lab", "two", { within: LONG });
    await world.ways[0].open();
    await sent;
    await ear.hears("two");
    assert.deepEqual(told.slice(1), [{ type: "state", group: "Lab", state: "live" }]);
  }));

test("servers: when all that are known are gone the registries say where another one is", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const alice = await world.member("alice");
    const told = toldBy(alice);
    const third = world.way("127.0.0.9");
    await third.open();
    await third.announce();
    for (const way of world.ways) await way.kill();
    await alice.send("Lab", "found", { within: LONG });
    assert.equal(placeOf(alice), third.address);
    assert.deepEqual(told, []);
  }));

test("servers: another one where a server was is passed by, told once, and hears nothing", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const alice = await world.member("alice");
    const told = toldBy(alice);
    const [here, there] = [wayOf(world, alice), otherOf(world, alice)];
    await there.kill();
    const imposter = keep(await lookAlike({ address: there.address, key: newSigningKey() }));
    await here.kill();
    const sent = alice.send("Lab", "for the group alone", { within: LONG });
    await until(() => told.length > 0, LONG, "it is told");
    await here.open();
    await sent;
    assert.equal(placeOf(alice), here.address);
    assert.deepEqual(told.map(({ type }) => type), ["warning"]);
    assert.match((told[0] as { text: string }).text, /ITS IDENTITY HAS CHANGED/);
    assert.ok((told[0] as { text: string }).text.includes(there.address));
    assert.ok(imposter.sessions > 0);
    assert.deepEqual(imposter.got, []);
  }));

test("servers: others at all of its addresses are told as one at its only address is", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 2);
    const alice = await world.member("alice");
    const imposters = [];
    for (const way of world.ways) {
      await way.kill();
      imposters.push(keep(await lookAlike({ address: way.address })));
    }
    await assert.rejects(alice.topic("Lab"), { name: "IdentityChanged" });
    for (const { got } of imposters) assert.deepEqual(got, []);
  }));

for (const code of ["unavailable", "busy"] as const) {
  const moves = code === "unavailable";
  test(`servers: one that refuses as ${code} is ${moves ? "left for another" : "asked again"}`, () =>
    closing(async (keep) => {
      const world = await serversWorld(keep, 2);
      const alice = await world.member("alice");
      const [here, there] = [wayOf(world, alice), otherOf(world, alice)];
      await there.kill();
      let asked = 0;
      // The group's own key, and nothing else of it.
      const server = await SessionServer.start({
        transport: zmtpTransport(),
        address: there.address,
        identity: () => ({
          says: { group: world.group.record() },
          sign: (text) => world.key.sign(text),
        }),
        onRequest: (session, json) => {
          session.peer.admit();
          const { id, op } = decodeObject(json);
          if (op === "prove") {
            const epoch = "00000000-0000-4000-8000-000000000000";
            const proved = { user: alice.id, role: "member", epoch, head: 0, at: Date.now() };
            return session.reply(encodeOk(Number(id), proved));
          }
          asked++;
          session.reply(encodeError(Number(id), new Refusal(code, "Cannot do that: not now")));
        },
        warn() {},
      });
      keep({ [Symbol.asyncDispose]: () => server.close() });
      await here.kill();
      const topic = alice.topic("Lab").catch((error) => error);
      await until(() => asked > 0, LONG, "the other one is asked");
      await here.open();
      if (moves) {
        assert.equal(await topic, "");
        assert.equal(placeOf(alice), here.address);
      } else {
        const error = await topic;
        assert.ok(error instanceof Refusal && error.code === "busy" && isRetriable(error));
        assert.ok(asked > 1);
        assert.equal(placeOf(alice), there.address);
      }
    }));
}

test("servers: who diagnoses asks each, and tells who does not answer", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 3);
    const alice = await world.member("alice");
    const dead = otherOf(world, alice);
    await dead.kill();
    const [registry, ...servers] = await alice.diagnose();
    assert.equal(registry.what, "registry");
    assert.deepEqual(
      servers.map(({ address, why, several }) => [address, why, several]),
      world.ways.map((way) => [way.address, way === dead ? "silent" : undefined, true]),
    );
    assert.notEqual(placeOf(alice), dead.address);
  }));

test("servers: what each registry has of a group is one listing, each server once", () =>
  closing(async (keep) => {
    const world = await serversWorld(keep, 1);
    const other = keep(await Registry.start({ port: 0 }));
    const way = world.way("127.0.0.7", other.address);
    await way.open();
    await way.announce();
    await world.ways[0].announce(other.address);
    const user = keep(await connect({ registries: [...world.registries, other.address] }));
    const [listing, ...more] = await user.list();
    assert.deepEqual(more, []);
    const all = [listing, ...listing.servers ?? []];
    assert.deepEqual(all.map(({ address, state }) => [address, state]), [
      [world.ways[0].address, "live"],
      [way.address, "live"],
    ]);
  }));

test("registries: a name that they give to different keys is told with both, and who is known", () =>
  closing(async (keep) => {
    const [one, other] = [
      keep(await Registry.start({ port: 0 })),
      keep(await Registry.start({ port: 0 })),
    ];
    const start = (name: string, ...registries: string[]) => Group.start({ name, registries });
    const lab = keep(await start("Lab", one.address));
    const rival = keep(await start("Lab", other.address));
    keep(await start("Same", one.address, other.address));
    const user = keep(await connect({ registries: [one.address, other.address] }));
    await user.join(lab.address);
    const { compared, disputes } = await user.compareNames();
    assert.equal(compared, 2);
    assert.deepEqual(disputes, [{
      name: "Lab",
      owners: [
        { key: lab.key, registries: [bare(one.address)], known: true },
        { key: rival.key, registries: [bare(other.address)], known: false },
      ],
    }]);
  }));
