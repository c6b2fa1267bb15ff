/** Raw TCP attackers that speak just enough ZMTP 3.1: nothing, NULL or CURVE. */

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Box, boxKeys } from "./attack_box.ts";

const Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** The bytes of a Z85 text. */
export function fromZ85(text: string): Uint8Array {
  const bytes = Buffer.alloc(text.length / 5 * 4);
  for (let i = 0; i < text.length; i += 5) {
    let value = 0;
    for (const letter of text.slice(i, i + 5)) value = value * 85 + Z85.indexOf(letter);
    bytes.writeUInt32BE(value, i / 5 * 4);
  }
  return bytes;
}

/** A TCP connection that reads exact lengths and never throws when the other side hangs up. */
export class Tcp implements AsyncDisposable {
  readonly #socket: Socket;
  #arrived: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  ended = false;

  /** Undefined when no connection can be made. */
  static open(address: string): Promise<Tcp | undefined> {
    const at = address.lastIndexOf(":");
    const socket = connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)) });
    return new Promise((resolve) => {
      socket.once("connect", () => resolve(new Tcp(socket)));
      socket.once("error", () => resolve(undefined));
    });
  }

  private constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true);
    const end = () => {
      this.ended = true;
      this.#wake();
    };
    socket.on("error", end).on("close", end).on("end", end);
    socket.on("data", (data) => {
      this.#arrived = Buffer.concat([this.#arrived, data]);
      this.#wake();
    });
  }

  /** The next `length` bytes; undefined when the connection ended before. */
  async read(length: number): Promise<Buffer | undefined> {
    while (this.#arrived.length < length) {
      if (this.ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const bytes = this.#arrived.subarray(0, length);
    this.#arrived = this.#arrived.subarray(length);
    return bytes;
  }

  /** Resolves when the bytes have left, or the connection has ended; false then. */
  write(bytes: Uint8Array): Promise<boolean> {
    if (this.ended || this.#socket.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#socket.once("close", closed);
      const socket = this.#socket;
      function closed(): void {
        resolve(false);
      }
      socket.write(bytes, (error) => {
        socket.off("close", closed);
        resolve(!error);
      });
    });
  }

  /** Resolves when the other side has hung up. */
  async hungUp(): Promise<void> {
    while (!this.ended) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  // deno-lint-ignore require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
  }
}

/** Bytes of one ZMTP frame. */
export function frame(body: Uint8Array, flags = 0): Uint8Array {
  if (body.length < 256) return Buffer.concat([Uint8Array.of(flags, body.length), body]);
  const head = Buffer.alloc(9);
  head[0] = flags | 2;
  head.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([head, body]);
}

export function greeting(mechanism: string): Uint8Array {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = 3;
  bytes[11] = 1;
  bytes.write(mechanism, 12);
  return bytes;
}

/** Socket type and routing id, as a handshake carries them. */
function metadata(type: string, identity?: string): Buffer {
  const pairs = [
    ["Socket-Type", type],
    ...(identity === undefined ? [] : [["Identity", identity]]),
  ];
  return Buffer.concat(pairs.flatMap(([name, value]) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return [Uint8Array.of(name.length), Buffer.from(name), length, Buffer.from(value)];
  }));
}

function command(name: string, body: Uint8Array): Uint8Array {
  const text = Buffer.concat([Uint8Array.of(name.length), Buffer.from(name), body]);
  return frame(text, 4);
}

/** A DEALER in the clear that chooses its own routing id. */
export class NullDealer implements AsyncDisposable {
  readonly tcp: Tcp;

