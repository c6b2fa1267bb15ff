import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import type { ConnectOptions } from "../../lib/transport/transport.ts";
import {
  encodeCommand,
  encodeError,
  encodeMessage,
  encodeReady,
  GREETING,
} from "../../lib/transport/zmtp/codec.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { Process } from "../system/processes.ts";
import { type Keep, serve, talker, text } from "./transport.ts";
import { claim, greetingOf, pingOf, rawServer, type Wire } from "./wire.ts";

const transport = zmtpTransport();
const HANDSHAKE = Buffer.concat([GREETING, encodeReady("ROUTER")]);
const LIMIT = { maxFrame: 10_000 };

/** What a server may do that a channel leaves, and the reason it gives. */
const LEFT: [why: RegExp, does: (wire: Wire) => void, more?: Partial<ConnectOptions>][] = [
  [/^closed by the server$/, (wire) => wire.socket.end()],
  [/ECONNRESET|^closed by the server$/, (wire) => wire.reset()],
  [/^speaks no ZMTP, needs 3$/, (wire) => wire.send(Buffer.from("220 smtp.example.org\r\n"))],
  [/^speaks ZMTP 1, needs 3$/, (wire) => wire.send(Uint8Array.of(1, 0))],
  [/^speaks ZMTP 2, needs 3$/, (wire) => wire.send(greetingOf(1, 5).subarray(0, 12))],
  [/^refused: not\?you$/, (wire) => wire.send(GREETING, encodeError("not\nyou"))],
  [/^wrong Socket-Type$/, (wire) => wire.send(GREETING, encodeReady("PUB"))],
  [/^wrong Socket-Type$/, (wire) => wire.send(GREETING, encodeReady("DEALER")), { type: "REQ" }],
  [/^bad READY$/, (wire) => wire.send(GREETING, encodeCommand("READY", Uint8Array.of(9)))],
  [/^no READY$/, (wire) => wire.send(GREETING, pingOf(""))],
  [/^message before READY$/, (wire) => wire.send(GREETING, encodeMessage(["early"]))],
  [/^command too long$/, (wire) => wire.send(GREETING, claim(4, 2 ** 20))],
  [/^second READY$/, (wire) => wire.send(HANDSHAKE, encodeReady("ROUTER"))],
  [/^frame too long$/, (wire) => wire.send(HANDSHAKE, claim(0, 10_001)), LIMIT],
  [/^message too long$/, (wire) => wire.send(HANDSHAKE, part(10_000), claim(1, 2_000)), LIMIT],
  [/^too many frames$/, (wire) => wire.send(HANDSHAKE, ...Array(100).fill(part(0)))],
  [/^too many commands$/, (wire) => wire.send(HANDSHAKE, ...Array(1_000).fill(pingOf("")))],
  [/^bad PING$/, (wire) => wire.send(HANDSHAKE, encodeCommand("PING", new Uint8Array(99)))],
  [/^no delimiter$/, (wire) => wire.send(HANDSHAKE, encodeMessage(["x", ""])), { type: "REQ" }],
  [/^bad flags$/, (wire) => wire.send(HANDSHAKE, Uint8Array.of(0xff, 0xff))],
];

/** One frame with more to come. */
function part(length: number): Uint8Array {
  return encodeMessage([new Uint8Array(length), ""]).subarray(0, -2);
}

LEFT.forEach(([why, does, more], index) => {
  test(`channel: a server is left, tried again, and taken back: ${why} (${index})`, async () => {
    await closing(async (keep) => {
      let hostile = true;
      const server = keep(
        await rawServer((wire) => {
          if (hostile) does(wire);
          else wire.send(HANDSHAKE, encodeMessage(more?.type ? ["", "at last"] : ["at last"]));
        }),
      );
      const channel = keep(talker(transport, server.address, more));
      const reasons = () => channel.life.filter((what) => what !== "connected");
      await until(() => reasons().length >= 3, 10_000, `three tries; ${channel.life}`);
      hostile = false;
      await until(() => channel.got.length > 0, 5_000, `a good server; ${channel.life}`);
      assert.deepEqual(channel.got, [["at last"]]);
      assert.equal(channel.life.at(-1), "connected");
      for (const reason of reasons()) assert.match(reason, why);
    });
  });
});

test("channel: tries are fewer and fewer, down to one a second", async () => {
  await closing(async (keep) => {
    const tries: number[] = [];
    const server = keep(
      await rawServer((wire) => {
        tries.push(performance.now());
        wire.send(HANDSHAKE, Uint8Array.of(0xff));
      }),
    );
    keep(talker(transport, server.address));
    await until(() => tries.length === 7, 15_000, "seven tries");
    const pauses = tries.slice(1).map((at, n) => at - tries[n]);
    pauses.forEach((ms, n) => {
      const full = Math.min(1_000, 50 * 2 ** n);
      assert.ok(ms > full / 2 - 20, `pause ${n} took ${ms} ms`);
      assert.ok(ms < full + 500, `pause ${n} took ${ms} ms`);
    });
  });
});

test("channel: a server that says nothing is left after 3 s, then after 6 s", async () => {
  await closing(async (keep) => {
    const server = keep(await rawServer(() => {}));
    const channel = keep(talker(transport, server.address));
    for (const [tries, least, most] of [[1, 2_900, 4_200], [2, 5_900, 7_500]]) {
      const begin = performance.now();
      await until(() => channel.life.length === tries, 8_000, "the try to fail");
      assert.deepEqual(channel.life.at(-1), "no handshake in time");
      const ms = performance.now() - begin;
      assert.ok(ms > least && ms < most, `try ${tries} took ${ms} ms`);
    }
  });
});

