/** Strangers who mean harm: each kind of flood at one address, from many connections. */

import { randomBytes } from "node:crypto";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { ephemeral } from "../../lib/session/noise.ts";
import { HEAD } from "../../lib/session/packet.ts";
import { setTimeout as pause } from "node:timers/promises";
import { program } from "../programs.ts";
import { dial, writeAll } from "../wire/scan.ts";
import { command, concat, encodeFrame, encodeMessage, GREETING, READY } from "../wire/zmtp.ts";

/** Connections of a flood at once. */
const LANES = 32;
const IDLE = 3_000;
/** Bytes of one write at least. */
const CHUNK = 16_384;

const repeat = (bytes: Uint8Array) =>
  concat(Array.from({ length: Math.ceil(CHUNK / bytes.length) }, () => bytes));
const hello = encodeMessage([MAGIC, concat([HEAD.hello, ephemeral().publicKey])]);
const begin = concat([GREETING, READY]);

/** What a connection says first, and then again and again until it is cut; or says, and goes. */
const FLOODS: Readonly<Record<string, readonly [first: Uint8Array, then?: Uint8Array]>> = {
  more: [begin, encodeFrame(new Uint8Array(CHUNK), true)],
  small: [begin, repeat(encodeFrame(new Uint8Array(1), true))],
  hello: [concat([begin, hello])],
  hellos: [begin, repeat(hello)],
  ping: [begin, repeat(command("PING", new Uint8Array(18)))],
  rubbish: [GREETING, randomBytes(CHUNK)],
  garbage: [randomBytes(64)],
};

await program({
  /** So many connections that were made. */
  async flood({ kind, address, seconds }: { kind: string; address: string; seconds: number }) {
    const end = performance.now() + seconds * 1_000;
    let made = 0;
    if (kind === "idle") {
      const idle = [];
      for (; made < IDLE; made++) idle.push(await dial(address));
      await pause(Math.max(0, end - performance.now()));
      idle.forEach((connection) => connection.close());
      return { made };
    }
    const lane = async () => {
      while (performance.now() < end) {
        made++;
        await one(address, FLOODS[kind], end).catch(() => {}); // It was cut.
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    return { made };
  },
});

async function one(
  address: string,
  [first, then]: readonly [Uint8Array, Uint8Array?],
  end: number,
): Promise<void> {
  const connection = await dial(address);
  const timer = setTimeout(() => connection.close(), Math.max(0, end - performance.now()));
  try {
    await writeAll(connection, first);
    if (!then) await connection.read(new Uint8Array(CHUNK));
    while (then) await writeAll(connection, then);
  } finally {
    clearTimeout(timer);
    try {
      connection.close();
    } catch {
      // It is.
    }
  }
}