  /** Undefined when the server hangs up in the handshake. */
  static async open(
    address: string,
    identity?: string,
    type = "DEALER",
  ): Promise<NullDealer | undefined> {
    const tcp = await Tcp.open(address);
    if (!tcp) return undefined;
    await tcp.write(greeting("NULL"));
    await tcp.write(command("READY", metadata(type, identity)));
    const dealer = new NullDealer(tcp);
    if (await tcp.read(64) && await dealer.#frame()) return dealer;
    await tcp[Symbol.asyncDispose]();
    return undefined;
  }

  private constructor(tcp: Tcp) {
    this.tcp = tcp;
  }

  async send(...frames: string[]): Promise<boolean> {
    const bytes = frames.map((text, i) => frame(Buffer.from(text), i < frames.length - 1 ? 1 : 0));
    return await this.tcp.write(Buffer.concat(bytes));
  }

  /** The next message's frames; undefined when the server hung up. Answers no heartbeat. */
  async receive(): Promise<string[] | undefined> {
    const frames: string[] = [];
    for (;;) {
      const next = await this.#frame();
      if (!next) return undefined;
      if (next.flags & 4) continue;
      frames.push(next.body.toString());
      if (!(next.flags & 1)) return frames;
    }
  }

  async #frame(): Promise<{ flags: number; body: Buffer } | undefined> {
    const head = await this.tcp.read(2);
    if (!head) return undefined;
    let length = head[1];
    if (head[0] & 2) {
      const rest = await this.tcp.read(7);
      if (!rest) return undefined;
      length = Number(Buffer.concat([head.subarray(1), rest]).readBigUInt64BE());
    }
    const body = await this.tcp.read(length);
    return body && { flags: head[0], body };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.tcp[Symbol.asyncDispose]();
  }
}

/** A DEALER over CURVE that writes each frame by itself, so that a message need not end. */
export class CurveDealer implements AsyncDisposable {
  readonly tcp: Tcp;
  readonly #box: Box;
  #nonce = 3n;

  /** Undefined when the server hangs up in the handshake. */
  static async open(
    address: string,
    serverKey: string,
    keys = boxKeys(),
  ): Promise<CurveDealer | undefined> {
    const tcp = await Tcp.open(address);
    if (!tcp) return undefined;
    const dealer = await shake(tcp, fromZ85(serverKey), keys);
    if (!dealer) await tcp[Symbol.asyncDispose]();
    return dealer;
  }

  constructor(tcp: Tcp, box: Box) {
    this.tcp = tcp;
    this.#box = box;
  }

  /** The bytes of a frame; to be written in the order in which they are made. */
  sealed(body: Uint8Array, more: boolean): Uint8Array {
    const nonce = Buffer.alloc(8);
    nonce.writeBigUInt64BE(this.#nonce++);
    const text = Buffer.concat([Uint8Array.of(more ? 1 : 0), body]);
    const full = Buffer.concat([Buffer.from("CurveZMQMESSAGEC"), nonce]);
    return frame(Buffer.concat([Buffer.from("\x07MESSAGE"), nonce, this.#box.seal(text, full)]));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.tcp[Symbol.asyncDispose]();
  }
}

/** RFC 26, the client's side. */
async function shake(tcp: Tcp, server: Uint8Array, keys: ReturnType<typeof boxKeys>) {
  const short = boxKeys();
  await tcp.write(greeting("CURVE"));
  if (!await tcp.read(64)) return undefined;
  const one = Buffer.from("0000000000000001", "hex");
  const signature = new Box(short.secret, server)
    .seal(new Uint8Array(64), Buffer.concat([Buffer.from("CurveZMQHELLO---"), one]));
  const hello = Buffer.concat([
    Uint8Array.of(1, 0),
    Buffer.alloc(72),
    short.public,
    one,
    signature,
  ]);
  await tcp.write(command("HELLO", hello));
  const welcome = await tcp.read(2 + 168);
  if (!welcome) return undefined;
  const nonce = Buffer.concat([Buffer.from("WELCOME-"), welcome.subarray(10, 26)]);
  const opened = new Box(short.secret, server).open(welcome.subarray(26), nonce);
  const transient = opened.slice(0, 32);
  const cookie = opened.slice(32);
  const random = randomBytes(16);
  const vouch = new Box(keys.secret, transient).seal(
    Buffer.concat([short.public, server]),
    Buffer.concat([Buffer.from("VOUCH---"), random]),
  );
  const box = new Box(short.secret, transient);
  const two = Buffer.from("0000000000000002", "hex");
  const initiate = box.seal(
    Buffer.concat([keys.public, random, vouch, metadata("DEALER")]),
    Buffer.concat([Buffer.from("CurveZMQINITIATE"), two]),
  );
  await tcp.write(command("INITIATE", Buffer.concat([cookie, two, initiate])));
  const head = await tcp.read(2);
  const body = head && await tcp.read(head[1]);
  return body?.subarray(1, 6).toString() === "READY" ? new CurveDealer(tcp, box) : undefined;
}
