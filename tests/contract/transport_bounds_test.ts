import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import * as zmq from "zeromq";
import { Refusal, UsageError } from "../../lib/errors.ts";
import { MAX_FRAME, socketCounters } from "../../lib/transport/socket.ts";
import type { Channel, Peer, Server } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import { ask, blockFor, check, echo, foreign, listener, LOCAL, onDeno, text } from "./transport.ts";

await check("a channel to nobody refuses when its queue is full", async (keep, transport) => {
  const gone = await echo(transport);
  await gone.close();
  const channel = keep(listener(transport, gone.address));
  let sent = 0;
  while (sent < 20_000 && channel.send(["x"])) sent++;
  assert.ok(sent >= 10_000 && sent < 20_000, `${sent} were taken`);
  const other = keep(
    transport.connect({ address: gone.address, highWaterMark: 1, onMessage() {} }),
  );
  const big = new Uint8Array(MAX_FRAME);
  sent = 0;
  while (sent < 100 && other.send([big])) sent++;
  assert.ok(sent >= 64 && sent < 70, `${sent} MiB were taken`);
});

/** Signals a process, which must listen, again and again from another one. */
function signals(pid: number): AsyncDisposable {
  // One that does nothing to a process by itself.
  const loop = 'for i in $(seq 100000); do kill -s WINCH "$0" || exit; done';
  const child = spawn("sh", ["-c", loop, String(pid)], { stdio: "ignore" });
  const ended = once(child, "exit");
  const heard = () => {};
  process.on("SIGWINCH", heard);
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
      process.off("SIGWINCH", heard);
    },
  };
}

await check("signals to the process interrupt nothing", async (keep, transport) => {
  const server = keep(await echo(transport));
  const channels = Array.from({ length: 4 }, () => keep(listener(transport, server.address)));
  keep(signals(process.pid));
  for (let n = 0; n < 200; n++) {
    await Promise.all(channels.map((channel) => ask(channel, "zg1", `${n}`)));
  }
});

await check("clients that vanish and return are all answered", async (keep, transport) => {
  const server = keep(await echo(transport));
  await Promise.all(Array.from({ length: 50 }, async (_, client) => {
    for (let life = 0; life < 10; life++) {
      const channel = listener(transport, server.address);
      try {
        assert.deepEqual(await ask(channel, `${client}/${life}`), [`${client}/${life}`]);
        channel.send(["unanswered"]);
      } finally {
        await channel.close();
      }
    }
  }));
});

await check(
  "a reader that stands still loses replies, the others none",
  async (keep, transport) => {
    let still: Peer | undefined;
    const server: Server = keep(
      await transport.serve({
        address: LOCAL,
        onMessage(peer, frames) {
          if (text(frames)[0] === "still") still = peer;
          else server.send(peer, frames);
        },
      }),
    );
    const slow = keep(foreign(zmq.Dealer, server.address, { receiveHighWaterMark: 1 }));
    await slow.socket.send("still");
    const other = keep(listener(transport, server.address));
    await until(() => still, 5_000, "the slow one");
    const refused = socketCounters.refused;
    const payload = new Uint8Array(16_384);
    for (let round = 0; round < 20; round++) {
      for (let n = 0; n < 200; n++) server.send(still!, [payload]);
      assert.deepEqual(await ask(other, `${round}`), [`${round}`]);
    }
    assert.ok(socketCounters.refused - refused > 500, "too few replies were dropped");
  },
);

await check("a frame above 1 MiB cuts off its sender alone", async (keep, transport) => {
  const sizes: number[] = [];
  const server: Server = keep(
    await transport.serve({
      address: LOCAL,
      onMessage(peer, frames) {
        sizes.push(frames[0].length);
        server.send(peer, ["ok"]);
      },
    }),
  );
  const channel = keep(listener(transport, server.address));
  assert.equal(channel.send([new Uint8Array(MAX_FRAME + 1)]), false);
  assert.equal(channel.send(["é".repeat(MAX_FRAME / 2 + 1)]), false);
  assert.ok(channel.send([new Uint8Array(MAX_FRAME)]));
  const { socket: rude } = keep(foreign(zmq.Dealer, server.address, { reconnectInterval: 10 }));
  await rude.send(new Uint8Array(MAX_FRAME + 1));
  // What stands behind the long frame is lost with the connection; then it may come back.
  await until(
    async () => {
      await rude.send("back");
      return sizes.includes(4);
    },
    5_000,
    "the sender to come back",
  );
  await ask(channel, "me");
  assert.ok(sizes.includes(MAX_FRAME));
  assert.ok(!sizes.includes(MAX_FRAME + 1));
});

await check("a server closes under traffic and comes back on its port", async (keep, transport) => {
  let server = await echo(transport);
  const { address } = server;
  const channels = Array.from({ length: 20 }, () => {
    const channel: Channel = keep(transport.connect({
      address,
      onMessage: (frames) => void channel.send(frames),
    }));
    channel.send(["flood"]);
    return channel;
  });
  for (let life = 0; life < 5; life++) {
    let seen = 0;
    await server.close();
    server = await transport.serve({
      address,
      onMessage(peer, frames) {
        // From within a delivery, with others waiting behind it.
        if (++seen === 500) void server.close();
        server.send(peer, frames);
      },
    });
    await until(
      () => {
        for (const channel of channels) channel.send(["again"]);
        return seen >= 500;
      },
      5_000,
      "traffic",
    );
  }
  await server.close();
  await Promise.all(channels.map((channel) => channel.close()));
});

