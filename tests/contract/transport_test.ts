import assert from "node:assert/strict";
import { Refusal, UsageError } from "../../lib/errors.ts";
import { namedAddresses } from "../../lib/transport/own_addresses.ts";
import type { Channel, Peer } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import {
  blockFor,
  check,
  echo,
  ready,
  sendWhenReady,
  serve,
  talker,
  text,
  zmtpOnly,
  zmtpServes,
} from "./transport.ts";

await check("a message comes back frame by frame", async (keep, { server, client }) => {
  const { address } = keep(await echo(server));
  assert.match(address, /^127\.0\.0\.1:[1-9]\d*$/);
  const channel = await ready(keep, client, address);
  assert.deepEqual(await channel.ask("zg2", "héllo", ""), ["zg2", "héllo", ""]);
  assert.deepEqual(await channel.ask(""), [""]);
  const bytes = new Uint8Array(1_000).fill(7).subarray(10, 20);
  channel.send([bytes, new Uint8Array(0)]);
  await until(() => channel.got.length === 3, 5_000, "the bytes");
  assert.deepEqual(channel.got[2], ["\x07".repeat(10), ""]);
  for (const length of [255, 256, 65_535, 65_536, 1_000_000]) {
    const long = "x".repeat(length);
    assert.ok((await channel.ask(long, "end"))[0] === long, `${length} bytes`);
  }
});

await check("a delimiter is taken off and given back", async (keep, { server, client }) => {
  const bodies: string[][] = [];
  const made = await serve(server, (peer, frames) => {
    bodies.push(text(frames));
    peer.send(["re", ...frames]);
    peer.write(made.encode(["encoded"]));
  });
  const { address } = keep(made);
  const dealer = await ready(keep, client, address);
  const answers = async (...frames: string[]) => {
    await dealer.ask(...frames);
    await until(() => dealer.got.length === 2, 5_000, "the second answer");
    return dealer.got.splice(0);
  };
  assert.deepEqual(await answers("", "zg2", "a"), [["", "re", "zg2", "a"], ["", "encoded"]]);
  assert.deepEqual(await answers("zg2", "b"), [["re", "zg2", "b"], ["encoded"]]);
  assert.deepEqual(await answers("", "", "c"), [["", "re", "", "c"], ["", "encoded"]]);
  assert.deepEqual(bodies, [["zg2", "a"], ["zg2", "b"], ["", "c"]]);
  const req = await ready(keep, client, address, { type: "REQ" });
  await req.ask("zg2", "d");
  await until(() => req.got.length === 2, 5_000, "the second answer");
  assert.deepEqual(req.got, [["re", "zg2", "d"], ["encoded"]]);
});

await check("a peer has one id and can be written to later", async (keep, { server, client }) => {
  const peers: Peer[] = [];
  const made = keep(await serve(server, (peer) => void peers.push(peer)));
  const [a, b] = [keep(talker(client, made.address)), keep(talker(client, made.address))];
  for (const channel of [a, b, a]) {
    const known: number = peers.length;
    await sendWhenReady(channel, ["hi"]);
    await until(() => peers.length > known, 5_000, "the message");
  }
  assert.match(peers[0].id, /^[\x21-\x7e]+$/);
  assert.equal(peers[0], peers[2]);
  assert.notEqual(peers[0].id, peers[1].id);
  assert.equal(peers[0].ip, server.watchful ? "127.0.0.1" : "");
  const encoded = made.encode(["to", "both"]);
  for (const peer of peers.slice(0, 2)) assert.ok(peer.write(encoded, { droppable: true }));
  assert.ok(peers[0].send(["later"]));
  await until(() => a.got.length + b.got.length === 3, 5_000, "all");
  assert.deepEqual([a.got, b.got], [[["to", "both"], ["later"]], [["to", "both"]]]);
});

await check("1,000 ping-pongs do not stall", async (keep, { server, client }) => {
  const { address } = keep(await echo(server));
  let count = 0;
  const channel: Channel = keep(client.connect({
    address,
    onMessage() {
      count++;
      channel.send(["ping"]);
    },
  }));
  await sendWhenReady(channel, ["ping"]);
  // A wake-up that is lost each time costs a second each: 1,000 s.
  await until(() => count >= 1_000, 60_000, "1,000 round trips");
});

await check(
  "a message that arrives just before a send is not overlooked",
  async (keep, { server, client }) => {
    let seen = 0;
    let peer: Peer | undefined;
    const made = keep(
      await serve(server, (from) => {
        seen++;
        peer = from;
      }),
    );
    const channel = await ready(keep, client, made.address);
    channel.send(["hello"]);
    await until(() => peer, 5_000, "the first message");
    for (let round = 1; round <= 10; round++) {
      peer!.send(["push"]);
      blockFor(3);
      channel.send(["pull"]);
      await until(() => channel.got.length === 2 * round - 1, 5_000, `push ${round}`);
      await until(() => seen === 2 * round, 5_000, `pull ${round}`);
      channel.send(["pull"]);
      blockFor(3);
      peer!.send(["push"]);
      await until(() => seen === 2 * round + 1, 5_000, `second pull ${round}`);
      await until(() => channel.got.length === 2 * round, 5_000, `second push ${round}`);
    }
  },
);

