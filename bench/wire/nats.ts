/** Just enough of the NATS protocol: publish, subscribe, messages counted. */

import { type Header, lineEnd } from "./scan.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a client says first. */
export const CONNECT = encoder.encode(
  'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1","protocol":1}\r\n',
);

export function encodeSubscribe(subject: string): Uint8Array {
  return encoder.encode(`SUB ${subject} 1\r\n`);
}

/** A publish whose acknowledgement comes to the inbox. */
export function encodePublish(subject: string, inbox: string, text: string): Uint8Array {
  return encoder.encode(`PUB ${subject} ${inbox} ${encoder.encode(text).length}\r\n${text}\r\n`);
}

/**
 * Messages count; `pong` is called for the server's PING, `ponged` for its answer to ours.
 *
 * @throws what the server complains of
 */
export function messageParser(
  pong: () => void,
  ponged: () => void = () => {},
): (buffer: Uint8Array, start: number, end: number) => Header | undefined {
  return (buffer, start, end) => {
    const next = lineEnd(buffer, start, end);
    if (next === 0) return undefined;
    const head = next - start;
    const line = decoder.decode(buffer.subarray(start, next - 2));
    if (line.startsWith("MSG ")) {
      const space = line.lastIndexOf(" ");
      const body = Number(line.slice(space + 1)) + 2;
      return { head, body, tail: line.length + 2 - space, counts: 1 };
    }
    if (line.startsWith("-ERR")) throw new Error(`nats-server answered ${line}`);
    if (line === "PING") pong();
    if (line === "PONG") ponged();
    return { head, body: 0, tail: 0, counts: 0 };
  };
}

export const PING = encoder.encode("PING\r\n");
export const PONG = encoder.encode("PONG\r\n");
