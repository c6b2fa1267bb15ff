/** Registries and those who announce themselves there, over real sockets. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { test } from "node:test";
import { BadReply, IdentityChanged, Refusal } from "../../lib/errors.ts";
import { newSigningKey, shortKey } from "../../lib/identity/keys.ts";
import { sqliteNames } from "../../lib/store/sqlite_name_store.ts";
import { MAX_PACKET } from "../../lib/protocol/limits.ts";
import { REGISTRY_BOUNDS } from "../../lib/registry/bounds.ts";
import { SessionServer } from "../../lib/session/server.ts";
import { registryClient } from "../../lib/session/registry_client.ts";
import { encodeCommand, GREETING } from "../../lib/transport/zmtp/codec.ts";
import { closing, until } from "../support.ts";
import {
  announcerOf,
  clientOf,
  door,
  from,
  kept,
  LOCAL,
  recordOf,
  registryAt,
  transport,
} from "./registry_support.ts";
import { RawPeer, RawSession } from "./raw_session.ts";
import { Folder } from "./world.ts";

const refused = (code: string) => (error: unknown) =>
  error instanceof Refusal && error.code === code;

test("a registry shows its key, and its key is pinned at the first use", () =>
  closing(async (keep) => {
    const key = newSigningKey();
    const registry = keep(await registryAt({ key }));
    assert.equal(registry.address, `${registry.endpoint}#${key.publicKey}`);
    const pins = new Map<string, string>();
    const group = keep(
      announcerOf("Lab", { registries: [{ address: registry.endpoint }], pins }),
    );
    await group.start();
    assert.equal(pins.get(registry.endpoint), key.publicKey);
    assert.match(group.said.join("\n"), new RegExp(`^Registered .*${shortKey(key.publicKey)}$`));
    const client = keep(clientOf(registry.endpoint));
    const { group: listing } = await client.request("resolve", { group: "Lab" });
    assert.deepEqual((listing as { record: unknown }).record, group.record());
    assert.match(registry.said.join("\n"), /JOIN REQUEST FROM 127\.0\.0\.1:1/);
    await client.request("list", {});
    assert.match(registry.said.join("\n"), /GROUP LIST REQUEST FROM 127\.0\.0\.1$/);
    await group.close();
    assert.equal(registry.state.size, 0);
  }));

test("a registry with another key than the one pinned, or given, hears of no group", () =>
  closing(async (keep) => {
    const [was, is] = [newSigningKey(), newSigningKey()];
    const registry = keep(await registryAt({ key: is }));
    const address = registry.endpoint;
    const pins = new Map<string, string>();
    pins.set(address, was.publicKey);
    const pinned = keep(announcerOf("Pinned", { registries: [{ address }], pins }));
    const given = keep(announcerOf("Given", { registries: [{ address, key: was.publicKey }] }));
    for (const [group, wayOut] of [[pinned, "registries.json"], [given, "--registry"]] as const) {
      await group.start();
      const said = group.said.join("\n");
      const keys = `from ${shortKey(was.publicKey)} to ${shortKey(is.publicKey)}`;
      assert.ok(said.includes(`ITS KEY HAS CHANGED ${keys}`), said);
      assert.ok(said.includes(wayOut) && said.includes(address), said);
    }
    assert.equal(registry.state.size, 0);
    assert.equal(pins.get(address), was.publicKey);
    const options = { transport, address, pins, wayOut: "look" };
    const client = keep(registryClient(options));
    await assert.rejects(client.request("list", {}), IdentityChanged);
  }));

test("what is no registry is none, whatever it says", () =>
  closing(async (keep) => {
    const key = newSigningKey();
    const group = announcerOf("Lab", { key });
    const other = keep(
      await SessionServer.start({
        transport,
        address: LOCAL,
        identity: () => ({ says: { group: group.record() }, sign: (text) => key.sign(text) }),
        onRequest: (session) => void session.reply("{}"),
        warn() {},
      }),
    );
    const client = keep(clientOf(other.address));
    await assert.rejects(client.request("ping", {}), BadReply);
  }));

test("a name that is taken at one registry is told, and the group goes on at the other", () =>
  closing(async (keep) => {
    const [taken, free] = [keep(await registryAt()), keep(await registryAt())];
    const client = keep(clientOf(taken.endpoint));
    await client.request("register", { record: recordOf("Lab") });
    const registries = [{ address: taken.endpoint }, { address: free.endpoint }];
    const group = keep(announcerOf("Lab", { registries }));
    await group.start();
    assert.equal(free.state.recordOf(group.record().id)?.sig, group.record().sig);
    const told = group.said.filter((text) => text.includes("belongs to another key"));
    assert.equal(told.length, 1);
    assert.ok(told[0].includes(taken.endpoint), told[0]);
    // Not at any: as before, the start fails.
    const alone = keep(announcerOf("Lab", { registries: registries.slice(0, 1) }));
    await assert.rejects(alone.start(), refused("name_taken"));
  }));

test("the clock of one registry is that registry's own, and an absurd one is not followed", () =>
  closing(async (keep) => {
    const honest = keep(await registryAt());
    const absurd = keep(await registryAt({ now: () => 2 ** 53 - 1 }));
    const ahead = keep(await registryAt({ now: () => Date.now() + 3_600_000 * 5 }));
    const registries = [honest, absurd, ahead].map(({ endpoint: address }) => ({ address }));
    const group = keep(announcerOf("Lab", { registries }));
    await group.start();
    const { id } = group.record();
    const shifted = await until(() => ahead.state.recordOf(id), 5_000, "a record by that clock");
    assert.ok(shifted.version > Date.now() + 3_600_000 * 4);
    const telling = group.said.filter((text) => text.includes("more than a day"));
    assert.equal(telling.length, 1);
    assert.ok(telling[0].includes(absurd.endpoint), telling[0]);
    assert.equal(absurd.state.size, 0);
    assert.deepEqual(honest.state.recordOf(id), group.record());
    assert.ok(group.record().version <= Date.now());
  }));

test("what no registry may answer is told, and hurts nobody at the others", () =>
  closing(async (keep) => {
    const honest = keep(await registryAt());
    const key = newSigningKey();
    const answers = ["[]", '{"id":1,"ok":7}', '{"id":1,"error":{"code":"stale_record"}}', "\0"];
    let asked = 0;
    const hostile = keep(
      await SessionServer.start({
        transport,
        address: LOCAL,
        identity: () => ({
          says: { registry: { key: key.publicKey } },
          sign: (text) => key.sign(text),
        }),
        onRequest: (session, plaintext) => {
          const { id } = JSON.parse(new TextDecoder().decode(plaintext));
          const text = answers[asked++ % answers.length];
          session.reply(text.replace('"id":1', `"id":${id}`));
        },
        warn() {},
      }),
    );
    const registries = [{ address: hostile.address }, { address: honest.endpoint }];
    const group = keep(announcerOf("Lab", { registries }));
    await group.start();
    await until(() => asked >= answers.length, 10_000, "each answer");
    assert.deepEqual(honest.state.recordOf(group.record().id), group.record());
    const told = group.said.filter((text) => text.includes(hostile.address));
    assert.ok(told.length > 0, group.said.join("\n"));
    assert.equal(told.some((text) => text.startsWith("Registered")), false);
  }));

test("a group whose own record was seen before with a greater version is listed all the same", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt());
    const [key, registries] = [newSigningKey(), [{ address: registry.endpoint }]];
    const before = announcerOf("Lab", { key, registries, now: () => Date.now() + 40_000 });
    await before.start();
    await before.close();
    const after = keep(announcerOf("Lab", { key, registries }));
    await after.start();
    await until(() => registry.state.size === 1, 10_000, "the lease");
  }));

test("leases are counted by the IP they come from, whatever they say", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt({ limits: { perIp: 2 } }));
    const near = keep(clientOf(registry.endpoint));
    const forward = keep(await from("127.0.0.2", registry.endpoint));
    const far = keep(clientOf(forward.address));
    for (const name of ["a", "b"]) await near.request("register", { record: recordOf(name) });
    await assert.rejects(near.request("register", { record: recordOf("c") }), refused("busy"));
    await far.request("register", { record: recordOf("c") });
    await far.request("register", { record: recordOf("d") });
    await assert.rejects(far.request("register", { record: recordOf("e") }), refused("busy"));
  }));

test("an IP that asks too much is refused for a while, and no other", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt({ requests: { rate: 0.001, burst: 20 } }));
    const near = keep(clientOf(registry.endpoint));
    const record = recordOf("Lab");
    await near.request("register", { record });
    for (let i = 0; i < 19; i++) await near.request("ping", {});
    await assert.rejects(near.request("ping", {}), (error) => {
      assert.ok(error instanceof Refusal && error.code === "rate_limited");
      assert.ok((error.retryAfter ?? 0) > 0);
      return true;
    });
    const clear = keep(transport.connect({
      address: registry.endpoint,
      type: "REQ",
      onMessage: (frames) => void said.push(new TextDecoder().decode(frames[0])),
      onConnected: () => void clear.send(['{"action": "get_group_list"}']),
    }));
    const said: string[] = [];
    await until(() => said.length > 0, 5_000, "an answer in the dialect");
    assert.deepEqual(said, ['{"response": "FAILED"}']);
    const forward = keep(await from("127.0.0.2", registry.endpoint));
    const far = keep(clientOf(forward.address));
    await far.request("ping", {});
    // A lease that is renewed in time is none of it.
    const renewed = () =>
      near.request("register", { record }).then(() => true, (error) => {
        if (refused("rate_limited")(error)) return false;
        throw error;
      });
    await until(renewed, 5_000, "a renewal");
  }));

test("a registry knocks only where the one who registers is", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt());
    const [own, other] = [keep(await door("127.0.0.2")), keep(await door("127.0.0.3"))];
    const forward = keep(await from("127.0.0.2", registry.endpoint));
    const said: string[] = [];
    const wanted = [own.address, other.address];
    const clear = keep(transport.connect({
      address: forward.address,
      type: "REQ",
      onConnected: () => void say(),
      onMessage: (frames) => {
        said.push(new TextDecoder().decode(frames[0]));
        say();
      },
    }));
    const say = () => {
      const ip_port = wanted[said.length];
      if (ip_port === undefined) return;
      clear.send([
        JSON.stringify({ action: "register", group_name: ip_port.split(":")[0] + " x", ip_port }),
      ]);
    };
    await until(() => said.length === 2, 5_000, "both answers");
    assert.deepEqual(said, ["SUCCESS", "SUCCESS"]);
    assert.deepEqual(registry.state.probes().map(({ address }) => address), [own.address]);
    await until(() => own.knocks() > 1, 10_000, "knocks at its own");
    assert.equal(other.knocks(), 0);
  }));

test("names that are taken together are kept together, before anybody hears of it", () =>
  closing(async (keep) => {
    const folder = keep(new Folder()).path;
    let rows = 0;
    let transactions = 0;
    const names = sqliteNames(folder, {
      committed(count) {
        rows += count;
        transactions++;
      },
    });
    const registry = await registryAt({ names });
    const client = keep(clientOf(registry.endpoint));
    await client.request("register", { record: recordOf("Alone") });
    assert.deepEqual([rows, transactions], [1, 1]);
    const records = Array.from({ length: 300 }, (_, i) => recordOf(`Group ${i}`));
    let early = 0;
    await Promise.all(records.map(async (record, i) => {
      await client.request("register", { record });
      if (rows <= i + 1) early++; // Answers come in the order of the requests.
    }));
    assert.equal(early, 0);
    assert.equal(rows, 301);
    assert.ok(transactions <= 30, `${transactions} transactions`);
    await client.request("register", { record: records[7] });
    assert.equal(rows, 301);
    await registry.close();
    const again = keep(await registryAt({ names: sqliteNames(folder) }));
    const other = keep(clientOf(again.endpoint));
    await assert.rejects(
      other.request("register", { record: recordOf("Group 7") }),
      refused("name_taken"),
    );
    await other.request("register", { record: records[7] });
  }));

test("a name that cannot be written down is taken by nobody, and the registry says so once", () =>
  closing(async (keep) => {
    const names = sqliteNames(keep(new Folder()).path);
    const registry = keep(await registryAt({ names }));
    const client = keep(clientOf(registry.endpoint));
    const kept = recordOf("Kept");
    await client.request("register", { record: kept });
    names.close();
    for (let i = 0; i < 3; i++) {
      await assert.rejects(
        client.request("register", { record: recordOf("Lab") }),
        refused("busy"),
      );
    }
    assert.equal(registry.state.isTaken("Lab"), false);
    assert.equal(registry.state.resolve("Lab", performance.now()), undefined);
    const clear: string[] = [];
    const old = keep(transport.connect({
      address: registry.endpoint,
      type: "REQ",
      onMessage: (frames) => void clear.push(new TextDecoder().decode(frames[0])),
      onConnected: () =>
        void old.send(['{"action": "register", "group_name": "Old", "ip_port": "10.0.0.1:1"}']),
    }));
    await until(() => clear.length > 0, 5_000, "an answer in the dialect");
    assert.deepEqual(clear, ['{"response": "FAILED"}']);
    assert.equal(registry.state.resolve("Old", performance.now()), undefined);
    await client.request("register", { record: kept });
    assert.equal(registry.said.filter((text) => text.includes("Cannot keep names")).length, 1);
    const requests = registry.said.filter((text) => text.includes("JOIN REQUEST"));
    assert.deepEqual(requests.map((text) => text.replace(/.*refused/, "refused")).slice(1), [
      ...Array(4).fill("refused: busy"),
    ]);
  }));

test("a registry holds no more than its bounds say, whoever does not read", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt({ limits: { namesPerKey: 2_000 } }));
    const key = newSigningKey();
    for (let i = 0; i < 1_000; i++) {
      const record = recordOf(`${"漢".repeat(50)} ${i}`, key);
      registry.state.register(record, "127.0.0.1", performance.now(), Date.now());
    }
    const still = keep(await from("127.0.0.2", registry.endpoint));
    const stuck = keep(clientOf(still.address));
    await stuck.request("ping", {});
    still.stopReading();
    const waiting = Array.from({ length: 200 }, () => stuck.request("list", {}, 20_000));
    const counted = () =>
      [...registry.accounts.counts.keys()].some((what) => what === "paused: too many requests");
    const all = Promise.allSettled(waiting);
    await until(counted, 10_000, "the one who does not read to be noticed");
    const near = keep(clientOf(registry.endpoint));
    const page = await near.request("list", {});
    assert.ok((page.groups as unknown[]).length > 500);
    const bound = 4 * 1_024 * 1_024; // One that does not read, and one page for who does.
    const { most } = registry.accounts;
    assert.ok(most > MAX_PACKET / 2, `${most} bytes at most: nothing waited`);
    assert.ok(most <= bound, `${most} bytes at most, the bound is ${bound}`);
    await stuck.close();
    await all;
  }));

test("who asks nothing for a while is cut, in either protocol, and who asks is not", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt({ idleAfter: 1_000 }));
    const [idle, busy] = [keep(clientOf(registry.endpoint)), keep(clientOf(registry.endpoint))];
    await idle.request("ping", {});
    let gone = 0;
    let said = 0;
    const clear = keep(transport.connect({
      address: registry.endpoint,
      type: "REQ",
      onMessage: () => said++,
      onConnected: () => void (said === 0 && clear.send(['{"action": "get_group_list"}'])),
      onGone: () => gone++,
    }));
    const cut = () => registry.accounts.counts.get("cut: asked nothing for too long") ?? 0;
    await until(
      async () => {
        await busy.request("ping", {}); // It would be Unreachable if it were cut meanwhile.
        return cut() === 2 && gone > 0;
      },
      10_000,
      "both cuts",
    );
    assert.equal(said, 1);
    assert.equal(cut(), 2);
  }));

test("who begins a session anew is cut like all others when it asks nothing", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt({ idleAfter: 500 }));
    const session = keep(await RawSession.open(registry.endpoint));
    await session.ask("ping");
    await session.shake();
    await until(() => session.peer.ends > 0, 10_000, "the cut");
  }));

test("a registry keeps nothing of connections that are gone", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt());
    for (let i = 0; i < 10; i++) {
      const [session, clear] = [
        await RawSession.open(registry.endpoint),
        new RawPeer(registry.endpoint),
      ];
      await session.ask("ping");
      await clear.connected();
      await clear.ask("", '{"action": "get_group_list"}');
      if (i === 0) assert.equal(registry.askers, 2);
      await Promise.all([session, clear].map((one) => one[Symbol.asyncDispose]()));
    }
    await until(() => registry.accounts.connections === 0, 5_000, "the end of all connections");
    await until(() => registry.askers === 0, 1_000, "nothing kept");
  }));

test("a message without an end is held only up to its bound", () =>
  closing(async (keep) => {
    const registry = keep(await registryAt());
    const [host, port] = registry.endpoint.split(":");
    const socket = connect({ host, port: Number(port) });
    keep({ [Symbol.asyncDispose]: () => Promise.resolve(void socket.destroy()) });
    let gone = false;
    socket.on("error", () => {});
    socket.on("close", () => gone = true);
    const text = (name: string, value: string) => {
      const head = Buffer.from([name.length, ...Buffer.from(name), 0, 0, 0, value.length]);
      return Buffer.concat([head, Buffer.from(value)]);
    };
    socket.write(GREETING);
    socket.write(encodeCommand("READY", text("Socket-Type", "DEALER")));
    const part = Buffer.concat([Buffer.from([1, 200]), Buffer.alloc(200)]);
    let sent = 0;
    await until(
      () => {
        for (let i = 0; i < 100 && !gone; i++) sent += socket.write(part) ? part.length : 0;
        return gone;
      },
      10_000,
      "the end of the connection",
    );
    const { most } = registry.accounts;
    assert.ok(most <= 2 * REGISTRY_BOUNDS.stranger.bytes, `${most} bytes at most`);
    const client = keep(clientOf(registry.endpoint));
    await client.request("ping", {});
  }));

test("an announcer without registries has a record for those who connect", () => {
  const group = announcerOf("Lab", {});
  assert.equal(group.record(), group.record());
  assert.equal(kept().said.length, 0);
  return group.close();
});

test("registry: where nobody listens, or no host is, that is what is said", async () => {
  await closing(async (keep) => {
    for (
      const [address, why] of [
        ["127.0.0.1:1", /: nothing listens there; is it running\? One on another machine is/],
        ["no-such-host.invalid:5555", /: no host of this name is known; check how it is written/],
      ] as const
    ) {
      const client = keep(clientOf(address));
      // How long a name is looked up is not ours to say.
      await until(
        () => client.request("ping", {}, 200).then(() => false, ({ message }) => why.test(message)),
        10_000,
        `${why}`,
      );
    }
  });
});
