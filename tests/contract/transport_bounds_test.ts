import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import type { Peer, Server } from "../../lib/transport/transport.ts";
import { encodeMessage, encodeReady, GREETING } from "../../lib/transport/zmtp/codec.ts";
import { until } from "../support.ts";
import {
  besides,
  bounds,
  check,
  counted,
  echo,
  LOCAL,
  ready,
  serve,
  zmtpOnly,
  zmtpServes,
} from "./transport.ts";
import { claim, Wire } from "./wire.ts";

const KIB = 1_024;

/** Strangers that are cut, with the reason: what each sends after its handshake. */
const TOO_MUCH: [why: string, known: boolean, ...sent: Uint8Array[]][] = [
  ["frame too long", false, claim(0, 4 * KIB + 1)],
  ["message too long", false, ...Array(2).fill(frame(4 * KIB)), claim(1, 1)],
  ["frame too long", true, claim(0, 1_048_576 + 65)],
  ["message too long", true, frame(1_000_000), claim(1, 60_000)],
  ["too many frames", true, ...Array(9).fill(frame(1))],
  ["too many frames", true, ...Array(10).fill(frame(0))],
  ["command too long", true, claim(4, 4 * KIB + 1)],
];

/** One frame with more to come. */
function frame(length: number): Uint8Array {
  return encodeMessage([new Uint8Array(length), ""]).subarray(0, -2);
}

await check("who sends too much is cut alone", async (keep, pair) => {
  const server = keep(await echo(pair.server));
  await besides(keep, pair, server.address, async () => {
    for (const [why, known, ...sent] of TOO_MUCH) {
      const before = counted(server, `cut: ${why}`);
      const wire = keep(await Wire.open(server.address));
      if (known) {
        wire.send(encodeMessage(["hello"]));
        await wire.heard("hello");
      }
      wire.send(...sent);
      await wire.end();
      assert.equal(counted(server, `cut: ${why}`), before + 1, why);
    }
  });
}, zmtpServes);

await check("the longest of everything passes", async (keep, pair) => {
  const server = keep(await echo(pair.server));
  const wire = keep(await Wire.open(server.address));
  const long = "x".repeat(1_048_576 + 64);
  wire.send(encodeMessage(["hello"]));
  wire.send(encodeMessage(["long", long, ..."123456"]));
  assert.deepEqual(await wire.heard("long"), ["long", long, ..."123456"]);
  wire.send(encodeMessage(["", ...Array(8).fill("8")]));
  await wire.heard("");
}, zmtpOnly);

await check("who does not read is not read from, and loses nothing", async (keep, pair) => {
  const limits = bounds({ out: 2 << 20 });
  const server = keep(await echo(pair.server, { bounds: limits }));
  const wire = keep(await Wire.open(server.address));
  wire.send(encodeMessage(["hello"]));
  await wire.heard("hello");
  const payload = new Uint8Array(100_000);
  await besides(keep, pair, server.address, async () => {
    wire.socket.pause();
    for (let n = 0; n < 200; n++) wire.send(encodeMessage([`${n}`, payload]));
    await until(() => counted(server, "paused: slow reader"), 5_000, "a pause");
    await until(() => wire.socket.writableLength > 0, 5_000, "the sender to be held");
  });
  const most = limits.known.out + limits.known.message + 4 * 65_536;
  assert.ok(server.accounts.most < most, `${server.accounts.most} bytes were held`);
  wire.socket.resume();
  await wire.heard("199", 10_000);
  assert.equal(wire.got.filter((message) => message.length === 2).length, 201); // and READY
  await until(() => server.accounts.held === 0, 5_000, `all to be gone; ${server.accounts.held}`);
}, zmtpOnly);