await check(
  "nothing is delivered after close, not even what has arrived",
  async (keep, transport) => {
    let seen = 0;
    const server: Server = keep(
      await transport.serve({
        address: LOCAL,
        onMessage(_, [frame]) {
          if (frame.length > 0 && ++seen) void server.close();
        },
      }),
    );
    const channel = keep(listener(transport, server.address));
    channel.send([""]);
    blockFor(10); // connects
    for (let n = 0; n < 100; n++) channel.send(["x"]);
    blockFor(10);
    await until(() => seen, 5_000, "the first message");
    await server.close();
    assert.equal(seen, 1);
  },
);

await check("closing twice is harmless, sending after it is refused", async (_, transport) => {
  const server = await echo(transport);
  const channel = listener(transport, server.address);
  await ask(channel, "open");
  const publisher = await transport.publish({ address: LOCAL, onSubscribe: () => undefined });
  const subscriber = transport.subscribe({ address: publisher.address, onMessage() {} });
  const all = [server, channel, publisher, subscriber];
  await Promise.all([...all, ...all].map((one) => one.close()));
  for (const one of all) await one.close();
  assert.equal(channel.send(["late"]), false);
  publisher.publish("topic", "late");
  subscriber.subscribe("late");
});

await check("an address that cannot be bound is named with the reason", async (keep, transport) => {
  const { address } = keep(await echo(transport));
  const refuses = (at: string, reason: string) =>
    assert.rejects(
      transport.serve({ address: at, onMessage() {} }),
      (error: Error) =>
        error instanceof Refusal && error.message === `Cannot bind ${at}: ${reason}`,
    );
  await refuses(address, "the address is in use; choose another port");
  await refuses("127.0.0.1", "it should be IP:PORT");
  await refuses("192.0.2.1:0", "this machine has no such address; choose one of its own");
  assert.throws(() => transport.connect({ address: "nowhere", onMessage() {} }), UsageError);
  const security = { keys: { publicKey: "short", secretKey: "short" } };
  await assert.rejects(echo(transport, { security }), /Cannot use the CURVE keys/);
  await ask(keep(listener(transport, address)), "still there");
});

/** What a program said that runs `script` in a process of its own, and its exit code. */
async function run(script: string): Promise<{ said: string[]; code: number | null }> {
  const engine = new URL("../../lib/transport/zmq.ts", import.meta.url).href;
  const whole = `
    import process from "node:process";
    import { zmqTransport } from ${JSON.stringify(engine)};
    const transport = zmqTransport();
    ${script}
  `;
  const flags = process.execArgv.filter((flag) => flag.includes("strip-types")); // Node below 22.18
  const args = onDeno
    ? ["eval", "--ext=ts", whole]
    : [...flags, "--input-type=module", "-e", whole];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (chunk) => said += chunk);
  const [code] = await once(child, "close");
  return { said: said.trim().split("\n"), code };
}

test("what a callback throws surfaces as an uncaught exception, and the socket reads on", async () => {
  const { said, code } = await run(`
    const sockets = [];
    process.on("uncaughtException", (error) => console.log("uncaught", error.message));
    const server = await transport.serve({
      address: "127.0.0.1:0",
      onMessage(_, [frame]) {
        console.log("got", String(frame));
        if (String(frame) === "bad") throw new Error("oops");
        for (const socket of sockets) void socket.close();
      },
    });
    const channel = transport.connect({ address: server.address, onMessage() {} });
    sockets.push(server, channel);
    channel.send(["bad"]);
    channel.send(["good"]);
  `);
  assert.equal(code, 0);
  assert.deepEqual(said.toSorted(), ["got bad", "got good", "uncaught oops"]);
});

test("a busy server survives a client that floods it and vanishes", async () => {
  const { said, code } = await run(`
    import * as zmq from "zeromq";
    const busy = (ms) => { for (const end = performance.now() + ms; performance.now() < end;); };
    let seen = 0;
    const server = await transport.serve({
      address: "127.0.0.1:0",
      highWaterMark: 10,
      onMessage(peer) {
        if (seen++ > 0) return;
        for (let n = 0; n < 1_000; n++) void client.send("x".repeat(1_000));
        busy(100);
        client.close();
        busy(50);
        server.send(peer, ["x"]); // is answered by a reset of the connection
        busy(2_500); // longer than any interval of ZeroMQ's heartbeats would be
      },
    });
    const client = new zmq.Dealer();
    Object.assign(client, { linger: 0, sendTimeout: 0, receiveTimeout: 0, sendHighWaterMark: 0 });
    client.connect("tcp://" + server.address);
    await client.send("first");
    const timer = setInterval(() => {
      if (seen < 2) return;
      clearInterval(timer);
      console.log("survived");
      void server.close();
    }, 10);
  `);
  assert.deepEqual({ said, code }, { said: ["survived"], code: 0 });
});
