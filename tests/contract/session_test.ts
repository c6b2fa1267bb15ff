import assert from "node:assert/strict";
import { BadReply, Closed, IdentityChanged, Refusal, Unreachable } from "../../lib/errors.ts";
import { newSigningKey, userId } from "../../lib/identity/keys.ts";
import { encodeOk, encodePush } from "../../lib/protocol/codec.ts";
import { REGISTRY_REPLIES } from "../../lib/protocol/schema.ts";
import { type Opened, SessionClient } from "../../lib/session/client.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { encodeReset, feedPacket } from "../../lib/session/packet.ts";
import { ticketBytes } from "../../lib/session/ticket.ts";
import { until } from "../support.ts";
import {
  check,
  checkUnwatched,
  checkWatchful,
  EPOCH,
  type GroupClient,
  proofOf,
  relay,
  World,
} from "./session.ts";

const user = newSigningKey();
const unreachable = (error: unknown) => error instanceof Unreachable;

await check(
  "a session proves the server to the client and the user to the server",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const opened: Opened[] = [];
    const client = keep(world.client(transport, {
      prove: proofOf(user),
      opened: (one) => opened.push(one),
    }));
    const { identity, proved, asked, answered } = await client.opened();
    assert.deepEqual(identity, { group: world.record });
    assert.deepEqual(client.identity, identity);
    assert.equal(proved?.user, userId(user.publicKey));
    assert.ok(asked <= answered);
    assert.equal(opened.length, 1);
    assert.ok(world.tickets.userOf(ticketBytes(String(proved?.ticket))!));
    assert.deepEqual(world.session?.actor, {
      user: userId(user.publicKey),
      name: "Ada",
      key: user.publicKey,
    });
    assert.deepEqual(await client.request("ping", {}), { epoch: EPOCH, head: 2, at: 1 });
    assert.deepEqual(world.warned, []);
  },
);

await check("a session with a registry is anonymous", async (keep, transport) => {
  const key = newSigningKey();
  const says = { registry: { key: key.publicKey } };
  const world = keep(
    await World.start(transport, { identity: () => ({ says, sign: (text) => key.sign(text) }) }),
  );
  const { address } = world;
  const what = "the registry";
  const replies = REGISTRY_REPLIES;
  const client = keep(new SessionClient({ transport, address, what, replies, check: () => {} }));
  const { identity, proved } = await client.opened();
  assert.deepEqual(identity, says);
  assert.equal(proved, undefined);
  assert.deepEqual(await client.request("ping", {}), { at: 1 });
  assert.equal(world.session?.actor, undefined);
});

await check(
  "an answer to what was not asked ends no wait for a session",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    world.before = (session) => void session.reply(encodeOk(1, {}));
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    const { proved } = await client.opened();
    assert.equal(proved?.user, userId(user.publicKey));
  },
);

await check(
  "requests arrive in the order in which they were made, also before a session is open",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    const heads = await Promise.all(
      Array.from({ length: 2_000 }, () => client.request("ping", {}, 10_000)),
    );
    assert.deepEqual(heads.map(({ head }) => head), heads.map((_, i) => i + 2));
    const ids = world.asked.map(({ id }) => id);
    const [proof, ...pings] = ids;
    assert.deepEqual(pings, [...pings].sort((a, b) => a - b));
    assert.ok(Number.isSafeInteger(proof));
  },
);

await checkWatchful(
  "requests that waited arrive in order, also when they are more than a connection takes",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    const text = "x".repeat(1_000_000);
    const asked = Array.from({ length: 80 }, () => client.request("ping", { text }, 30_000));
    const heads = (await Promise.all(asked)).map(({ head }) => head);
    assert.deepEqual(heads, heads.map((_, i) => i + 2));
    assert.equal(world.server.accounts.counts.size, 0);
  },
);

await check(
  "a request that nobody answers ends when its time is up, and alone",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport));
    await client.opened();
    const began = performance.now();
    const silent = client.request("typing", {}, 200);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
    await assert.rejects(silent, unreachable);
    const took = performance.now() - began;
    assert.ok(took >= 190 && took < 3_000, `${took} ms`);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
  },
);

await check(
  "a refusal reaches who asked, a reply that does not fit its schema is none",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport));
    await assert.rejects(
      client.request("join", {}),
      (error: unknown) => error instanceof Refusal && error.code === "forbidden",
    );
    await assert.rejects(client.request("act", { action: "topic" }), (error: unknown) => {
      assert.ok(error instanceof BadReply);
      assert.match(
        error.message,
        /^Cannot use the answer of the group "Lab" at 127\.0\.0\.1:\d+: act: seq: /,
      );
      return true;
    });
    await assert.rejects(client.request("dance" as "ping", {}), /has no such op/);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
  },
);

