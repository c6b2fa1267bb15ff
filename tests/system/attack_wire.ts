/** Raw TCP that speaks just enough ZMTP 3.1 to be heard, and breaks it wherever it likes. */

import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";

/** A connection of bytes, either side; never throws when the other one hangs up. */
export class Tcp implements AsyncDisposable {
  readonly socket: Socket;
  /** Bytes that came, ever. */
  received = 0;
  ended = false;
  #chunks: Buffer[] = [];
  #length = 0;
  #wake: () => void = () => {};

  /** Undefined when no connection can be made. `from`: an own address of 127.0.0.x. */
  static open(address: string, from?: string): Promise<Tcp | undefined> {
    const at = address.lastIndexOf(":");
    const [host, port] = [address.slice(0, at), Number(address.slice(at + 1))];
    const socket = connect({ host, port, ...(from ? { localAddress: from } : {}) });
    return new Promise((resolve) => {
      socket.once("connect", () => resolve(new Tcp(socket)));
      socket.once("error", () => resolve(undefined));
    });
  }

  constructor(socket: Socket) {
    this.socket = socket.setNoDelay(true).setMaxListeners(0);
    const end = () => {
      this.ended = true;
      this.#wake();
    };
    socket.on("error", end).on("close", end).on("end", end);
    socket.on("data", (data: Buffer) => {
      this.received += data.length;
      this.#chunks.push(data);
      this.#length += data.length;
      this.#wake();
    });
  }

  /** The next `length` bytes; undefined when the connection ended before. */
  async read(length: number): Promise<Buffer | undefined> {
    while (this.#length < length) {
      if (this.ended) return undefined;
      await this.#woken();
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#chunks = all.length > length ? [all.subarray(length)] : [];
    this.#length = all.length - length;
    return all.subarray(0, length);
  }

  /** Everything that comes until the other side has hung up. */
  async rest(): Promise<Buffer> {
    while (!this.ended) await this.#woken();
    return Buffer.concat(this.#chunks);
  }

  #woken(): Promise<void> {
    return new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** Throws away what came and was not read. */
  forget(): void {
    this.#chunks = [];
    this.#length = 0;
  }

  /** Resolves when the bytes have left, or the connection has ended; false then. */
  write(bytes: Uint8Array): Promise<boolean> {
    const { socket } = this;
    if (this.ended || socket.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      const closed = () => resolve(false);
      socket.once("close", closed);
      socket.write(bytes, (error) => {
        socket.off("close", closed);
        resolve(!error);
      });
    });
  }

  /** From now on nothing is read. */
  deaf(): void {
    this.socket.pause();
  }

  /** Resolves when the other side has hung up. */
  async hungUp(): Promise<void> {
    while (!this.ended) await this.#woken();
  }

  /** Ends it with RST, not with FIN. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  // deno-lint-ignore require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

/** A server of bytes: what it does with each connection is the attack. */
export async function tcpServer(
  each: (tcp: Tcp, n: number) => Promise<unknown>,
  address = "127.0.0.1:0",
): Promise<{ readonly address: string; readonly connections: number } & AsyncDisposable> {
  const open = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    void each(new Tcp(socket), connections++);
  });
  await new Promise<void>((resolve) =>
    server.listen(Number(address.split(":")[1]), "127.0.0.1", resolve)
  );
  return {
    address: `127.0.0.1:${(server.address() as { port: number }).port}`,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Bytes of one ZMTP frame. */
export function frame(body: Uint8Array, flags = 0): Uint8Array {
  if (body.length < 256) return Buffer.concat([Uint8Array.of(flags, body.length), body]);
  const head = Buffer.alloc(9);
  head[0] = flags | 2;
  head.writeBigUInt64BE(BigInt(body.length), 1);
  return Buffer.concat([head, body]);
}

/** Bytes of one message. */
export function message(...frames: (string | Uint8Array)[]): Uint8Array {
  return Buffer.concat(
    frames.map((body, i) => frame(Buffer.from(body), i < frames.length - 1 ? 1 : 0)),
  );
}

export function greeting(mechanism = "NULL", major = 3, minor = 1): Uint8Array {
  const bytes = Buffer.alloc(64);
  bytes[0] = 0xff;
  bytes[9] = 0x7f;
  bytes[10] = major;
  bytes[11] = minor;
  bytes.write(mechanism, 12);
  return bytes;
}

export function command(name: string, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  return frame(Buffer.concat([Uint8Array.of(name.length), Buffer.from(name), body]), 4);
}

/** One property of a READY. */
export function property(name: string, value: string | Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(value.length);
  return Buffer.concat([
    Uint8Array.of(name.length),
    Buffer.from(name),
    length,
    Buffer.from(value),
  ]);
}

/** What a socket says of itself, and more properties behind it. */
export function ready(type = "DEALER", more: Uint8Array = new Uint8Array(0)): Uint8Array {
  return command("READY", Buffer.concat([property("Socket-Type", type), more]));
}

export const PING: Uint8Array = command("PING", Uint8Array.of(0, 0));

/** The next frame; undefined when the other side hung up. */
async function readFrame(
  tcp: Tcp,
): Promise<{ flags: number; body: Buffer } | undefined> {
  const head = await tcp.read(2);
  if (!head) return undefined;
  let length = head[1];
  if (head[0] & 2) {
    const rest = await tcp.read(7);
    if (!rest) return undefined;
    length = Number(Buffer.concat([head.subarray(1), rest]).readBigUInt64BE());
  }
  const body = await tcp.read(length);
  return body && { flags: head[0], body };
}

/** A connection after both greetings and both READYs. */
export class Wire implements AsyncDisposable {
  readonly tcp: Tcp;

  /** Undefined when the server hangs up before. */
  static async open(
    address: string,
    { from, type }: { from?: string; type?: string } = {},
  ): Promise<Wire | undefined> {
    const tcp = await Tcp.open(address, from);
    if (!tcp) return undefined;
    await tcp.write(Buffer.concat([greeting(), ready(type)]));
    if (await tcp.read(64) && await readFrame(tcp)) return new Wire(tcp);
    await tcp[Symbol.asyncDispose]();
    return undefined;
  }

  /** The server's side of the same. */
  static async accept(tcp: Tcp): Promise<Wire | undefined> {
    await tcp.write(Buffer.concat([greeting(), ready("ROUTER")]));
    return await Wire.take(tcp);
  }

  /** What our side says was written already. */
  static async take(tcp: Tcp): Promise<Wire | undefined> {
    return await tcp.read(64) && await readFrame(tcp) ? new Wire(tcp) : undefined;
  }

  private constructor(tcp: Tcp) {
    this.tcp = tcp;
  }

  /** False when the connection has ended. */
  send(...frames: (string | Uint8Array)[]): Promise<boolean> {
    return this.tcp.write(message(...frames));
  }

  /** The next message's frames; undefined when the other side hung up. Answers PING meanwhile. */
  async receive(): Promise<Buffer[] | undefined> {
    for (const frames: Buffer[] = [];;) {
      const next = await readFrame(this.tcp);
      if (!next) return undefined;
      if (next.flags & 4) {
        const { body } = next;
        if (body.toString("latin1", 1, 5) === "PING") {
          await this.tcp.write(command("PONG", body.subarray(7)));
        }
        continue;
      }
      frames.push(next.body);
      if (!(next.flags & 1)) return frames;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.tcp[Symbol.asyncDispose]();
  }
}