await check("pushes to a slow reader are dropped, then it is cut", async (keep, pair) => {
  const peers = new Map<string, Peer>();
  const gone: string[] = [];
  const server = keep(
    await serve(pair.server, (peer, [what]) => {
      peers.set(String.fromCharCode(...what), peer);
      peer.send([what]);
    }, { bounds: bounds({}), onGone: (_, why) => void gone.push(why) }),
  );
  const wire = keep(await Wire.open(server.address));
  wire.send(encodeMessage(["slow"]));
  await wire.heard("slow");
  wire.socket.pause();
  const slow = peers.get("slow")!;
  await besides(keep, pair, server.address, async () => {
    const push = server.encode(["push", new Uint8Array(60_000)]);
    await until(() => !slow.write(push, { droppable: true }), 5_000, "a push to be dropped");
    assert.ok(slow.waiting >= 1 << 20 && slow.waiting < (1 << 20) + 70_000, `${slow.waiting}`);
    assert.ok(slow.send(["no push"]));
    for (let n = 0; n < 1_000; n++) assert.equal(slow.write(push, { droppable: true }), false);
    assert.equal(gone.length, 0);
    let sent = 0;
    while (slow.write(push)) sent++;
    assert.ok(sent > 100 && sent < 130, `${sent} of 60,000 bytes were taken`);
    assert.equal(slow.send(["late"]), false);
    assert.equal(slow.waiting < 1 << 24, true);
  });
  assert.ok(counted(server, "dropped: slow reader") >= 1_001);
  await until(() => gone.length > 0, 5_000, "the end to be told");
  assert.deepEqual(gone, ["does not read"]);
  assert.ok(server.accounts.most < 9 << 20, `${server.accounts.most} bytes were held`);
}, zmtpOnly);

await check("a request that ends lets the next in at once", async (keep, pair) => {
  let served = 0;
  const server = keep(
    await serve(pair.server, (peer) => {
      peer.begin();
      setImmediate(() => {
        served++;
        peer.end();
      });
    }, { bounds: bounds({ requests: 1 }) }),
  );
  const channel = await ready(keep, pair.client, server.address);
  const begin = performance.now();
  for (let n = 0; n < 200; n++) channel.send(["ask"]);
  await until(() => served === 200, 20_000, "200 requests, one by one");
  const ms = performance.now() - begin;
  assert.ok(ms < 5_000, `took ${ms} ms; 10 s if each waited for the next look`);
  assert.ok(counted(server, "paused: too many requests") > 0);
}, zmtpOnly);

await check("of all together the largest is cut, and drops come first", async (keep, pair) => {
  const peers: Peer[] = [];
  const gone: Peer[] = [];
  const limits = bounds({ out: 4 << 20, drop: 4 << 20 }, { total: 6 << 20 });
  const server = keep(
    await serve(pair.server, (peer, frames) => {
      if (!peers.includes(peer)) peers.push(peer);
      peer.send(frames);
    }, { bounds: limits, onGone: (peer) => void gone.push(peer) }),
  );
  for (let n = 0; n < 4; n++) {
    const wire = keep(await Wire.open(server.address));
    wire.send(encodeMessage(["hello"]));
    await wire.heard("hello");
    if (n > 0) wire.socket.pause();
  }
  const [reads, small, large, third] = peers;
  const payload = new Uint8Array(100_000);
  const fill = (peer: Peer, bytes: number) => {
    while (peer.waiting < bytes) assert.ok(peer.send([payload]));
  };
  await besides(keep, pair, server.address, async () => {
    fill(small, 1 << 20);
    fill(third, 1 << 19);
    const push = server.encode([payload]);
    assert.ok(third.write(push, { droppable: true }));
    fill(large, 3 << 20);
    assert.equal(third.write(push, { droppable: true }), false); // memory is tight now
    assert.ok(reads.write(push, { droppable: true }));
    fill(third, 2.5 * (1 << 20));
    await until(() => gone.length, 5_000, "a peer to be cut");
  });
  assert.deepEqual(gone, [large]);
  assert.ok(small.send(["still there"]) && third.send(["still there"]));
  assert.ok(server.accounts.most < (6 << 20) + 200_000, `${server.accounts.most} were held`);
  assert.deepEqual(counted(server, "cut: holds most of all"), 1);
}, zmtpOnly);

await check("who asks too often waits, and nobody else", async (keep, pair) => {
  const seen = new Map<Peer, number>();
  const limits = bounds({ rate: 1_000 });
  const server = keep(
    await serve(pair.server, (peer, frames) => {
      seen.set(peer, (seen.get(peer) ?? 0) + 1);
      if (frames[0].length < 9) peer.send(frames);
    }, { bounds: limits }),
  );
  const wire = keep(await Wire.open(server.address));
  const begin = performance.now();
  const flood = encodeMessage(["123456789"]);
  const { slowest } = await besides(keep, pair, server.address, async () => {
    wire.send(...Array(4_000).fill(flood), encodeMessage(["last"]));
    await wire.heard("last", 10_000);
  });
  const ms = performance.now() - begin;
  assert.ok(ms > 1_800, `4,000 messages in ${ms} ms, with a burst of 2,000 at 1,000 a second`);
  assert.ok(Math.max(...seen.values()) >= 4_001);
  assert.ok(slowest < 1_000, `somebody else waited for ${slowest} ms`);
  assert.ok(counted(server, "paused: flood") > 0);
}, zmtpOnly);

