import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { Refusal, UsageError } from "../../lib/errors.ts";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import type { Peer } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import { ask, check, echo, foreign, listen, text } from "./libzmq.ts";

const onWindows = process.platform === "win32" && "no ipc there";

/** A folder for sockets, deleted at the end. */
async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), "zg-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

await check("a message comes back over tcp, frame by frame", async (keep, transport) => {
  const server = keep(await echo(transport));
  assert.match(server.address, /^127\.0\.0\.1:[1-9]\d*$/);
  const channel = keep(await listen(transport, server.address));
  assert.deepEqual(await ask(channel, "zg2", "héllo", ""), ["zg2", "héllo", ""]);
  assert.deepEqual(channel.told, ["connected"]);
});

await check("a message comes back over ipc", async (keep, transport) => {
  const { path } = keep(await folder());
  const address = `ipc://${join(path, "socket")}`;
  const server = keep(await echo(transport, { address }));
  assert.equal(server.address, address);
  const channel = keep(await listen(transport, address));
  for (let n = 0; n < 50; n++) {
    assert.deepEqual(await ask(channel, "zg2", `${n}`), ["zg2", `${n}`]);
  }
}, onWindows);

await check("an ipc path that is not free is refused and left alone", async (keep, transport) => {
  const { path } = keep(await folder());
  const file = join(path, "file");
  await writeFile(file, "mine");
  const address = `ipc://${join(path, "socket")}`;
  const server = keep(await echo(transport, { address }));
  const refuses = (at: string, code: string) =>
    assert.rejects(
      transport.serve({ address: at, onMessage() {} }),
      (error: Error) => error instanceof Refusal && error.code === code,
    );
  await refuses(address, "address_taken");
  await refuses(`ipc://${file}`, "bad_request");
  await refuses(`ipc://${join(path, "none", "socket")}`, "bad_request");
  await refuses(`ipc://${join(path, "x".repeat(200))}`, "bad_request");
  const channel = keep(await listen(transport, address));
  await ask(channel, "still there");
  await server.close();
  const next = keep(await echo(transport, { address }));
  assert.equal(next.address, address);
}, onWindows);

await check("an address that cannot be bound is named with the reason", async (keep, transport) => {
  const { address } = keep(await echo(transport));
  const refuses = (at: string, message: string) =>
    assert.rejects(transport.serve({ address: at, onMessage() {} }), { name: "Refusal", message });
  await refuses(address, `Cannot bind ${address}: the address is in use; choose another port`);
  await refuses("127.0.0.1", "Cannot bind 127.0.0.1: it should be IP:PORT");
  assert.throws(() => transport.connect({ address: "nowhere", onMessage() {} }), UsageError);
});

await check("the envelope of REQ is put and taken off on both sides", async (keep, transport) => {
  const bodies: string[][] = [];
  const server = keep(
    await echo(transport, {
      onMessage(peer, frames) {
        bodies.push(text(frames));
        peer.write(server.encode(["re", ...frames]));
      },
    }),
  );
  const req = keep(await listen(transport, server.address, { type: "REQ" }));
  assert.deepEqual(await ask(req, "zg2", "a"), ["re", "zg2", "a"]);
  const dealer = keep(await listen(transport, server.address));
  assert.deepEqual(await ask(dealer, "", "zg2", "b"), ["", "re", "zg2", "b"]);
  assert.deepEqual(await ask(dealer, "zg2", "c"), ["re", "zg2", "c"]);
  assert.deepEqual(bodies, [["zg2", "a"], ["zg2", "b"], ["zg2", "c"]]);
});

await check("a peer that was cut is ignored, the others go on", async (keep, transport) => {
  const seen: string[] = [];
  const server = keep(
    await echo(transport, {
      onMessage(peer, frames) {
        const [word] = text(frames);
        seen.push(word);
        if (word === "bad") throw new Error("rubbish");
        if (word === "go") peer.cut("asked for it");
        assert.equal(peer.send(frames), word !== "go");
      },
    }),
  );
  const [a, b, c] = [
    keep(await listen(transport, server.address)),
    keep(await listen(transport, server.address)),
    keep(await listen(transport, server.address)),
  ];
  for (const channel of [a, b, c]) await ask(channel, "hello");
  a.send(["go"]);
  b.send(["bad"]);
  await until(() => server.gone.length === 2, 5_000, "both to be cut");
  assert.equal(server.accounts.connections, 1);
  for (const channel of [a, b]) channel.send(["again"]);
  await until(() => server.accounts.counts.get("ignored: cut before") === 2, 5_000, "both");
  await ask(c, "other");
  assert.ok(!seen.includes("again"));
  assert.deepEqual(server.gone.toSorted(), [
    "a message could not be taken: Error: rubbish",
    "asked for it",
  ]);
  assert.equal(server.accounts.counts.get("cut: a message could not be taken"), 1);
  a.reconnect("to be heard again");
  await until(() => a.told.length === 3, 5_000, "another connection");
  assert.deepEqual(a.told, ["connected", "to be heard again", "connected"]);
  await ask(a, "hello");
});

await check("a peer beyond its bounds is cut, alone", async (keep, transport) => {
  const bounds = { ...DEFAULT_BOUNDS, frames: 3 };
  const server = keep(
    await echo(transport, {
      bounds,
      onMessage(peer, frames) {
        if (text(frames)[0] === "admit") peer.admit();
        peer.send(["ok"]);
      },
    }),
  );
  const [a, b, c] = [
    keep(await listen(transport, server.address)),
    keep(await listen(transport, server.address)),
    keep(await listen(transport, server.address)),
  ];
  const long = "x".repeat(DEFAULT_BOUNDS.stranger.frame + 1);
  await ask(c, "admit");
  assert.equal(server.accounts.strangers, 0);
  await ask(c, long);
  a.send([long]);
  b.send(["1", "2", "3", "4"]);
  await until(() => server.gone.length === 2, 5_000, "both to be cut");
  assert.deepEqual(server.gone.toSorted(), ["frame too long", "too many frames"]);
  const { socket: rude } = keep(foreign(server.address));
  await rude.send(new Uint8Array(DEFAULT_BOUNDS.known.frame + 1));
  await ask(c, "still here");
});

