/**
 * Floods a server from a process of its own, so that the members of a test keep theirs:
 * `attacker.ts KIND ADDRESS KEY MS [SECRET]`, the last to come with a known key. It says READY, floods for MS, and says what it did.
 */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { boxKeys } from "./attack_box.ts";
import { CurveDealer, frame, fromZ85, greeting, Tcp } from "./attack_wire.ts";

const counts = { connections: 0, cut: 0, bytes: 0 };
const [kind, address, key, ms, secret] = process.argv.slice(2);
const own = secret ? boxKeys(fromZ85(secret)) : undefined;
const end = performance.now() + Number(ms);
const open = () => performance.now() < end;

/** Writes as long as the server takes it. */
async function pour(tcp: Tcp, next: () => Uint8Array): Promise<void> {
  counts.connections++;
  while (open()) {
    const bytes = next();
    if (!await tcp.write(bytes)) {
      counts.cut++;
      return;
    }
    counts.bytes += bytes.length;
  }
}

/** A message that never ends, over CURVE with any key, again after each cut. */
async function moreOverCurve(body: Uint8Array): Promise<void> {
  while (open()) {
    await using dealer = await CurveDealer.open(address, key, own);
    if (!dealer) {
      counts.connections++;
      counts.cut++;
      continue;
    }
    const some = Math.max(1, Math.floor(16_384 / (body.length + 40)));
    await pour(
      dealer.tcp,
      () => Buffer.concat(Array.from({ length: some }, () => dealer.sealed(body, true))),
    );
  }
}

/** A message that never ends from a peer without encryption, which hears no answer. */
async function moreInTheClear(mechanism: string): Promise<void> {
  const bytes = Buffer.concat(Array.from({ length: 64 }, () => frame(new Uint8Array(1_000), 1)));
  while (open()) {
    await using tcp = await Tcp.open(address);
    if (!tcp) continue;
    await tcp.write(greeting(mechanism));
    await tcp.read(64);
    await pour(tcp, () => bytes);
  }
}

/** Connections that send rubbish: some a greeting first. */
async function garbage(): Promise<void> {
  const one = async () => {
    while (open()) {
      await using tcp = await Tcp.open(address);
      if (!tcp) continue;
      counts.connections++;
      if (counts.connections % 2 === 0) await tcp.write(greeting("CURVE"));
      await tcp.write(randomBytes(256));
    }
  };
  await Promise.all(Array.from({ length: 16 }, one));
}

/** Connections that say nothing more after a greeting, held to the end. */
async function idle(): Promise<void> {
  const held: Tcp[] = [];
  for (let i = 0; open() && i < 3_000; i++) {
    const tcp = await Tcp.open(address);
    if (!tcp) continue;
    counts.connections++;
    held.push(tcp);
    if (i % 2 === 0) await tcp.write(greeting("CURVE"));
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, end - performance.now())));
  counts.cut = held.filter((tcp) => tcp.ended).length;
  for (const tcp of held) await tcp[Symbol.asyncDispose]();
}

const KINDS: Record<string, () => Promise<void>> = {
  "more-curve": () => moreOverCurve(new Uint8Array(4_000)),
  "more-small": () => moreOverCurve(new Uint8Array(1)),
  "more-null": () => moreInTheClear("NULL"),
  "more-fake": () => moreInTheClear("CURVE"),
  garbage,
  idle,
};

console.log("READY");
await KINDS[kind]();
console.log(`DONE ${JSON.stringify(counts)}`);
process.exit(0);
