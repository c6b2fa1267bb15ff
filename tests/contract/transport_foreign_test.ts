import assert from "node:assert/strict";
import type { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as zmq from "zeromq";
import { libzmqTransport } from "../../lib/transport/libzmq/zmq.ts";
import { FOREIGN } from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { Process } from "../system/processes.ts";
import { echo, type Keep, talker, text } from "./transport.ts";

const transport = zmtpTransport();

/** On Deno a socket that waits inside zeromq.js crashes or sleeps for ever. */
const AT_ONCE = { linger: 0, sendTimeout: 0, receiveTimeout: 0 };
/** So often that a server that answers no PING would be left within the test. */
const HEARTBEATS = { heartbeatInterval: 50, heartbeatTimeout: 500 };

interface Receiver {
  receive(): Promise<Uint8Array[]>;
  close(): void;
}

function kept<S extends { close(): void }>(keep: Keep, socket: S): S {
  keep({ [Symbol.asyncDispose]: () => Promise.resolve(socket.close()) });
  return socket;
}

/** What a socket gets next. */
async function next(socket: Receiver): Promise<string[]> {
  return await until(
    async () => {
      try {
        return text(await socket.receive());
      } catch (error) {
        if ((error as { code?: string }).code !== "EAGAIN") throw error;
      }
    },
    5_000,
    "a message",
  );
}

for (const [name, type, head] of [["DEALER", zmq.Dealer, []], ["REQ", zmq.Request, []]] as const) {
  test(`zmtp: npm:zeromq's ${name} talks to our server`, async () => {
    await closing(async (keep) => {
      const server = keep(await echo(transport));
      const socket = kept(keep, new type({ ...AT_ONCE, ...HEARTBEATS }));
      socket.connect(`tcp://${server.address}`);
      for (const length of [0, 1, 255, 256, 70_000, 1_000_000]) {
        await socket.send([...head, "zg2", "x".repeat(length)]);
        assert.deepEqual(await next(socket), ["zg2", "x".repeat(length)]);
      }
      const begin = performance.now();
      let asked = 0;
      for (; performance.now() - begin < 700; asked++) {
        await socket.send(["zg2", `${asked}`]);
        assert.deepEqual(await next(socket), ["zg2", `${asked}`]);
      }
      assert.equal(server.accounts.connections, 1);
      assert.deepEqual([...server.accounts.counts], []);
    });
  });
}

test("zmtp: what npm:zeromq's DEALER sends in a burst comes back in order", async () => {
  await closing(async (keep) => {
    const server = keep(await echo(transport));
    const socket = kept(keep, new zmq.Dealer({ ...AT_ONCE, sendHighWaterMark: 0 }));
    socket.connect(`tcp://${server.address}`);
    for (let n = 0; n < 3_000; n++) await socket.send(["", `${n}`, "x"]);
    for (let n = 0; n < 3_000; n++) assert.deepEqual(await next(socket), ["", `${n}`, "x"]);
  });
});

for (
  const [type, foreign] of [
    ["DEALER", zmq.Router],
    ["REQ", zmq.Router],
    ["REQ", zmq.Reply],
    ["DEALER", zmq.Dealer],
  ] as const
) {
  test(`zmtp: our ${type} talks to npm:zeromq's ${foreign.name}`, async () => {
    await closing(async (keep) => {
      const socket = kept(keep, new foreign({ ...AT_ONCE, ...HEARTBEATS }));
      await socket.bind("tcp://127.0.0.1:*");
      const address = socket.lastEndpoint!.replace("tcp://", "");
      const channel = await keep(talker(transport, address, { type })).ready();
      for (const length of [0, 1, 255, 256, 70_000, 1_000_000]) {
        const body = ["zg2", "x".repeat(length)];
        assert.ok(channel.send(body));
        const arrived = await until(
          async () => {
            try {
              return await socket.receive() as Buffer[];
            } catch { /* nothing yet */ }
          },
          5_000,
          "the message",
        );
        assert.deepEqual(text(arrived).slice(-2), body);
        if (foreign === zmq.Router) assert.equal(arrived.length, type === "REQ" ? 4 : 3);
        await (socket.send as (frames: Buffer[]) => Promise<void>).call(socket, arrived);
        await until(() => channel.got.length, 5_000, "the answer");
        assert.deepEqual(channel.got.pop(), body);
      }
      assert.deepEqual(channel.life, ["connected"]);
    });
  });
}

test("zmtp: a channel says nothing to a server that does not say that it speaks its protocol", async () => {
  await closing(async (keep) => {
    const socket = kept(keep, new zmq.Router(AT_ONCE));
    await socket.bind("tcp://127.0.0.1:*");
    const address = socket.lastEndpoint!.replace("tcp://", "");
    const others = keep(await echo(transport, { protocol: "zg3" }));
    const wants = { protocol: "zg2" };
    for (const at of [address, others.address]) {
      const channel = keep(talker(transport, at, wants));
      await until(() => channel.life.length > 1, 5_000, "it to be left twice");
      assert.deepEqual([...new Set(channel.life)], [FOREIGN]);
    }
    // What wants nothing talks to it.
    const channel = await keep(talker(transport, address)).ready();
    assert.ok(channel.send(["hello"]));
    assert.deepEqual((await next(socket)).slice(1), ["hello"]);
    for (const engine of [transport, libzmqTransport()]) {
      const server = keep(await echo(engine, wants));
      await (await keep(talker(transport, server.address, wants)).ready()).ask("fine");
    }
  });
});

test("zmtp: a server of our engine from before, which says no protocol, is talked to", async () => {
  await closing(async (keep) => {
    const server = keep(await echo(transport));
    await (await keep(talker(transport, server.address, { protocol: "zg2" })).ready()).ask("fine");
  });
});

test("zmtp: npm:zeromq's SUB is refused, and tries on without harm", async () => {
  await closing(async (keep) => {
    const server = keep(await echo(transport));
    const socket = kept(keep, new zmq.Subscriber({ linger: 0, reconnectInterval: 20 }));
    socket.connect(`tcp://${server.address}`);
    socket.subscribe("x");
    const refused = () => server.accounts.counts.get("cut: wrong Socket-Type") ?? 0;
    await until(() => refused() >= 1, 5_000, "it to be refused");
    await (await keep(talker(transport, server.address)).ready()).ask("fine");
  });
});

const python = ["/usr/bin/python3", "python3"].find((program) =>
  spawnSync(program, ["-c", "import zmq"]).status === 0
);
const skip = python
  ? false
  : "no Python with ZeroMQ: install Debian's package python3-zmq (apt install python3-zmq)";

function pythonPeer(...args: string[]): Process {
  return new Process([
    python!,
    fileURLToPath(new URL("python/zmtp_peer.py", import.meta.url)),
    ...args,
  ]);
}

for (const type of ["DEALER", "REQ", "ROUTER"]) {
  test(`zmtp: python3-zmq's ${type} talks to our server`, { skip }, async () => {
    await closing(async (keep) => {
      const server = keep(await echo(transport));
      const peer = keep(pythonPeer(type, server.address));
      await peer.line(/^done$/);
      assert.deepEqual([...server.accounts.counts], []);
    });
  });
}

for (const [type, foreign] of [["DEALER", "ROUTER"], ["REQ", "ROUTER"], ["REQ", "REP"]] as const) {
  test(`zmtp: our ${type} talks to python3-zmq's ${foreign}`, { skip }, async () => {
    await closing(async (keep) => {
      const peer = keep(pythonPeer(foreign));
      const address = await peer.line(/^127/);
      const channel = await keep(talker(transport, address, { type })).ready();
      for (const length of [0, 1, 255, 256, 70_000, 1_000_000]) {
        const body = ["zg2", "x".repeat(length)];
        assert.deepEqual(await channel.ask(...body), body);
      }
      const begin = performance.now();
      while (performance.now() - begin < 500) await channel.ask("zg2", "on");
      assert.deepEqual(channel.life, ["connected"]);
    });
  });
}
