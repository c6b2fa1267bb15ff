import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import type { Server } from "../../lib/transport/transport.ts";
import {
  encodeCommand,
  encodeMessage,
  encodeReady,
  GREETING,
} from "../../lib/transport/zmtp/codec.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { ours, Process } from "../system/processes.ts";
import { randomFrom } from "../unit/fixtures.ts";
import {
  besides,
  check,
  counted,
  echo,
  type Keep,
  type Pair,
  talker,
  zmtpOnly,
} from "./transport.ts";
import { claim, greetingOf, pingOf, Wire } from "./wire.ts";

const FULL = process.env.ZGROUP_FULL === "1";
/** Of many at once; all of them are to be outlived. */
const MANY = FULL ? 1_000 : 50;
/** What reads of the system hand over at once, bytes. */
const CHUNK = 65_536;
const MEBIBYTE = 1_048_576;

/** An attack that one who behaves does not notice, and that makes a server hold no more than `most`. */
async function attack(
  subject: string,
  most: number,
  body: (server: Server, keep: Keep, pair: Pair) => Promise<void>,
): Promise<void> {
  await check(subject, async (keep, pair) => {
    const server = keep(await echo(pair.server));
    const { slowest } = await besides(keep, pair, server.address, () => body(server, keep, pair));
    assert.ok(slowest < 2_000, `somebody else waited for ${slowest} ms`);
    assert.ok(server.accounts.most < most, `${server.accounts.most} bytes were held`);
    await until(() => server.accounts.held < CHUNK, 5_000, "nothing to be held any more");
  }, zmtpOnly);
}

/** Sends the same until the other side ends it. */
async function pour(wire: Wire, bytes: Uint8Array): Promise<void> {
  while (!wire.closed) {
    wire.send(bytes);
    await until(() => wire.closed || wire.socket.writableLength === 0, 5_000, "an end");
  }
}

await attack(
  "more messages than libzmq's mark, a PING and a reset end nothing",
  8 * MEBIBYTE,
  async (server, keep) => {
    const messages = Buffer.concat(Array(1_200).fill(encodeMessage([""])));
    for (let n = 0; n < MANY; n++) {
      const wire = keep(Wire.connect(server.address));
      wire.send(GREETING, encodeReady(n % 2 ? "DEALER" : "ROUTER"), messages, pingOf("x"));
      if (n % 3) await until(() => wire.socket.writableLength === 0, 5_000, "it to be sent");
      wire.reset();
    }
    await until(() => server.accounts.connections === 1, 5_000, "all of them to be gone");
  },
);

await attack("an endless message is cut", 2 * MEBIBYTE, async (server, keep) => {
  for (const known of [false, true]) {
    for (const piece of [encodeMessage(["", ""]).subarray(0, 2), frame(4_000)]) {
      const wire = keep(await Wire.open(server.address));
      if (known) wire.send(encodeMessage(["hello"]));
      await pour(wire, Buffer.concat(Array(20).fill(piece)));
    }
  }
  assert.equal(counted(server, "cut: too many frames") + counted(server, "cut: message"), 4);
});

function frame(length: number): Uint8Array {
  return encodeMessage([new Uint8Array(length), ""]).subarray(0, -2);
}

await attack("READY of 1 MB is cut before it came", MEBIBYTE, async (server, keep) => {
  const property = encodeReady("DEALER").subarray(8); // what stands behind the name
  const properties = Buffer.concat(Array(MEBIBYTE / property.length | 0).fill(property));
  for (const body of [encodeCommand("READY", properties), claim(4, 2 ** 40)]) {
    const wire = keep(Wire.connect(server.address));
    wire.send(GREETING, body);
    await wire.end();
  }
  assert.equal(counted(server, "cut: command too long"), 2);
});

