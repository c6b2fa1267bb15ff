/** The second frame of every message: a byte that says what it is, and the rest. Pure. */

import { Buffer } from "node:buffer";
import type { KeyObject } from "node:crypto";
import { nonceOf, open, seal, TAG_BYTES } from "./noise.ts";

/** First byte of a packet. Wire numbers: do not reorder. */
export const KIND = { reset: 0, hello: 1, answer: 2, sealed: 3, feed: 4 } as const;

/** Mixed into every handshake. */
export const PROLOGUE: Uint8Array = Buffer.from("zg2");
/** Bytes of a ticket in a hello. */
export const TICKET_BYTES = 52;
/** Longest payload of an answer, bytes. */
export const MAX_ANSWER = 4_096;

/** Why a server has no session, said in the clear: begin again with a hello. Wire names. */
export const RESETS = ["no_session", "busy", "bad_packet"] as const;
/** One of {@linkcode RESETS}. */
export type Reset = typeof RESETS[number];

/** Heads of packets, ready to be put before what follows. */
export const HEAD = {
  hello: Uint8Array.of(KIND.hello),
  answer: Uint8Array.of(KIND.answer),
  sealed: Uint8Array.of(KIND.sealed),
} as const;

/** Says that there is no session here. */
export function encodeReset(code: Reset): Uint8Array {
  return Buffer.from(`${String.fromCharCode(KIND.reset)}${code}`, "latin1");
}

/** The code of a reset; undefined for one that nobody knows. */
export function decodeReset(packet: Uint8Array): Reset | undefined {
  const code = packet.length <= 65 ? Buffer.from(packet.subarray(1)).toString("latin1") : "";
  return RESETS.find((known) => known === code);
}

/** Bytes of a feed packet before what is sealed, which they are the associated data of. */
const FEED_HEAD = 13;

/**
 * A packet of the live feed: sealed once, written to each follower.
 *
 * @param key of this generation, see `sealingKey`
 * @param counter 0 and up, never twice in one generation
 * @param plaintext JSON
 */
export function feedPacket(
  key: KeyObject,
  generation: number,
  counter: number,
  plaintext: string,
): Uint8Array {
  const head = Buffer.alloc(FEED_HEAD);
  head[0] = KIND.feed;
  head.writeUInt32BE(generation, 1);
  head.writeBigUInt64BE(BigInt(counter), 5);
  return seal(key, nonceOf(counter), plaintext, head, head);
}

/** What the head of a feed packet says; undefined when it is too short or its counter too large. */
export function readFeedHead(
  packet: Uint8Array,
): { readonly generation: number; readonly counter: number } | undefined {
  if (packet.length < FEED_HEAD + TAG_BYTES) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, FEED_HEAD);
  const counter = Number(view.getBigUint64(5));
  if (!Number.isSafeInteger(counter)) return undefined;
  return { generation: view.getUint32(1), counter };
}

/** The plaintext of a feed packet. @throws {Error} it was not sealed with this key */
export function openFeed(key: KeyObject, counter: number, packet: Uint8Array): Uint8Array {
  const head = packet.subarray(0, FEED_HEAD);
  return open(key, nonceOf(counter), packet.subarray(FEED_HEAD), head);
}
