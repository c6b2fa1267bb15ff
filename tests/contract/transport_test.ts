import assert from "node:assert/strict";
import type { Channel, Peer, Server } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import { ask, blockFor, check, echo, listener, LOCAL, text } from "./transport.ts";

await check("a message comes back frame by frame", async (keep, transport) => {
  const server = keep(await echo(transport));
  assert.match(server.address, /^127\.0\.0\.1:[1-9]\d*$/);
  const channel = keep(listener(transport, server.address));
  assert.deepEqual(await ask(channel, "zg1", "héllo", ""), ["zg1", "héllo", ""]);
  const bytes = new Uint8Array(1_000).fill(7).subarray(10, 20);
  channel.send([bytes, new Uint8Array(0)]);
  await until(() => channel.got.length === 2, 5_000, "the bytes");
  assert.deepEqual(channel.got[1], ["\x07".repeat(10), ""]);
});

await check(
  "the delimiter of a REQ socket is taken off and given back",
  async (keep, transport) => {
    const bodies: string[][] = [];
    const server: Server = keep(
      await transport.serve({
        address: LOCAL,
        onMessage(peer, frames) {
          bodies.push(text(frames));
          server.send(peer, ["re", ...frames]);
        },
      }),
    );
    const channel = keep(listener(transport, server.address));
    assert.deepEqual(await ask(channel, "", "zg1", "a"), ["", "re", "zg1", "a"]);
    assert.deepEqual(await ask(channel, "zg1", "b"), ["re", "zg1", "b"]);
    assert.deepEqual(await ask(channel, "", "", "c"), ["", "re", "", "c"]);
    assert.deepEqual(bodies, [["zg1", "a"], ["zg1", "b"], ["", "c"]]);
  },
);

await check("a peer has one printable id and can be written to later", async (keep, transport) => {
  const peers: Peer[] = [];
  const server = keep(
    await transport.serve({ address: LOCAL, onMessage: (peer) => void peers.push(peer) }),
  );
  const [a, b] = [0, 1].map(() => keep(listener(transport, server.address)));
  for (const channel of [a, b, a]) {
    const known: number = peers.length;
    channel.send(["hi"]);
    await until(() => peers.length > known, 5_000, "the message");
  }
  assert.match(peers[0].id, /^[\x21-\x7e]+$/);
  assert.equal(peers[0].id, peers[2].id);
  assert.notEqual(peers[0].id, peers[1].id);
  assert.ok(server.send(peers[0], ["later"]));
  await until(() => a.got.length, 5_000, "the later message");
  assert.deepEqual([a.got, b.got], [[["later"]], []]);
  assert.equal(server.send({ id: peers[0].id }, ["forged"]), false);
});

await check("1,000 ping-pongs do not stall", async (keep, transport) => {
  const server = keep(await echo(transport));
  let count = 0;
  const channel: Channel = keep(transport.connect({
    address: server.address,
    onMessage() {
      count++;
      channel.send(["ping"]);
    },
  }));
  channel.send(["ping"]);
  await until(() => count >= 1_000, 60_000, "1,000 round trips");
});

await check(
  "a message that arrives just before a send is not overlooked",
  async (keep, transport) => {
    let seen = 0;
    let peer: Peer | undefined;
    const server = keep(
      await transport.serve({
        address: LOCAL,
        onMessage(from) {
          seen++;
          peer = from;
        },
      }),
    );
    const channel = keep(listener(transport, server.address));
    channel.send(["hello"]);
    await until(() => peer, 5_000, "the first message");
    for (let round = 1; round <= 10; round++) {
      server.send(peer!, ["push"]);
      blockFor(3);
      channel.send(["pull"]);
      await until(() => channel.got.length === 2 * round - 1, 5_000, `push ${round}`);
      await until(() => seen === 2 * round, 5_000, `pull ${round}`);
      channel.send(["pull"]);
      blockFor(3);
      server.send(peer!, ["push"]);
      await until(() => seen === 2 * round + 1, 5_000, `second pull ${round}`);
      await until(() => channel.got.length === 2 * round, 5_000, `second push ${round}`);
    }
  },
);

await check(
  "a burst above the high-water mark arrives whole and in order",
  async (keep, transport) => {
    const seen: number[] = [];
    const server = keep(
      await transport.serve({
        address: LOCAL,
        onMessage: (_, frames) => void seen.push(Number(text(frames)[0])),
      }),
    );
    const channel = keep(listener(transport, server.address));
    for (let n = 0; n < 5_000; n++) assert.ok(channel.send([`${n}`]));
    await until(() => seen.length === 5_000, 10_000, "5,000 messages");
    assert.ok(seen.every((n, index) => n === index));
  },
);

await check("a message of more than 8 frames is ignored", async (keep, transport) => {
  const counts: number[] = [];
  const server = keep(
    await transport.serve({
      address: LOCAL,
      onMessage: (_, frames) => void counts.push(frames.length),
    }),
  );
  const channel = keep(listener(transport, server.address));
  for (const count of [9, 5_000, 8]) channel.send(Array(count).fill("x"));
  channel.send(["", ...Array(8).fill("x")]);
  channel.send([""]);
  await until(() => counts.length === 3, 5_000, "the short ones");
  assert.deepEqual(counts, [8, 8, 1]);
});

await check("IPv6 addresses carry messages", async (keep, transport) => {
  const server = keep(await echo(transport, { address: "[::1]:0" }));
  assert.match(server.address, /^\[::1\]:[1-9]\d*$/);
  await ask(keep(listener(transport, server.address)), "six");
});