await check("a burst arrives whole and in order", async (keep, { server, client }) => {
  const seen: number[] = [];
  const { address } = keep(
    await serve(server, (_, frames) => void seen.push(Number(text(frames)[0]))),
  );
  const channel = await ready(keep, client, address);
  for (let n = 0; n < 5_000; n++) assert.ok(channel.send([`${n}`]));
  await until(() => seen.length === 5_000, 10_000, "5,000 messages");
  assert.ok(seen.every((n, index) => n === index));
});

await check("IPv6 addresses carry messages", async (keep, { server, client }) => {
  const { address } = keep(await echo(server, { address: "[::1]:0" }));
  assert.match(address, /^\[::1\]:[1-9]\d*$/);
  await (await ready(keep, client, address)).ask("six");
});

await check("a host name is looked up", async (keep, { server, client }) => {
  const { address } = keep(await echo(server));
  await (await ready(keep, client, address.replace("127.0.0.1", "localhost"))).ask("by name");
});

await check("more requests than may be under way wait", async (keep, { server, client }) => {
  const waiting: Peer[] = [];
  let most = 0;
  let served = 0;
  const { address } = keep(
    await serve(server, (peer) => {
      peer.begin();
      most = Math.max(most, waiting.push(peer));
    }),
  );
  const channel = await ready(keep, client, address);
  for (let n = 0; n < 1_000; n++) assert.ok(channel.send(["ask"]));
  await until(
    () => {
      for (const peer of waiting.splice(0)) {
        served++;
        peer.end();
      }
      return served === 1_000;
    },
    10_000,
    "all requests",
  );
  assert.equal(most, 256);
});

await check("a server closes under traffic and comes back", async (keep, { server, client }) => {
  let made = await echo(server);
  const { address } = made;
  const channels = Array.from({ length: 20 }, () => {
    const channel: Channel = keep(client.connect({
      address,
      onMessage: (frames) => void channel.send(frames),
    }));
    return channel;
  });
  for (let life = 0; life < 5; life++) {
    let seen = 0;
    await made.close();
    made = await serve(server, (peer, frames) => {
      // From within a delivery, with others waiting behind it.
      if (++seen === 500) void made.close();
      peer.send(frames);
    }, { address });
    await until(
      () => {
        for (const channel of channels) channel.send(["again"]);
        return seen >= 500;
      },
      10_000,
      "traffic",
    );
  }
  await made.close();
});

await check("nothing is delivered after close", async (keep, { server, client }) => {
  let seen = 0;
  const made = keep(
    await serve(server, (_, [frame]) => {
      if (frame.length > 0 && ++seen) void made.close();
    }),
  );
  const channel = await ready(keep, client, made.address);
  channel.send([""]);
  blockFor(10); // connects, where the engine has threads
  for (let n = 0; n < 100; n++) channel.send(["x"]);
  blockFor(10);
  await until(() => seen, 5_000, "the first message");
  await made.close();
  assert.equal(seen, 1);
});

await check("closing twice is harmless, sending after it is refused", async (_, pair) => {
  let peer: Peer | undefined;
  const server = await serve(pair.server, (from, frames) => {
    peer = from;
    from.send(frames);
  });
  const channel = talker(pair.client, server.address);
  await (await channel.ready()).ask("open");
  const all = [server, channel];
  await Promise.all([...all, ...all].map((one) => one.close()));
  for (const one of all) await one.close();
  assert.equal(channel.send(["late"]), false);
  assert.equal(peer!.send(["late"]), false);
  assert.equal(peer!.write(server.encode(["late"])), false);
  channel.reconnect("late");
});

await check("an address that cannot be bound is named", async (keep, { server, client }) => {
  const { address } = keep(await echo(server));
  const refuses = (at: string, code: string, reason: string) =>
    assert.rejects(
      server.serve({ address: at, onMessage() {} }),
      (error: Error) =>
        error instanceof Refusal && error.code === code &&
        error.message === `Cannot bind ${at}: ${reason}`,
    );
  await refuses(address, "address_taken", "the address is in use; choose another port");
  await refuses("127.0.0.1", "bad_request", "it should be IP:PORT");
  await refuses(
    "192.0.2.1:0",
    "bad_request",
    `this machine has no such address; it has ${namedAddresses()}, and 127.0.0.1 for itself`,
  );
  for (const nowhere of ["nowhere", "host:", "a b:1"]) {
    assert.throws(() => client.connect({ address: nowhere, onMessage() {} }), UsageError, nowhere);
  }
  await (await ready(keep, client, address)).ask("still there");
});

