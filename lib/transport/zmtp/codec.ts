/**
 * ZMTP 3.1 with the mechanism NULL, as bytes: greeting, frames, commands. Pure; the other direction
 * is `decoder.ts`. RFC 37 (ZMTP 3.1), RFC 23 (3.0).
 */

import { Buffer } from "node:buffer";
import { type OutFrames, PROTOCOL_PROPERTY } from "../transport.ts";

/** Bytes of a greeting. */
export const GREETING_BYTES = 64;
/** Bits of a frame's first byte: wire values, do not reorder. */
export const [MORE, LONG, COMMAND] = [1, 2, 4];

/** Others than NULL that there are: RFC 26, RFC 24, RFC 38. */
const MECHANISMS = new Set(["CURVE", "PLAIN", "GSSAPI"]);

/** What both sides say first: version 3.1, NULL, not as a server. */
export const GREETING: Uint8Array = Buffer.alloc(GREETING_BYTES);
GREETING[0] = 0xff;
GREETING.set([0x7f, 3, 1, ...Buffer.from("NULL")], 9);

/** Why a greeting, or the part of one that has arrived, cannot be talked to; undefined: it may be. */
export function greetingProblem(start: Uint8Array): string | undefined {
  if (start[0] === 1 && start.length < 2) return undefined; // perhaps an empty identity: ZMTP 1
  if (start[0] === 1 && start[1] === 0) return "speaks ZMTP 1, needs 3";
  if (start.length > 0 && start[0] !== 0xff) return "speaks no ZMTP, needs 3";
  if (start.length > 9 && (start[9] & 1) === 0) return "speaks ZMTP 1, needs 3";
  if (start.length > 10 && start[10] < 3) {
    return `speaks ZMTP ${start[10] === 0 ? 1 : 2}, needs 3`;
  }
  if (start.length > 9 && start[9] !== 0x7f) return "speaks no ZMTP, needs 3";
  if (start.length < 32) return undefined;
  const mechanism = latin1(start.subarray(12, 32)).replace(/\0+$/, "");
  if (mechanism === "NULL") return undefined;
  // Counted by this text: a stranger must not choose it.
  return MECHANISMS.has(mechanism)
    ? `asks for the mechanism ${mechanism}, needs NULL`
    : "asks for no mechanism that is known, needs NULL";
}

/** One message as it travels. */
export function encodeMessage(frames: OutFrames): Uint8Array {
  let size = 0;
  const lengths = frames.map((frame) => {
    const length = typeof frame === "string" ? Buffer.byteLength(frame) : frame.length;
    size += length + (length > 255 ? 9 : 2);
    return length;
  });
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  frames.forEach((frame, index) => {
    const length = lengths[index];
    at = writeHeader(out, at, index < frames.length - 1 ? MORE : 0, length);
    if (typeof frame === "string") out.write(frame, at);
    else out.set(frame, at);
    at += length;
  });
  return out;
}

/** The empty frame that stands before the body where REQ or REP is at the other end. */
export const DELIMITER: Uint8Array = Uint8Array.of(MORE, 0);

/** One command as it travels. */
export function encodeCommand(name: string, data: Uint8Array): Uint8Array {
  const length = 1 + name.length + data.length;
  const out = Buffer.allocUnsafe(length + (length > 255 ? 9 : 2));
  let at = writeHeader(out, 0, COMMAND, length);
  out[at++] = name.length;
  at += out.write(name, at, "latin1");
  out.set(data, at);
  return out;
}

function writeHeader(out: Buffer, at: number, flags: number, length: number): number {
  if (length <= 255) {
    out[at] = flags;
    out[at + 1] = length;
    return at + 2;
  }
  out[at] = flags | LONG;
  out.writeUInt32BE(Math.floor(length / 2 ** 32), at + 1);
  out.writeUInt32BE(length >>> 0, at + 5);
  return at + 9;
}

/**
 * What a socket says of itself once the greeting is exchanged; a server also which protocol it
 * speaks.
 */
export function encodeReady(type: string, protocol?: string): Uint8Array {
  const property = (name: string, value: string) =>
    `${String.fromCharCode(name.length)}${name}\0\0\0${String.fromCharCode(value.length)}${value}`;
  const properties = property("Socket-Type", type) + property("Identity", "") +
    (protocol === undefined ? "" : property(PROTOCOL_PROPERTY, protocol));
  return encodeCommand("READY", Buffer.from(properties, "latin1"));
}

/** Refuses a peer during the handshake; `reason` is ASCII, at most 255 characters. */
export function encodeError(reason: string): Uint8Array {
  const text = Buffer.from(reason, "latin1").subarray(0, 255);
  return encodeCommand("ERROR", Buffer.concat([Uint8Array.of(text.length), text]));
}

/** Asks for a sign of life; no time to live, no context. */
export const PING: Uint8Array = encodeCommand("PING", Uint8Array.of(0, 0));

/** The answer to a PING's data; undefined when that is no PING: TTL of 2 bytes, up to 16 of context. */
export function answerPing(data: Uint8Array): Uint8Array | undefined {
  if (data.length < 2 || data.length > 18) return undefined;
  return encodeCommand("PONG", data.subarray(2));
}

/** The properties of a READY, names in lower case, first one wins; undefined when it is none. */
export function readProperties(data: Uint8Array): Map<string, string> | undefined {
  const properties = new Map<string, string>();
  let at = 0;
  while (at < data.length) {
    const nameEnd = at + 1 + data[at];
    if (data[at] === 0 || nameEnd + 4 > data.length) return undefined;
    const length = new DataView(data.buffer, data.byteOffset + nameEnd, 4).getUint32(0);
    const end = nameEnd + 4 + length;
    if (end > data.length) return undefined;
    const name = latin1(data.subarray(at + 1, nameEnd)).toLowerCase();
    if (!properties.has(name)) properties.set(name, latin1(data.subarray(nameEnd + 4, end)));
    at = end;
  }
  return properties;
}

/** The reason in an ERROR, fit to be shown. */
export function readError(data: Uint8Array): string {
  const reason = latin1(data.subarray(1, 1 + (data[0] ?? 0))).replace(/[^\x20-\x7e]/g, "?");
  return reason === "" ? "no reason" : reason.slice(0, 100);
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