test("channel: while its own program stands still, no server is late", async () => {
  await closing(async (keep) => {
    const server = keep(await serve(transport, (peer, frames) => void peer.send(frames)));
    const channel = keep(talker(transport, server.address));
    for (const ms of [3_500, 1_000, 1_000]) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await channel.ready();
    assert.deepEqual(channel.life, ["connected"]);
  });
});

/** Listens, accepts nobody, and has no room for those who wait: a SYN gets no answer. */
const DEAF = `
import socket, sys
server = socket.create_server(("127.0.0.1", 0), backlog=0)
full = [socket.socket() for _ in range(4)]
for one in full:
    one.setblocking(False)
    one.connect_ex(server.getsockname())
print(server.getsockname()[1], flush=True)
sys.stdin.read()
`;
const noPython = spawnSync("python3", ["-c", ""]).status === 0 ? false : "no python3";

test("channel: a try without an answer to its SYN takes 3.5 s", { skip: noPython }, async () => {
  await closing(async (keep) => {
    const deaf = keep(new Process(["python3", "-c", DEAF]));
    const port = await deaf.line(/^\d+$/);
    const begin = performance.now();
    const channel = keep(talker(transport, `127.0.0.1:${port}`));
    await until(() => channel.life.length === 1, 8_000, "a try to fail");
    assert.deepEqual(channel.life, ["no connection in time"]);
    const ms = performance.now() - begin;
    assert.ok(ms > 3_400 && ms < 5_000, `it took ${ms} ms`);
  });
});

test("channel: a server that reads nothing holds 64 MiB at most", async () => {
  await closing(async (keep) => {
    const server = keep(
      await rawServer((wire) => {
        wire.send(HANDSHAKE);
        wire.socket.pause();
      }),
    );
    const channel = await keep(talker(transport, server.address)).ready();
    let sent = 0;
    const big = new Uint8Array(1_000_000);
    while (sent < 200 && channel.send([big])) sent++;
    assert.ok(sent > 60 && sent < 80, `${sent} MB were taken`);
    channel.reconnect("does not read");
    assert.equal(channel.send(["x"]), false);
    await until(() => channel.send(["x"]), 5_000, "another connection");
  });
});

test("channel: what it is not connected to is not queued for", async () => {
  await closing(async (keep) => {
    const seen: string[][] = [];
    const server = await serve(transport, (_, frames) => void seen.push(text(frames)));
    const { address } = server;
    const channel = keep(talker(transport, address));
    assert.equal(channel.send(["too early"]), false);
    await channel.ready();
    await server.close();
    await until(() => !channel.send(["into the void"]), 5_000, "the end to be noticed");
    const back = keep(
      await serve(transport, (_, frames) => void seen.push(text(frames)), { address }),
    );
    await until(() => channel.send(["again"]), 5_000, "another connection");
    await until(() => seen.length, 5_000, "the message");
    assert.deepEqual(seen, [["again"]]);
    assert.equal(back.accounts.connections, 1);
  });
});

/** A server that finishes the handshake, of this minor version, and says nothing more. */
function mute(keep: Keep, minor: number) {
  return rawServer((wire) => wire.send(greetingOf(3, minor), encodeReady("ROUTER"))).then(keep);
}

test("channel: a silent server is asked after 3 s and left after 5 s", async () => {
  await closing(async (keep) => {
    const [silent, old] = [await mute(keep, 1), await mute(keep, 0)];
    const answers = keep(
      await rawServer((wire) => {
        wire.send(HANDSHAKE);
        void wire.heard("PING", 10_000).then(() =>
          wire.send(encodeCommand("PONG", new Uint8Array()))
        );
      }),
    );
    const begin = performance.now();
    const channels = await Promise.all(
      [silent, old, answers].map(({ address }) => keep(talker(transport, address)).ready()),
    );
    await until(() => silent.wires[0].got.some(([what]) => what === "PING"), 5_000, "a PING");
    assert.ok(performance.now() - begin > 2_400);
    await until(() => channels[0].life.length > 1, 8_000, "the silent one to be left");
    assert.equal(channels[0].life[1], "silent");
    assert.ok(performance.now() - begin > 4_000);
    assert.deepEqual([channels[1].life, channels[2].life], [["connected"], ["connected"]]);
    assert.ok(old.wires[0].got.every(([what]) => what !== "PING"));
  });
});

test("channel: closing ends a try, a pause, and a connection at once", async () => {
  await closing(async (keep) => {
    const dead = keep(await rawServer((wire) => wire.send(Uint8Array.of(0))));
    const silent = keep(await rawServer(() => {}));
    const good = keep(await serve(transport, (peer, frames) => void peer.send(frames)));
    const begin = performance.now();
    for (const { address } of [dead, silent, good]) {
      const channel = talker(transport, address);
      await channel.close();
      assert.deepEqual(channel.life, []);
    }
    const pausing = talker(transport, dead.address);
    await until(() => pausing.life.length, 5_000, "a failed try");
    const open = await talker(transport, good.address).ready();
    assert.ok(open.send(["last words"]));
    const tries = dead.wires.length;
    await Promise.all([pausing.close(), open.close()]);
    assert.ok(performance.now() - begin < 2_000);
    assert.deepEqual([pausing.life.length, open.life], [1, ["connected"]]);
    assert.equal(dead.wires.length, tries);
  });
});

test("channel: a name that cannot be looked up is a try that failed", async () => {
  await closing(async (keep) => {
    const channel = keep(talker(transport, "no-such-host.invalid:1"));
    await until(() => channel.life.length >= 2, 10_000, "two tries");
    assert.match(channel.life[0], /no-such-host\.invalid|ENOTFOUND|EAI_AGAIN|no handshake in time/);
  });
});