await attack("floods of PINGs and commands are held back", 4 * MEBIBYTE, async (server, keep) => {
  for (const [known, reads] of [[false, true], [true, true], [true, false]]) {
    const wire = keep(await Wire.open(server.address));
    if (known) wire.send(encodeMessage(["hello"]));
    if (!reads) wire.socket.pause();
    const begin = performance.now();
    const unknown = encodeCommand("SUBSCRIBE", new Uint8Array(10));
    const flood = Buffer.concat(Array(500).fill([pingOf("0123456789abcdef"), unknown]).flat());
    while (!wire.closed && performance.now() - begin < 500) {
      if (wire.socket.writableLength === 0) wire.send(flood);
      await setImmediate();
    }
    assert.equal(wire.closed, !known, [...server.accounts.counts].join());
    wire.reset();
  }
  assert.ok(counted(server, "paused") > 0);
});

await attack("who says nothing, half of it, or ends its half is no burden", MEBIBYTE, async (
  server,
  keep,
) => {
  const handshake = Buffer.concat([GREETING, encodeReady("DEALER"), encodeMessage(["hello"])]);
  for (let n = 0; n < handshake.length; n++) {
    const wire = keep(Wire.connect(server.address));
    wire.send(handshake.subarray(0, n));
    if (n % 2) wire.socket.end();
  }
  await until(
    () => {
      const { connections, strangers } = server.accounts;
      return connections === Math.ceil(handshake.length / 2) + 1 && strangers === connections - 1;
    },
    5_000,
    "those that ended to be gone",
  );
  assert.equal(counted(server, "cut"), 0);
});

await attack("one byte at a time is one message", MEBIBYTE, async (server, keep) => {
  const wire = keep(Wire.connect(server.address));
  const all = Buffer.concat([GREETING, encodeReady("DEALER"), encodeMessage(["", "a", "bc"])]);
  for (const byte of all) {
    wire.send(Uint8Array.of(byte));
    await until(() => wire.socket.writableLength === 0, 5_000, "a byte to leave");
  }
  assert.deepEqual(await wire.heard(""), ["", "a", "bc"]);
});

await attack("peers of other versions, mechanisms and types are told", MEBIBYTE, async (
  server,
  keep,
) => {
  const end = async (why: string, ...sent: Uint8Array[]) => {
    const wire = keep(Wire.connect(server.address));
    wire.send(...sent);
    await wire.end();
    assert.equal(counted(server, `cut: ${why}`), 1, [...server.accounts.counts].join());
    return wire;
  };
  await end("speaks ZMTP 1, needs 3", Uint8Array.of(1, 0));
  await end("speaks ZMTP 2, needs 3", greetingOf(1, 5).subarray(0, 12));
  await end("speaks no ZMTP, needs 3", Buffer.from("GET / HTTP/1.1\r\n\r\n"));
  const curve = Buffer.from(GREETING);
  curve.write("CURVE", 12);
  await end("asks for the mechanism CURVE, needs NULL", curve);
  const refused = await end("wrong Socket-Type", GREETING, encodeReady("SUB"));
  assert.deepEqual(refused.got.map(([what]) => what), ["greeting", "ERROR"]);
  assert.match(refused.got[1][1], /^.wrong Socket-Type: DEALER, REQ or ROUTER, please$/s);
  await end("no READY", GREETING, pingOf(""));
  await end("second READY", GREETING, encodeReady("DEALER"), encodeReady("DEALER"));
  await end("bad READY", GREETING, encodeCommand("READY", Uint8Array.of(9)));
  await end("refuses us", GREETING, encodeCommand("ERROR", Uint8Array.of(1, 97)));
  await end("no delimiter", GREETING, encodeReady("REQ"), encodeMessage(["a"]));
  await end("bad PING", GREETING, encodeReady("REQ"), pingOf("0123456789abcdefg"));
});

await attack("mutated conversations are read or cut", 4 * MEBIBYTE, async (server, keep) => {
  const random = randomFrom(3);
  const said = Buffer.concat([
    GREETING,
    encodeReady("DEALER"),
    ...["", "a", "hello"].map((text) => encodeMessage([text, "x".repeat(300)])),
    pingOf("context"),
  ]);
  for (let n = 0; n < 4 * MANY; n++) {
    const bytes = Uint8Array.from(said);
    for (let hit = 0; hit < 1 + n % 3; hit++) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    const wire = keep(Wire.connect(server.address));
    wire.send(bytes);
    if (n % 20 === 0) await until(() => wire.closed || wire.bytes > 0, 5_000, "an answer");
  }
  await until(() => counted(server, "cut") > MANY / 2, 5_000, "many to be cut");
});