await check(
  "a request above the bound is refused here, and ends nothing",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    const messages = [["x", "y".repeat(1_048_576)]];
    await assert.rejects(
      client.request("send", { messages }),
      (error: unknown) => error instanceof Refusal && error.code === "too_large",
    );
    const most = [["x", "y".repeat(1_048_576 - 100)]];
    await assert.rejects(
      client.request("send", { messages: most }, 10_000),
      (error: unknown) => error instanceof Refusal && error.code === "bad_request",
    );
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
  },
);

await check(
  "who is refused by check is asked nothing, and tried again when somebody asks",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const error = new IdentityChanged("Lab", "Cannot trust it: another one");
    let refused = 0;
    const client = keep(world.client(transport, {
      prove: proofOf(user),
      check: () => {
        if (refused++ < 2) throw error;
      },
    }));
    const all = await Promise.allSettled([
      client.request("ping", {}),
      client.request("typing", {}),
      client.opened(),
    ]);
    for (const one of all) assert.equal(one.status === "rejected" && one.reason, error);
    assert.deepEqual(world.asked, []);
    await assert.rejects(client.request("ping", {}, 10_000), (one: unknown) => one === error);
    assert.equal(refused, 2);
    assert.deepEqual(world.asked, []);
    assert.equal((await client.request("ping", {}, 10_000)).epoch, EPOCH);
  },
);

await check(
  "a proof that is refused goes to who waits, and is made anew for who asks later",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    let refuse = true;
    world.before = (_, { op }) => {
      if (op === "prove" && refuse) throw new Refusal("banned", "Cannot come in: banned");
    };
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    const banned = (error: unknown) => error instanceof Refusal && error.code === "banned";
    await assert.rejects(client.request("ping", {}), banned);
    refuse = false;
    assert.equal((await client.request("ping", {}, 10_000)).epoch, EPOCH);
    assert.deepEqual(world.asked.map(({ op }) => op), ["prove", "prove", "ping"]);
  },
);

await check(
  "a session renewed on its connection gives the new name, and loses no answer",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    let name = "Ada";
    const client = keep(world.client(transport, { prove: (hash) => proofOf(user, name)(hash) }));
    await client.opened();
    const former = world.session!;
    const asked = Array.from({ length: 50 }, () => client.request("ping", {}));
    name = "Countess";
    client.renew();
    client.renew();
    const later = client.request("ping", {});
    await Promise.all([...asked, later]);
    assert.equal(world.session?.actor?.name, "Countess");
    assert.deepEqual(world.gone, ["renewed"]);
    assert.equal(former.open, false);
    assert.equal(former.reply("{}"), false);
    assert.equal([...world.server.sessions()].length, 1);
  },
);

await check(
  "a server without the session says so, and all goes on in the next one",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const resets: string[] = [];
    let inject = false;
    const between = keep(
      await relay(transport, world.address, (packet, way) => {
        if (!inject || way === "up") return packet;
        inject = false;
        resets.push("no_session");
        return encodeReset("no_session");
      }),
    );
    const lost: string[] = [];
    const client = keep(world.client(transport, {
      address: between.address,
      gone: (why) => lost.push(why),
    }));
    await client.opened();
    inject = true;
    const began = performance.now();
    const [ping, silent] = [client.request("ping", {}), client.request("typing", {})];
    await assert.rejects(ping, unreachable);
    await assert.rejects(silent, /the connection was lost \(it has no session for us\)/);
    assert.ok(performance.now() - began < 2_000);
    assert.deepEqual(lost, ["it has no session for us"]);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
    assert.deepEqual(resets, ["no_session"]);
  },
);

await check(
  "a packet that was lost ends the session, and all goes on in the next one",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    let lose = false;
    const between = keep(
      await relay(transport, world.address, (packet, way) => {
        if (!lose || way === "down") return packet;
        lose = false;
        return undefined;
      }),
    );
    const client = keep(world.client(transport, { address: between.address }));
    await client.opened();
    lose = true;
    const began = performance.now();
    const both = await Promise.allSettled([client.request("ping", {}), client.request("ping", {})]);
    for (const one of both) assert.ok(one.status === "rejected" && unreachable(one.reason));
    assert.ok(performance.now() - began < 2_000);
    assert.deepEqual(world.gone, ["a sealed packet that does not open"]);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
  },
);

