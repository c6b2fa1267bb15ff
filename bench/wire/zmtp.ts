/** Just enough ZMTP 3.1 (RFC 37), NULL mechanism: a DEALER that connects. */

import { dial, type Pace, pump, writeAll } from "./scan.ts";

const MORE = 1;
const LONG = 2;
const COMMAND = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a frame begins with. `body` is its first byte, `end` the byte after what has arrived. */
export interface FrameHead {
  readonly more: boolean;
  readonly body: number;
  readonly length: number;
}

/**
 * Called for each frame of a message once {@linkcode PEEK} bytes of it, or all, are there. False
 * asks for the whole frame: then it is called again when all of it has arrived.
 */
type OnFrame = (buffer: Uint8Array, frame: FrameHead, end: number) => boolean;

/** Bytes of a frame that are there before a handler is asked. */
const PEEK = 96;

/** A connection that speaks ZMTP. */
export class ZmtpConnection {
  readonly #connection: Deno.Conn;
  readonly #ready = Promise.withResolvers<void>();

  /** Connects and shakes hands: a server cuts who talks before it is ready. */
  static async open(
    address: string,
    onFrame: OnFrame,
    pace?: Pace,
  ): Promise<ZmtpConnection> {
    const connection = await dial(address);
    await writeAll(connection, concat([GREETING, READY]));
    const opened = new ZmtpConnection(connection, onFrame, pace);
    await opened.#ready.promise;
    return opened;
  }

  private constructor(connection: Deno.Conn, onFrame: OnFrame, pace?: Pace) {
    this.#connection = connection;
    let greeted = false;
    const ended = pump(connection, (buffer, start, end) => {
      let at = start;
      if (!greeted) {
        if (end - at < 64) return at;
        greeted = true;
        at += 64;
      }
      while (at < end) {
        const next = this.#frame(buffer, at, end, onFrame);
        if (next === at) break;
        at = next;
      }
      return at;
    }, pace);
    void ended.then(() => this.#ready.reject(new Error("The server hung up in the handshake")));
    this.#ready.promise.catch(() => {});
  }

  #frame(buffer: Uint8Array, at: number, end: number, onFrame: OnFrame): number {
    const flags = buffer[at];
    const body = at + (flags & LONG ? 9 : 2);
    if (end < body) return at;
    const length = flags & LONG ? longLength(buffer, at + 1) : buffer[at + 1];
    const whole = end >= body + length;
    if (flags & COMMAND) {
      if (!whole) return at;
      this.#command(buffer.subarray(body, body + length));
      return body + length;
    }
    if (!whole && end < body + PEEK) return at;
    const done = onFrame(buffer, { more: (flags & MORE) !== 0, body, length }, end);
    return done || whole ? body + length : at;
  }

  /** A server that hears nothing for a while hangs up: its PING is answered. */
  #command(bytes: Uint8Array): void {
    const name = decoder.decode(bytes.subarray(1, 1 + bytes[0]));
    if (name === "ERROR") throw new Error("The server refused the ZMTP handshake");
    if (name === "READY") this.#ready.resolve();
    if (name !== "PING") return;
    void this.write(command("PONG", bytes.subarray(7)));
  }

  write(bytes: Uint8Array): Promise<void> {
    return writeAll(this.#connection, bytes);
  }

  close(): void {
    this.#connection.close();
  }
}

/** One message as bytes on the wire. */
export function encodeMessage(frames: readonly (string | Uint8Array)[]): Uint8Array {
  return concat(frames.map((frame, i) => {
    const body = typeof frame === "string" ? encoder.encode(frame) : frame;
    return encodeFrame(body, i < frames.length - 1);
  }));
}

/** One frame as bytes on the wire. */
export function encodeFrame(body: Uint8Array, more: boolean): Uint8Array {
  const flags = more ? MORE : 0;
  if (body.length < 256) return concat([new Uint8Array([flags, body.length]), body]);
  const head = new Uint8Array(9);
  head[0] = flags | LONG;
  new DataView(head.buffer).setBigUint64(1, BigInt(body.length));
  return concat([head, body]);
}

function longLength(buffer: Uint8Array, at: number): number {
  const view = new DataView(buffer.buffer, buffer.byteOffset + at, 8);
  return view.getUint32(0) * 2 ** 32 + view.getUint32(4);
}

/** A command as bytes on the wire. */
export function command(name: string, data: Uint8Array): Uint8Array {
  const text = encoder.encode(name);
  const length = 1 + text.length + data.length;
  return concat([new Uint8Array([COMMAND, length, text.length]), text, data]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** What a client of version 3.1 says first. */
export const GREETING: Uint8Array = concat([
  new Uint8Array([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1]),
  encoder.encode("NULL"),
  new Uint8Array(48),
]);

/** What a DEALER says after its greeting. */
export const READY: Uint8Array = command(
  "READY",
  concat([
    new Uint8Array([11]),
    encoder.encode("Socket-Type"),
    new Uint8Array([0, 0, 0, 6]),
    encoder.encode("DEALER"),
  ]),
);
