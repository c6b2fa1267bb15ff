/**
 * Peers that begin what they never end: messages that stop short, messages of frames without end,
 * connections that say nothing. Each is cut or counted by its own account, what all hold stays
 * within its bound, and a member beside them is served.
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { MAX_PACKET } from "../../lib/protocol/limits.ts";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { until } from "../support.ts";
import { Hand } from "../system/attack_hand.ts";
import { Tcp, Wire } from "../system/attack_wire.ts";
import { joined } from "./support/chat.ts";
import { type Fault, fault } from "./support/fault.ts";
import { type GroupProcess, startGroup, startRegistry } from "./support/servers.ts";

const NAME = "Lab";
const MIB = 1_048_576;
/** What all peers may hold together, bytes; and room for what is being added. */
const LIMIT = 8 * MIB;
const ONE_MORE = 2 * MIB;
/** Peers that hold a megabyte each. */
const HOLDERS = 24;
/** A connection that says nothing is cut after this, ms. */
const SILENCE_ENDS = DEFAULT_BOUNDS.admitWithin;

await fault(async (fault) => {
  const registries = await startRegistry(fault);
  const data = join(fault.folder, "data");
  const group = await startGroup(fault, {
    name: NAME,
    data,
    registries,
    memoryLimit: LIMIT,
  });
  const [member] = await joined(fault, registries, NAME, ["member"]);
  const lost: string[] = [];
  member.on((event) => {
    if (event.type === "state" && event.state !== "live") lost.push(event.state);
  });
  for (let i = 0; i < fault.size(1, 10); i++) {
    await half(fault, group);
    await endless(fault, group.address);
    await member.send(NAME, `beside them ${i}`, { within: 20_000 });
  }
  await silent(fault, group.address);
  await member.send(NAME, "at the end");
  const { held, most, counts } = await group.accounts();
  fault.figure("held_kb", held / 1_024);
  fault.figure("most_kb", most / 1_024);
  fault.expect(most <= LIMIT + ONE_MORE, `all peers held ${most} bytes`);
  fault.expect(lost.length === 0, "the member was cut");
  fault.figure("reasons", Object.keys(counts).filter((what) => what.startsWith("cut")).length);
  fault.expect(await group.child.stop() === 0, "the group did not end well");
});

/** Proved peers, each with a message of a megabyte of which the last byte never comes. */
async function half(fault: Fault, group: GroupProcess): Promise<void> {
  const message = frame(MAX_PACKET);
  const holders: Hand[] = [];
  for (let i = 0; i < HOLDERS; i++) {
    const hand = await Hand.proved(group.address, { name: `holder ${i}` });
    fault.onClose(() => hand[Symbol.asyncDispose]());
    holders.push(hand);
    void hand.wire.tcp.write(message.subarray(0, -1));
  }
  const gone = () => holders.filter(({ wire }) => wire.tcp.ended).length;
  const few = HOLDERS - LIMIT / MIB;
  const cut = await until(() => gone() >= few, 10_000, "").then(() => true, () => false);
  fault.expect(cut, `${HOLDERS} messages of 1 MB that do not end, and ${gone()} were cut`);
  const { held } = await group.accounts();
  fault.expect(held <= LIMIT, `accounts of ${held} bytes`);
  fault.count("holders", HOLDERS);
  fault.count("holders_cut", gone());
  for (const hand of holders) await hand[Symbol.asyncDispose]();
}

/** One frame after the other, and each says that there is more: strangers, and a peer that proved. */
async function endless(fault: Fault, address: string): Promise<void> {
  const stranger = await Wire.open(address);
  const hand = await Hand.proved(address);
  for (const { tcp } of [stranger!, hand.wire]) {
    fault.onClose(() => tcp[Symbol.asyncDispose]());
    const piece = Buffer.alloc(3 * 1_000, Buffer.from([1, 1, 0x78])); // MORE, one byte, "x"
    let sent = 0;
    while (sent < 32 * MIB && await tcp.write(piece)) sent += piece.length;
    const cut = await until(() => tcp.ended, 5_000, "").then(() => true, () => false);
    fault.expect(cut, `${sent} bytes of a message without end were taken`);
    fault.count("endless");
  }
}

/** Connections that say nothing, or stop in the middle of what they say first. */
async function silent(fault: Fault, address: string): Promise<void> {
  const halves = [0, 1, 10, 63].map(async (bytes) => {
    const tcp = (await Tcp.open(address))!;
    fault.onClose(() => tcp[Symbol.asyncDispose]());
    await tcp.write(
      Buffer.concat([Uint8Array.of(0xff), Buffer.alloc(8), Uint8Array.of(0x7f, 3, 1)])
        .subarray(0, bytes),
    );
    await until(() => tcp.ended, SILENCE_ENDS + 5_000, `an end after ${bytes} bytes`);
    fault.count("silent");
  });
  await Promise.all(halves);
}

/** A last frame of so many bytes. */
function frame(length: number): Buffer {
  const bytes = Buffer.alloc(9 + length);
  bytes[0] = 2;
  bytes.writeBigUInt64BE(BigInt(length), 1);
  return bytes;
}
