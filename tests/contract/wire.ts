/** Ends of a connection that obey nothing: raw sockets that speak ZMTP as far as a test wants. */

import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import { encodeCommand, encodeReady, GREETING } from "../../lib/transport/zmtp/codec.ts";
import { Decoder } from "../../lib/transport/zmtp/decoder.ts";
import { until } from "../support.ts";
import { text } from "./transport.ts";

const NO_BOUNDS = { frame: 2 ** 31, message: 2 ** 31, frames: 1_000, command: 2 ** 16 };

/** The beginning of a frame that has not come, with whatever length it claims. */
export function claim(flags: number, length: number): Uint8Array {
  const out = Buffer.alloc(9);
  out[0] = flags | 2;
  out.writeBigUInt64BE(BigInt(length), 1);
  return out;
}

/** A greeting of another version. */
export function greetingOf(major: number, minor: number): Uint8Array {
  const bytes = Buffer.from(GREETING);
  bytes[10] = major;
  bytes[11] = minor;
  return bytes;
}

export const pingOf = (context: string): Uint8Array =>
  encodeCommand("PING", Buffer.concat([Uint8Array.of(0, 0), Buffer.from(context)]));

/** A raw connection, whichever side made it. */
export class Wire implements AsyncDisposable {
  readonly socket: Socket;
  /** Messages and commands that came, as text; `greeting` is one. */
  readonly got: string[][] = [];
  bytes = 0;
  closed = false;
  readonly #decoder = new Decoder(NO_BOUNDS, NO_BOUNDS);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {}); // the other side may reset
    socket.on("close", () => this.closed = true);
    socket.on("data", (chunk) => this.#arrived(chunk as unknown as Uint8Array));
  }

  /** Connects, from another loopback address where one is named. */
  static connect(address: string, from?: string): Wire {
    const [host, port] = address.split(":");
    return new Wire(connect({ host, port: Number(port), localAddress: from, noDelay: true }));
  }

  /** Connects and says what it is, `minor` being that of its version. */
  static async open(address: string, { from, minor = 1, type = "DEALER" }: {
    from?: string;
    minor?: number;
    type?: string;
  } = {}): Promise<Wire> {
    const wire = Wire.connect(address, from);
    wire.send(greetingOf(3, minor), encodeReady(type));
    await wire.heard("READY");
    return wire;
  }

  send(...bytes: Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes));
  }

  /** Waits for a message or a command that begins so. */
  async heard(start: string, ms = 5_000): Promise<string[]> {
    return await until(
      () => this.got.find(([first]) => first === start),
      ms,
      `${start}; ${this.closed ? "closed" : "open"}, got ${this.got}`,
    );
  }

  async end(ms = 5_000): Promise<void> {
    await until(() => this.closed, ms, "the connection to end");
  }

  /** Ends it as a machine does that lost its memory. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
    await until(() => this.closed, 5_000, "the raw socket to close");
  }

  #arrived(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.#decoder.feed(chunk);
    for (let item = this.#decoder.next(); item; item = this.#decoder.next()) {
      this.#decoder.open();
      if (item.kind === "greeting") this.got.push(["greeting"]);
      if (item.kind === "command") this.got.push([item.name, Buffer.from(item.data).toString()]);
      if (item.kind === "message") this.got.push(text(item.frames));
    }
  }
}

/** A raw server: each connection is given to `onConnection`, which may do what it likes. */
export async function rawServer(
  onConnection: (wire: Wire) => void,
): Promise<{ address: string; wires: Wire[] } & AsyncDisposable> {
  const wires: Wire[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    const wire = new Wire(socket);
    wires.push(wire);
    onConnection(wire);
  });
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  const { port } = server.address() as { port: number };
  return {
    address: `127.0.0.1:${port}`,
    wires,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const wire of wires) await wire[Symbol.asyncDispose]();
    },
  };
}