await check("a stranger that sends on and on is cut", async (keep, pair) => {
  const server = keep(await pair.server.serve({ address: LOCAL, onMessage() {} }));
  const wire = keep(await Wire.open(server.address));
  const flood = Array(1_000).fill(encodeMessage(["x".repeat(100)]));
  while (!wire.closed) {
    wire.send(...flood);
    await until(() => wire.closed || wire.socket.writableLength === 0, 5_000, "a cut");
  }
  assert.equal(counted(server, "cut: sends on and on"), 1);
  assert.ok(server.accounts.most < 4 * 65_536, `${server.accounts.most} bytes were held`);
}, zmtpOnly);

await check("who is not admitted in time is cut", async (keep, pair) => {
  const peers: Peer[] = [];
  const server: Server = keep(
    await pair.server.serve({
      address: LOCAL,
      bounds: bounds({}, { admitWithin: 1_000 }),
      onMessage(peer, frames) {
        if (String.fromCharCode(...frames[0]) === "known") peer.admit();
        peers.push(peer);
        peer.send(frames);
      },
    }),
  );
  const [mute, greeted, stranger, known] = [1, 2, 3, 4].map(() =>
    keep(Wire.connect(server.address))
  );
  greeted.send(GREETING);
  for (const wire of [stranger, known]) wire.send(GREETING, encodeReady("DEALER"));
  stranger.send(encodeMessage(["hello"]));
  known.send(encodeMessage(["known"]));
  await known.heard("known");
  assert.deepEqual([server.accounts.connections, server.accounts.strangers], [4, 3]);
  await Promise.all([mute, greeted, stranger].map((wire) => wire.end()));
  assert.deepEqual([server.accounts.connections, server.accounts.strangers], [1, 0]);
  assert.equal(counted(server, "cut: no handshake in time"), 2);
  assert.equal(counted(server, "cut: not admitted in time"), 1);
  known.send(encodeMessage(["still"]));
  await known.heard("still");
}, zmtpOnly);

await check("connections beyond the bounds are closed at once", async (keep, pair) => {
  const limits = bounds({}, { connections: 8, strangers: 5, strangersPerIp: 3 });
  const server = keep(await echo(pair.server, { bounds: limits }));
  const inside = await ready(keep, pair.client, server.address);
  await inside.ask("in");
  const from = async (ip: string) => {
    const wire = keep(Wire.connect(server.address, ip));
    await until(() => wire.closed || wire.got.length > 0, 5_000, "a greeting or an end");
    return wire;
  };
  const wires: Wire[] = [];
  for (const ip of ["127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3"]) {
    wires.push(await from(ip));
  }
  for (const ip of ["127.0.0.4", "127.0.0.5"]) wires.push(await from(ip));
  assert.deepEqual(wires.map(({ closed }) => closed), [
    // The first one, which said nothing, made room for the last one.
    ...[true, false, false, true],
    ...[false, false, false],
  ]);
  for (const wire of wires.filter(({ closed }) => !closed)) {
    wire.send(GREETING, encodeReady("DEALER"), encodeMessage(["hello"]));
    await wire.heard("hello");
  }
  for (const [ip, closed] of [["127.0.0.2", false], ["127.0.0.3", false], ["127.0.0.4", true]]) {
    assert.equal((await from(ip as string)).closed, closed, `${ip}`);
  }
  assert.deepEqual([...server.accounts.counts], [
    ["turned away: too many strangers of one address", 1],
    ["cut: strangers make room", 1],
    ["turned away: too many connections", 1],
  ]);
  await inside.ask("still in");
  assert.deepEqual(inside.life, ["connected"]);
}, zmtpOnly);

await check("an address that connects too often is turned away for a while", async (keep, pair) => {
  const server = keep(await echo(pair.server, { bounds: bounds({}, { connectsPerIp: 5 }) }));
  const turned = () => counted(server, "turned away: connects too often");
  const isLetIn = async () => {
    const wire = Wire.connect(server.address, "127.0.0.9");
    try {
      await until(() => wire.closed || wire.got.length > 0, 5_000, "a greeting or an end");
      return !wire.closed;
    } finally {
      await wire[Symbol.asyncDispose]();
    }
  };
  for (let n = 0; n < 25; n++) await isLetIn();
  assert.ok(turned() >= 2 && turned() <= 4, `${turned()} of 25 were turned away`);
  await (await ready(keep, pair.client, server.address)).ask("from elsewhere");
  await until(isLetIn, 5_000, "to be let in again");
}, zmtpOnly);