await check(
  "a server that comes back is found, proved and asked again",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const { address } = world;
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    await client.opened();
    await world.server.close();
    const other = keep(await World.start(transport, { address }));
    const epoch = await until(
      () => client.request("ping", {}, 2_000).then((ok) => ok.epoch, () => ""),
      15_000,
      "an answer of the other server",
    );
    assert.equal(epoch, EPOCH);
    assert.deepEqual(client.identity, { group: other.record });
    assert.equal(other.session?.actor?.user, userId(user.publicKey));
  },
);

await check(
  "a feed is read in its order with the keys that were pushed",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const [read, unreadable, pushes]: [number[], number[], number[]] = [[], [], []];
    const client = keep(world.client(transport, {
      prove: proofOf(user),
      feed: ({ head }) => read.push(head!),
      heard: (generation) => generation !== undefined && unreadable.push(generation),
      pushed: ({ generation }) => pushes.push(generation),
    }));
    await client.opened();
    const session = world.session!;
    const keys = [1, 2].map((n) => new Uint8Array(32).fill(n));
    const push = (generation: number) => {
      const key = btoa(String.fromCharCode(...keys[generation - 1])).replace("=", "");
      return session.push(encodePush({ push: "feed", generation, key }));
    };
    const feed = (generation: number, counter: number, head: number) => {
      const text = JSON.stringify({ epoch: EPOCH, head });
      const key = sealingKey(keys[generation - 1]);
      return session.feed(world.server.encodeFeed(feedPacket(key, generation, counter, text)));
    };
    feed(1, 0, 1);
    feed(1, 1, 2);
    push(1);
    feed(1, 2, 3);
    feed(1, 2, 4);
    feed(1, 1, 5);
    push(2);
    feed(2, 0, 6);
    feed(1, 9, 7);
    feed(3 - 1, 7, 8);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
    assert.deepEqual(read, [3, 6, 7, 8]);
    assert.deepEqual(unreadable, [1]);
    assert.deepEqual(pushes, [1, 2]);
  },
);

await check(
  "a client that is closed asks nothing, and tells who waits",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport));
    await client.opened();
    const waiting = client.request("typing", {}, 60_000);
    const closing = client.close();
    await assert.rejects(waiting, (error: unknown) => error instanceof Closed);
    await assert.rejects(client.request("ping", {}), (error: unknown) => error instanceof Closed);
    await assert.rejects(client.opened(), (error: unknown) => error instanceof Closed);
    await closing;
    await client.close();
  },
);

await check("nobody there: who asks hears it when the time is up", async (keep, transport) => {
  const world = keep(await World.start(transport));
  const client = world.client(transport);
  await client.opened();
  await world.server.close();
  const gone = keep(client);
  await assert.rejects(gone.request("ping", {}, 300), unreachable);
});

await checkWatchful(
  "a lost connection rejects at once all that wait for an answer, and no others",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const gone: string[] = [];
    const client = keep(world.client(transport, {
      prove: proofOf(user),
      gone: (why) => gone.push(why),
    }));
    await client.opened();
    const waiting = Promise.allSettled(
      Array.from({ length: 100 }, () => client.request("typing", {}, 60_000)),
    );
    await until(() => world.asked.length === 101, 5_000, "all requests");
    const began = performance.now();
    world.session!.cut("a test");
    for (const one of await waiting) {
      assert.ok(one.status === "rejected" && unreachable(one.reason));
      assert.match(one.reason.message, /the connection was lost/);
    }
    assert.ok(performance.now() - began < 2_000, `${performance.now() - began} ms`);
    assert.deepEqual(world.gone, ["a test"]);
    assert.equal((await client.request("ping", {}, 10_000)).epoch, EPOCH);
    assert.equal(gone.length, 1);
  },
);

await checkWatchful("after a cut nothing of the peer is delivered", async (keep, transport) => {
  const world = keep(await World.start(transport));
  const client = keep(world.client(transport));
  await client.opened();
  world.before = (session, { op }) => {
    if (op === "typing") session.cut("typed");
  };
  const all = ["ping", "ping", "typing", "ping", "ping"] as const;
  await Promise.allSettled(all.map((op) => client.request(op, {}, 1_000)));
  assert.deepEqual(world.asked.map(({ op }) => op), ["ping", "ping", "typing"]);
  assert.equal(world.server.accounts.counts.get("cut: typed"), 1);
});

