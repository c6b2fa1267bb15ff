/** Just enough of Redis's protocol (RESP 2): pipelined commands, replies and messages counted. */

import { type Header, lineEnd } from "./scan.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** One command as bytes on the wire. */
export function encodeCommand(...words: readonly string[]): Uint8Array {
  const parts = words.map((word) => `$${encoder.encode(word).length}\r\n${word}\r\n`);
  return encoder.encode(`*${words.length}\r\n${parts.join("")}`);
}

/** A reply: a bulk string (what XADD answers) counts. @throws what the server complains about */
export function parseReply(buffer: Uint8Array, start: number, end: number): Header | undefined {
  const next = lineEnd(buffer, start, end);
  if (next === 0) return undefined;
  const line = decoder.decode(buffer.subarray(start, next - 2));
  if (line.startsWith("-")) throw new Error(`Redis answered ${line}`);
  if (!line.startsWith("$")) return { head: next - start, body: 0, tail: 0, counts: 0 };
  const head = next - start;
  return { head, body: Number(line.slice(1)) + 2, tail: head, counts: 1 };
}

/** What a subscribed connection gets: `message` pushes count, the answer to SUBSCRIBE does not. */
export function parsePush(buffer: Uint8Array, start: number, end: number): Header | undefined {
  const lines: string[] = [];
  let at = start;
  while (lines.length < 6) {
    const next = lineEnd(buffer, at, end);
    if (next === 0) return undefined;
    lines.push(decoder.decode(buffer.subarray(at, next - 2)));
    at = next;
  }
  const head = at - start;
  if (lines[2] !== "message") return { head, body: 0, tail: 0, counts: 0 };
  return { head, body: Number(lines[5].slice(1)) + 2, tail: lines[5].length + 2, counts: 1 };
}