await check("what is no address is refused at once", async (_, { server, client }) => {
  for (const wrong of ["127.0.0.1:70000", "localhost:0", "[127.0.0.1]:0", "ipc:///tmp/x"]) {
    await assert.rejects(
      server.serve({ address: wrong, onMessage() {} }),
      (error: Error) =>
        error instanceof Refusal && error.code === "bad_request" &&
        error.message.startsWith(`Cannot bind ${wrong}: it should be IP:PORT`),
    );
  }
  for (const wrong of ["[::1", "host:70000", "host:0", "::1:80", "[host]:80"]) {
    assert.throws(() => client.connect({ address: wrong, onMessage() {} }), UsageError, wrong);
  }
}, zmtpOnly);

await check("a listener that throws ends that connection alone", async (keep, pair) => {
  const gone: string[] = [];
  const server = keep(
    await serve(pair.server, (peer, frames) => {
      const [what] = text(frames);
      if (what === "throw") throw new Error("oops");
      if (what === "reject") return Promise.reject(new Error("oops"));
      peer.send(frames);
    }, { onGone: (_, why) => void gone.push(why) }),
  );
  const other = await ready(keep, pair.client, server.address);
  for (const how of ["throw", "reject"]) {
    const rude = await ready(keep, pair.client, server.address);
    rude.send([how]);
    await other.ask("fine");
    if (pair.client.watchful) {
      await until(() => rude.life.length === 3, 5_000, `another connection; ${rude.life}`);
      assert.deepEqual(rude.life, ["connected", "closed by the server", "connected"]);
      await rude.ask("again");
    }
  }
  assert.equal(gone.length, 2);
  assert.deepEqual([...server.accounts.counts], [["cut: a listener failed", 2]]);
  assert.deepEqual(other.life, ["connected"]);
}, zmtpServes);

await check("a channel whose listener throws connects again", async (keep, pair) => {
  const { address } = keep(await echo(pair.server));
  const life: string[] = [];
  let bad = true;
  const channel = keep(pair.client.connect({
    address,
    onMessage() {
      if (bad) throw new Error("oops");
    },
    onConnected: () => void life.push("connected"),
    onGone: (why) => void life.push(why),
  }));
  await sendWhenReady(channel, ["x"]);
  await until(() => life.length === 3, 5_000, `another connection; ${life}`);
  assert.match(life.join(), /^connected,.*: oops,connected$/);
  bad = false;
  assert.ok(channel.send(["y"]));
});

await check("a server that closes lets its last replies leave", async (keep, pair) => {
  for (let round = 0; round < 10; round++) {
    const server = await serve(pair.server, (peer) => {
      for (let n = 0; n < 100; n++) peer.send([`${n}`, "x".repeat(1_000)]);
      void server.close();
    });
    keep(server);
    const channel = await ready(keep, pair.client, server.address);
    // What arrives and is not read makes a system reset the connection, and forget what it sent.
    for (let n = 0; n < 1_000; n++) channel.send(["all", "x".repeat(1_000)]);
    await until(() => channel.got.length === 100, 5_000, `100 replies; ${channel.got.length}`);
  }
}, zmtpServes);

await check("both sides are told of connections that come and go", async (keep, pair) => {
  const came: Peer[] = [];
  const gone: [Peer, string][] = [];
  const more = { onGone: (peer: Peer, why: string) => void gone.push([peer, why]) };
  const hello = (peer: Peer) => {
    if (!came.includes(peer)) came.push(peer);
  };
  let server = keep(await serve(pair.server, hello, more));
  const channel = keep(talker(pair.client, server.address));
  assert.equal(channel.send(["too early"]), false);
  await (await channel.ready()).ready();
  channel.send(["a"]);
  await until(() => came.length === 1, 5_000, "the first connection");
  assert.equal(server.accounts.connections, 1);
  assert.equal(server.accounts.strangers, 0);

  channel.reconnect("wanted");
  assert.equal(channel.send(["nothing there"]), false);
  await until(() => channel.life.length === 3, 5_000, `another connection; ${channel.life}`);
  channel.send(["b"]);
  await until(() => came.length === 2 && gone.length === 1, 5_000, "the second connection");

  came[1].cut("for this reason: here");
  assert.equal(came[1].send(["late"]), false);
  await until(() => channel.life.length === 5, 5_000, `the third connection; ${channel.life}`);
  assert.equal(server.accounts.counts.get("cut: for this reason"), 1);

  await server.close();
  await until(() => channel.life.length >= 8, 10_000, `failed tries; ${channel.life}`);
  server = keep(await serve(pair.server, hello, { ...more, address: server.address }));
  await until(() => channel.life.at(-1) === "connected", 5_000, "to come back");

  const [tries, rest] = [channel.life.slice(6, -1), channel.life.toSpliced(6)];
  assert.deepEqual(rest, [
    "connected",
    "wanted",
    "connected",
    "closed by the server",
    "connected",
    "closed by the server",
  ]);
  assert.ok(tries.every((why) => why.includes("ECONNREFUSED")), tries.join());
  const reasons = gone.map(([peer, why]) => [came.indexOf(peer), why]);
  assert.deepEqual(reasons, [
    [0, "closed by the peer"],
    [1, "for this reason: here"],
    [-1, "the server closes"],
  ]);
}, zmtpOnly);