await checkWatchful(
  "requests that the channel cannot take are refused, and none of the others is lost",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    await client.opened();
    const ends: (() => void)[] = [];
    world.before = (session, { op }) => {
      if (op === "typing") ends.push(session.serving());
    };
    for (let i = 0; i < 256; i++) void client.request("typing", {}, 60_000).catch(() => {});
    await until(() => ends.length === 256, 5_000, "a peer that is not read from");
    const messages = [["x", "y".repeat(1_000_000)]];
    const outcome = (error: unknown) =>
      error instanceof Refusal && error.code === "bad_request" ? "served" : String(error);
    const asked: Promise<string>[] = [];
    for (let said = ""; !said.includes("too much waits");) {
      const one = client.request("send", { messages }, 30_000).then(() => "served", outcome);
      asked.push(one);
      said = await Promise.race([one, new Promise<string>((resolve) => setImmediate(resolve, ""))]);
      assert.ok(asked.length < 200, "the channel takes all");
    }
    asked.pop();
    for (const end of ends) end();
    for (const one of asked) assert.equal(await one, "served");
    assert.deepEqual(world.gone, []);
    assert.equal((await client.request("ping", {})).epoch, EPOCH);
  },
);

await checkWatchful(
  "a request under way counts for its peer until it ended, once",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const client = keep(world.client(transport, { prove: proofOf(user) }));
    await client.opened();
    const ends: (() => void)[] = [];
    world.before = (session, { op }) => {
      if (op === "typing") ends.push(session.serving());
    };
    for (let i = 0; i < 300; i++) void client.request("typing", {}, 100).catch(() => {});
    await until(() => ends.length === 256, 5_000, "as many as may be under way");
    const ping = client.request("ping", {}, 10_000);
    assert.equal(world.asked.filter(({ op }) => op === "ping").length, 0);
    ends[0]();
    ends[0]();
    await until(() => ends.length === 257, 5_000, "one more");
    for (let i = 1; i < 300; i++) {
      await until(() => ends[i], 5_000, `request ${i}`).then((end) => end());
    }
    assert.equal((await ping).epoch, EPOCH);
  },
);

await checkWatchful(
  "a defect of the owner ends the session that met it, and no other",
  async (keep, transport) => {
    const world = keep(
      await World.start(transport, {
        onRequest: () => {
          throw new Error("a defect");
        },
      }),
    );
    const client = keep(world.client(transport));
    await assert.rejects(client.request("ping", {}), /the connection was lost/);
    assert.match(world.warned.join(), /a defect/);
    await client.opened(10_000);
  },
);

await check("a server that closes says of no session that it is gone", async (keep, transport) => {
  const left: string[] = [];
  const world = keep(await World.start(transport, { onLeft: ({ id }) => void left.push(id) }));
  const client = keep(world.client(transport));
  await client.opened();
  const { session } = world;
  await world.server.close();
  assert.deepEqual([world.gone, left], [[], []]);
  assert.equal(session?.open, false);
  assert.equal(session?.reply("{}"), false);
});

await checkUnwatched(
  "sessions beyond the bound are forgotten, the one heard longest ago first, and begun anew",
  async (keep, transport) => {
    const world = keep(await World.start(transport, { unwatched: { most: 3, idle: 60_000 } }));
    const clients: GroupClient[] = [];
    for (let i = 0; i < 3; i++) {
      clients.push(keep(world.client(transport)));
      await clients[i].opened(); // One after the other, or any of them is the oldest.
    }
    await clients[0].request("ping", {});
    const fourth = keep(world.client(transport));
    await fourth.opened();
    assert.deepEqual(world.gone, ["forgotten for others"]);
    await clients[0].request("ping", {});
    await assert.rejects(clients[1].request("ping", {}), unreachable);
    await clients[1].request("ping", {});
  },
);

await checkUnwatched(
  "sessions of which nothing is heard are forgotten, and begun anew by who comes back",
  async (keep, transport) => {
    const world = keep(await World.start(transport, { unwatched: { most: 100, idle: 200 } }));
    const client = keep(world.client(transport));
    await client.opened();
    await until(() => world.gone.length > 0, 5_000, "the end of an idle session");
    assert.deepEqual(world.gone, ["not heard any more"]);
    await assert.rejects(client.request("ping", {}), unreachable);
    await until(
      () => client.request("ping", {}).then(() => true, () => false),
      5_000,
      "an answer in another session",
    );
  },
);
