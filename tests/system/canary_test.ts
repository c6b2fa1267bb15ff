/**
 * Tells when a way round Deno can go. The one round its libuv shim: each test shows in a process of its own that a
 * defect is still there, with zeromq used plainly. The defects are told in ARCHITECTURE.md.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { test } from "node:test";

const onDeno = "Deno" in globalThis;
const GONE =
  "is gone in this Deno. When all four are, lib/transport/libzmq/readiness.ts can become a " +
  "plain `await socket.receive()`, as on Node; until then, expect this failure and skip this test";

interface Defect {
  readonly name: string;
  readonly script: string;
  /** Whether what the child said, or the signal that ended it, shows the defect. */
  shows(said: string, signal: string | null): boolean;
  readonly skip?: string | false;
}

const crashed = (_: string, signal: string | null) => signal !== null && signal !== "SIGKILL";

const PRELUDE = `
  import * as zmq from "zeromq";
  import process from "node:process";
  const options = { linger: 0 };
  const router = new zmq.Router(options);
  router.bindSync("tcp://127.0.0.1:*");
  const dealer = new zmq.Dealer(options);
  dealer.connect(router.lastEndpoint);
`;

const DEFECTS: Defect[] = [
  {
    name: "A: a pending receive misses its wake-up",
    script: `
      let count = 0;
      let seen = -1;
      setInterval(() => {
        if (count === seen) say("stalled after " + count);
        seen = count;
      }, 1_000);
      (async () => { for (;;) await router.send(await router.receive()); })();
      for (; count < 20_000; count++) {
        await dealer.send("ping");
        await dealer.receive();
      }
      say("all came");
    `,
    shows: (said) => said.startsWith("stalled"),
  },
  {
    name: "B: a poll callback runs after close freed its memory",
    script: `
      for (let round = 0; round < 50; round++) {
        const client = new zmq.Dealer(options);
        client.connect(router.lastEndpoint);
        await client.send("x");
        while (!router.readable) await new Promise((resolve) => setTimeout(resolve, 1));
        const [id] = await router.receive();
        client.receive().catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 1));
        await router.send([id, "x"]);
        // The wake-up is queued while this thread is busy, and then comes after the close.
        for (const end = performance.now() + 15; performance.now() < end;);
        client.close();
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      say("survived");
    `,
    shows: crashed,
  },
  {
    name: "C: a receive time-out crashes",
    script: `
      dealer.receiveTimeout = 20;
      await dealer.receive().catch(() => {});
      say("survived");
    `,
    shows: crashed,
  },
  {
    name: "D: each pending receive takes a thread",
    script: `
      import { readdirSync } from "node:fs";
      const sockets = Array.from({ length: 40 }, () => new zmq.Dealer(options));
      for (const socket of sockets) socket.receive().catch(() => {});
      const threads = () => readdirSync("/proc/self/task").length;
      for (const end = performance.now() + 2_000; threads() <= 40 && performance.now() < end;) {
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      say("threads " + threads());
    `,
    shows: (said) => Number(said.replace("threads ", "")) > 40,
    skip: process.platform !== "linux" && "counts threads in /proc",
  },
];

/** What a child of Deno wrote before it ended, and the signal that ended it. */
async function run(script: string): Promise<{ said: string; signal: string | null }> {
  const say = "const say = (what) => { console.log(what); process.kill(process.pid, 'SIGKILL'); };";
  const child = spawn(process.execPath, ["eval", "--ext=js", PRELUDE + say + script], {
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 20_000,
    killSignal: "SIGKILL",
  });
  let said = "";
  child.stdout.on("data", (chunk) => said += chunk);
  const [, signal] = await once(child, "close");
  return { said: said.trim(), signal };
}

/** How much longer four times as many characters take, which come at once. */
const PASTE = `
  import * as readline from "node:readline";
  import { PassThrough, Writable } from "node:stream";
  const pasted = async (count) => {
    const input = new PassThrough();
    const output = new Writable({ write: (_chunk, _encoding, done) => done() });
    output.columns = 80;
    const reader = readline.createInterface({ input, output, terminal: true });
    const line = new Promise((resolve) => reader.once("line", resolve));
    const begin = performance.now();
    input.write("x".repeat(count) + "\\r");
    await line;
    reader.close();
    return performance.now() - begin;
  };
  await pasted(256);
  say(await pasted(1_024) / await pasted(256));
`;

await test("Deno's readline still looks at the whole line at each key of a paste", {
  skip: onDeno ? false : "about Deno alone",
}, async () => {
  const { said } = await run(PASTE);
  assert.ok(
    Number(said) > 8,
    "node:readline takes a paste in linear time in this Deno (four times as much took " +
      `${said} times as long): look at lib/cli/console/editor.ts, which ARCHITECTURE.md gives ` +
      "this reason among others, and skip this test",
  );
});

for (const { name, script, shows, skip } of DEFECTS) {
  const reason = !onDeno ? "about Deno alone" : skip;
  await test(`Deno still has defect ${name}`, { skip: reason || false }, async () => {
    const { said, signal } = await run(script);
    assert.ok(shows(said, signal), `Defect ${name} ${GONE} (said "${said}", ended by ${signal})`);
  });
}
