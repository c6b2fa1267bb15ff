/** What made sockets sleep, crash or lose messages once: see `lib/transport/libzmq/readiness.ts`. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";
import type { Channel, Peer, Server } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import { ask, check, echo, listen, LOCAL, onDeno, text } from "./libzmq.ts";

/** Lets the engine's own threads work while no code of ours runs. */
function blockFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

await check("1,000 ping-pongs do not stall", async (keep, transport) => {
  const server = keep(await echo(transport));
  let count = 0;
  const channel: Channel = keep(
    await listen(transport, server.address, {
      onMessage() {
        count++;
        channel.send(["ping"]);
      },
    }),
  );
  channel.send(["ping"]);
  // A wake-up that is lost each time costs a second each: 1,000 s.
  await until(() => count >= 1_000, 60_000, "1,000 round trips");
});

await check("a message just before a send is not overlooked", async (keep, transport) => {
  let seen = 0;
  let peer: Peer | undefined;
  const server = keep(
    await echo(transport, {
      onMessage(from) {
        seen++;
        peer = from;
      },
    }),
  );
  const channel = keep(await listen(transport, server.address));
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
});

await check(
  "a burst above the high-water mark arrives whole, in order",
  async (keep, transport) => {
    const seen: number[] = [];
    const server = keep(
      await echo(transport, {
        onMessage(peer, frames) {
          peer.admit();
          seen.push(Number(text(frames)[0]));
        },
      }),
    );
    const channel = keep(await listen(transport, server.address));
    const all = Array.from({ length: 5_000 }, (_, n) => n);
    for (const n of all) assert.ok(channel.send([`${n}`]));
    await until(() => seen.length === all.length, 20_000, "all messages");
    assert.deepEqual(seen, all);
  },
);

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
  const channels = await Promise.all([1, 2, 3, 4].map(() => listen(transport, server.address)));
  channels.forEach(keep);
  keep(signals(process.pid));
  for (let n = 0; n < 100; n++) {
    await Promise.all(channels.map((channel) => ask(channel, "zg2", `${n}`)));
  }
});

await check("clients that vanish and return are all answered", async (keep, transport) => {
  const server = keep(await echo(transport));
  await Promise.all(Array.from({ length: 20 }, async (_, client) => {
    for (let life = 0; life < 10; life++) {
      const channel = await listen(transport, server.address);
      try {
        assert.deepEqual(await ask(channel, `${client}/${life}`), [`${client}/${life}`]);
        channel.send(["unanswered"]);
      } finally {
        await channel.close();
      }
    }
  }));
});

await check("a server closes under traffic and comes back on its port", async (keep, transport) => {
  let server: Server = await echo(transport);
  const { address } = server;
  const channels = await Promise.all(Array.from({ length: 10 }, async () => {
    const channel: Channel = await listen(transport, address, {
      onMessage: (frames) => void channel.send(frames),
    });
    return keep(channel);
  }));
  for (let life = 0; life < 5; life++) {
    let seen = 0;
    let late = 0;
    let closed = false;
    await server.close();
    server = await transport.serve({
      address,
      onMessage(peer, frames) {
        // From within a delivery, with others waiting behind it.
        if (closed) late++;
        closed = ++seen === 500;
        if (closed) void server.close();
        peer.send(frames);
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
    assert.equal(late, 0);
  }
  await server.close();
});

/** What a program said that runs `script` in a process of its own, and its exit code. */
async function run(script: string): Promise<{ said: string[]; code: number | null }> {
  const engine = new URL("../../lib/transport/libzmq/zmq.ts", import.meta.url).href;
  const whole = `
    import process from "node:process";
    import { libzmqTransport } from ${JSON.stringify(engine)};
    const transport = libzmqTransport();
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

test("what callbacks throw ends no program, and it ends by itself after the last close", async () => {
  const { said, code } = await run(`
    const server = await transport.serve({
      address: ${JSON.stringify(LOCAL)},
      onMessage(peer, [frame]) {
        if (String(frame) === "bad") throw new Error("oops");
        console.log("got", String(frame));
        peer.send(["answer"]);
      },
      onGone(_, why) {
        console.log("gone", why);
        throw new Error("also here");
      },
    });
    const bad = transport.connect({
      address: server.address,
      onMessage() {},
      onConnected: () => bad.send(["bad"]) && bad.send(["ignored"]),
    });
    const good = transport.connect({
      address: server.address,
      onConnected: () => good.send(["good"]),
      onGone() {
        for (const one of [server, bad, good]) void one.close();
        throw new Error("and here");
      },
      onMessage() {
        const { counts } = server.accounts;
        if (counts.has("ignored: cut before")) throw new Error("enough");
        setTimeout(() => good.send(["again"]), 10);
      },
    });
  `);
  assert.equal(code, 0);
  assert.ok(said.includes("got good"));
  assert.deepEqual(said.filter((line) => line.startsWith("gone")), [
    "gone a message could not be taken: Error: oops",
  ]);
});

test("a busy server survives a client that floods it and vanishes", async () => {
  const { said, code } = await run(`
    import * as zmq from "zeromq";
    const busy = (ms) => { for (const end = performance.now() + ms; performance.now() < end;); };
    let seen = 0;
    const server = await transport.serve({
      address: ${JSON.stringify(LOCAL)},
      onMessage(peer) {
        if (seen++ > 0) return;
        for (let n = 0; n < 5_000; n++) void client.send("x".repeat(1_000));
        busy(100);
        client.close();
        busy(50);
        peer.send(["x"]); // is answered by a reset of the connection
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
