/**
 * Floods a server from a process of its own, so that the members of a test keep theirs:
 * `attacker.ts KIND ADDRESS MS [FROM]`. It floods for MS and says what it did.
 */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { Initiator } from "../../lib/session/noise.ts";
import { HEAD, PROLOGUE } from "../../lib/session/packet.ts";
import { Hand } from "./attack_hand.ts";
import {
  command,
  frame,
  greeting,
  message,
  PING,
  property,
  ready,
  Tcp,
  Wire,
} from "./attack_wire.ts";

const counts = { connections: 0, cut: 0, bytes: 0, answered: 0 };
const [kind, address, ms, from] = process.argv.slice(2);
const end = performance.now() + Number(ms);
const open = () => performance.now() < end;
const repeat = (bytes: Uint8Array, length = 65_536): Uint8Array =>
  Buffer.concat(Array.from({ length: Math.max(1, length / bytes.length | 0) }, () => bytes));
const hello = () => new Initiator(PROLOGUE).write(new Uint8Array(0), HEAD.hello);

/** Another connection after each that was cut, on so many lanes at once. */
async function lanes(n: number, one: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: n }, async () => {
    while (open()) await one();
  }));
}

/** Says the first bytes, then the others again and again as long as the server takes them. */
function pour(first: Uint8Array, more: () => Uint8Array, deaf = false): () => Promise<void> {
  return () =>
    lanes(16, async () => {
      await using tcp = await Tcp.open(address, from);
      if (!tcp) return;
      counts.connections++;
      if (deaf) tcp.deaf();
      const late = setTimeout(() => tcp.socket.destroy(), Math.max(0, end - performance.now()));
      await tcp.write(first);
      while (open()) {
        const bytes = more();
        if (!await tcp.write(bytes)) break;
        counts.bytes += bytes.length;
        tcp.forget();
      }
      clearTimeout(late);
      if (open()) counts.cut++;
    });
}

const begin = Buffer.concat([greeting(), ready()]);
const always = (bytes: Uint8Array) => () => bytes;
/** READY with so many properties, as far as a length can say. */
const longReady = (size: number): Uint8Array => {
  const one = property("X-Property", randomBytes(8));
  return ready("DEALER", repeat(one, size));
};

/** Connections that are made and held, in some state each. */
async function held(n: number, say: (tcp: Tcp, i: number) => Promise<unknown>): Promise<void> {
  const all: Tcp[] = [];
  for (let i = 0; open() && i < n; i++) {
    const tcp = await Tcp.open(address, from);
    if (!tcp) continue;
    counts.connections++;
    all.push(tcp);
    await say(tcp, i);
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, end - performance.now())));
  counts.cut = all.filter((tcp) => tcp.ended).length;
  for (const tcp of all) tcp.socket.destroy();
}

/** Hellos without a pause, each answer counted. */
function hellos(each: number): () => Promise<void> {
  return () =>
    lanes(64, async () => {
      const wire = await Wire.open(address, from ? { from } : {});
      if (!wire) return;
      counts.connections++;
      const late = setTimeout(
        () => wire.tcp.socket.destroy(),
        Math.max(0, end - performance.now()),
      );
      for (let i = 0; open() && i < each; i++) {
        await wire.send("zg2", hello());
        const frames = await wire.receive();
        if (!frames) break;
        if (frames[1]?.[0] === 2) counts.answered++;
      }
      clearTimeout(late);
      await wire[Symbol.asyncDispose]();
    });
}

/** Sessions in which rubbish is said, anonymous or proved. */
function sealed(proved: boolean, what: () => string | Uint8Array): () => Promise<void> {
  return () =>
    lanes(4, async () => {
      const hand = await (proved ? Hand.proved(address) : Hand.open(address)).catch(() =>
        undefined
      );
      if (!hand) return;
      counts.connections++;
      const late = setTimeout(
        () => hand.wire.tcp.socket.destroy(),
        Math.max(0, end - performance.now()),
      );
      hand.wire.tcp.deaf();
      while (open()) {
        const packet = hand.seal(what());
        if (!await hand.wire.send("zg2", packet)) break;
        counts.bytes += packet.length;
      }
      clearTimeout(late);
      if (open()) counts.cut++;
      await hand[Symbol.asyncDispose]();
    });
}

const KINDS: Record<string, () => Promise<void>> = {
  "endless MORE": pour(begin, always(repeat(frame(new Uint8Array(1_000), 1)))),
  "endless tiny MORE": pour(begin, always(repeat(frame(new Uint8Array(1), 1)))),
  "endless empty MORE": pour(begin, always(repeat(frame(new Uint8Array(0), 1)))),
  "a frame that claims 2^62 bytes": pour(
    Buffer.concat([begin, Buffer.from("023fffffffffffffff", "hex")]),
    always(randomBytes(65_536)),
  ),
  "READY of 1 MB": pour(greeting(), always(longReady(1_048_576))),
  "READY of 4,000 bytes, then nothing but READY": pour(greeting(), always(longReady(3_900))),
  "commands": pour(begin, always(repeat(command("SUBSCRIBE", randomBytes(20))))),
  "PING": pour(begin, always(repeat(PING))),
  "PING, nothing read": pour(begin, always(repeat(PING)), true),
  "messages": pour(begin, always(repeat(message("zg2", "x")))),
  "rubbish after a greeting": pour(greeting(), () => randomBytes(16_384)),
  "rubbish": pour(new Uint8Array(0), () => randomBytes(16_384)),
  "greetings of ZMTP 1 and 2, CURVE, PLAIN": pour(
    new Uint8Array(0),
    () =>
      [greeting("CURVE"), greeting("PLAIN"), greeting("NULL", 2), greeting("NULL", 1)][
        counts.connections % 4
      ],
  ),
  "hellos, nothing read": pour(begin, () => message("zg2", hello()), true),
  "hellos": hellos(1),
  "hellos on one connection": hellos(1_000),
  "resets": () =>
    lanes(16, async () => {
      const tcp = await Tcp.open(address, `127.0.0.${2 + counts.connections % 250}`);
      if (!tcp) return;
      counts.connections++;
      if (counts.connections % 2) await tcp.write(begin);
      tcp.reset();
    }),
  "idle": () => held(3_000, (tcp, i) => i % 2 ? tcp.write(greeting()) : Promise.resolve()),
  "half open": () => held(500, (tcp, i) => tcp.write(begin.subarray(0, 1 + i % begin.length))),
  "one byte a second": () =>
    held(500, (tcp) => {
      let at = 0;
      const timer = setInterval(() => void tcp.write(begin.subarray(at++, at)), 1_000);
      tcp.socket.on("close", () => clearInterval(timer));
      return tcp.write(begin.subarray(0, 1));
    }),
  "invalid JSON": sealed(false, () => "{".repeat(3_000)),
  "invalid JSON of who proved a key": sealed(true, () => "[".repeat(1_000_000)),
  "deep JSON of who proved a key": sealed(
    true,
    () => `{"id":1,"op":"send","messages":${"[".repeat(400_000)}${"]".repeat(400_000)}}`,
  ),
};

await KINDS[kind]();
console.log(`DONE ${JSON.stringify(counts)}`);
process.exit(0);