await check("requests beyond the bound wait, and too many of them cut", async (keep, transport) => {
  const stranger = { ...DEFAULT_BOUNDS.stranger, requests: 2 };
  const seen: string[] = [];
  let asking: Peer | undefined;
  const server = keep(
    await echo(transport, {
      bounds: { ...DEFAULT_BOUNDS, stranger },
      onMessage(peer, frames) {
        asking = peer;
        peer.begin();
        seen.push(text(frames)[0]);
      },
    }),
  );
  const channel = keep(await listen(transport, server.address));
  for (const n of [1, 2, 3, 4]) channel.send([`${n}`]);
  await until(() => server.accounts.held > 1_000, 5_000, "two to wait");
  assert.deepEqual(seen, ["1", "2"]);
  asking!.end();
  asking!.end();
  assert.deepEqual(seen, ["1", "2", "3", "4"]);
  for (let n = 0; n < 1_000; n++) channel.send(["more"]);
  await until(() => server.gone.length > 0, 5_000, "the cut");
  assert.equal(server.accounts.held, 0);
  assert.ok(server.accounts.most > stranger.out);
});

await check("strangers are forgotten in time, and when they are many", async (keep, transport) => {
  const bounds = { ...DEFAULT_BOUNDS, admitWithin: 300, strangers: 2 };
  const ids = new Set<string>();
  const server = keep(
    await echo(transport, {
      bounds,
      onMessage(peer, frames) {
        ids.add(peer.id);
        peer.send(frames);
      },
    }),
  );
  const channels = [
    keep(await listen(transport, server.address)),
    keep(await listen(transport, server.address)),
    keep(await listen(transport, server.address)),
  ];
  for (const channel of channels) await ask(channel, "hello");
  assert.equal(server.accounts.connections, 2);
  await until(() => server.accounts.connections === 0, 5_000, "their time");
  assert.deepEqual(server.gone, [
    "too many strangers",
    "not admitted in time",
    "not admitted in time",
  ]);
  for (const channel of channels) await ask(channel, "once more");
  assert.equal(ids.size, 6);
});

await check("a peer that left is found gone at a send", async (keep, transport) => {
  let left: Peer | undefined;
  const server = keep(await echo(transport, { onMessage: (peer) => void (left = peer) }));
  const channel = keep(await listen(transport, server.address));
  channel.send(["hello"]);
  await until(() => left, 5_000, "the message");
  await channel.close();
  await until(() => !left!.send(["anybody?"]), 5_000, "the news");
  assert.deepEqual(server.gone, ["disconnected"]);
});

await check("a slow reader misses what may be dropped, or is cut", async (keep, transport) => {
  const peers: Peer[] = [];
  const server = keep(
    await echo(transport, {
      onMessage(peer) {
        peer.admit();
        peers.push(peer);
      },
    }),
  );
  const { socket } = keep(foreign(server.address)); // never reads
  await socket.send("hello");
  await until(() => peers.length > 0, 5_000, "the message");
  const dropped = "dropped: reads too slowly";
  const feed = server.encode([new Uint8Array(65_536)]);
  await until(
    () => {
      for (let n = 0; n < 100; n++) peers[0].write(feed, { droppable: true });
      return server.accounts.counts.has(dropped);
    },
    20_000,
    "a drop",
  );
  assert.equal(peers[0].write(feed, { droppable: true }), false);
  assert.deepEqual(server.gone, []);
  const writes = Array.from({ length: 100 });
  await until(() => !writes.every(() => peers[0].write(feed)), 20_000, "the cut");
  assert.deepEqual(server.gone, ["reads too slowly"]);
});

await check("what a client's callback throws makes another connection", async (keep, transport) => {
  const server = keep(await echo(transport));
  let thrown = 0;
  const channel = keep(
    await listen(transport, server.address, {
      onMessage() {
        thrown++;
        throw new Error("not understood");
      },
    }),
  );
  assert.ok(channel.send(["a"]));
  await until(() => channel.told.length === 3, 5_000, "another connection");
  assert.equal(channel.told[1], "a message could not be taken: not understood");
  assert.equal(thrown, 1);
});

await check("a channel to nobody keeps a bounded queue", async (keep, transport) => {
  const gone = await echo(transport);
  await gone.close();
  const channel = keep(await listen(transport, gone.address));
  let sent = 0;
  while (sent < 20_000 && channel.send(["x"])) sent++;
  assert.ok(sent >= 10_000 && sent < 20_000, `${sent} were taken`);
});

await check("closing twice is harmless, sending after it is refused", async (_, transport) => {
  let peer: Peer | undefined;
  const server = await echo(transport, {
    onMessage(from, frames) {
      peer = from;
      from.send(frames);
    },
  });
  const channel = await listen(transport, server.address);
  await ask(channel, "open");
  const all = [server, channel];
  await Promise.all([...all, ...all].map((one) => one.close()));
  assert.equal(channel.send(["late"]), false);
  channel.reconnect("late");
  assert.equal(peer!.send(["late"]), false);
  assert.deepEqual([server.gone, channel.told], [[], ["connected"]]);
});