await attack("storms of resets from many addresses pass", 4 * MEBIBYTE, async (server) => {
  const storm: Wire[] = [];
  for (let n = 0; n < 10 * MANY; n++) {
    const wire = Wire.connect(server.address, `127.0.0.${2 + n % 200}`);
    storm.push(wire);
    if (n % 2) wire.send(GREETING, encodeReady("DEALER"), encodeMessage(["", "x"]));
    wire.socket.on("connect", () => wire.reset());
    if (n % 50 === 49) await until(() => storm.every(({ closed }) => closed), 10_000, "resets");
  }
  await until(() => storm.every(({ closed }) => closed), 10_000, "all resets");
  await until(() => server.accounts.connections === 1, 5_000, "the others to be gone");
});

await attack("never reading holds no more than may wait", 10 * MEBIBYTE, async (server, keep) => {
  const wire = keep(await Wire.open(server.address));
  wire.socket.pause();
  const question = encodeMessage(["x".repeat(100_000)]);
  wire.send(encodeMessage(["hello"]), ...Array(1_000).fill(question));
  await until(() => counted(server, "paused: slow reader"), 5_000, "a pause");
  await until(() => server.accounts.held > DEFAULT_BOUNDS.known.out / 2, 5_000, "a full account");
  wire.reset();
  await until(() => server.accounts.connections === 1, 5_000, "it to be gone");
});

/** An echo in a process that may open so few files; gives its address. */
async function server(keep: Keep, files: number, connections: number): Promise<string> {
  const command = ours("tests/contract/transport_echo.ts", String(connections));
  const limited = ["bash", "-c", `ulimit -n ${files} && exec "$@"`, "bash", ...command];
  return await keep(new Process(limited)).line(/^127/);
}

/** Processor time of a process so far is asked of itself: the echo answers `cpu` with it, ms. */
for (const [what, connections] of [["the system", 10_000], ["the server", 60]] as const) {
  test(`zmtp: all descriptors taken, the bound is that of ${what}`, async () => {
    await closing(async (keep) => {
      const transport = zmtpTransport();
      const address = await server(keep, 160, connections);
      const inside = await keep(talker(transport, address)).ready();
      await inside.ask("in");
      const crowd = Array.from({ length: 400 }, () => keep(Wire.connect(address)));
      await until(() => crowd.filter(({ bytes }) => bytes > 0).length > 50, 5_000, "a crowd");
      const before = Number((await inside.ask("cpu"))[0]);
      const begin = performance.now();
      for (let n = 0; performance.now() - begin < 1_000; n++) await inside.ask(`${n}`);
      const quiet = performance.now();
      const busy = Number((await inside.ask("cpu"))[0]);
      await until(() => performance.now() - quiet > 1_000, 5_000, "a second");
      const idle = Number((await inside.ask("cpu"))[0]) - busy;
      assert.ok(idle < 300, `${idle} ms of a second for nothing, ${busy - before} ms for answers`);
      for (const wire of crowd) wire.reset();
      const late = keep(talker(transport, address));
      await until(() => late.life.at(-1) === "connected", 15_000, `a place; ${late.life}`);
      await late.ask("in as well");
      assert.deepEqual(inside.life, ["connected"]);
    });
  });
}

test("zmtp: an unhandled defect of a listener ends no program", async () => {
  await closing(async (keep) => {
    const address = await server(keep, 256, 100);
    const transport = zmtpTransport();
    for (const how of ["throw", "reject"]) {
      const rude = await keep(talker(transport, address)).ready();
      rude.send([how]);
      await until(() => rude.life.length > 1, 5_000, "a cut");
    }
    await (await keep(talker(transport, address)).ready()).ask("still there");
  });
});
