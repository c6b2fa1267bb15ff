/** What the tests of the libzmq engine have in common. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import * as zmq from "zeromq";
import { watcherCounters } from "../../lib/transport/libzmq/readiness.ts";
import { libzmqTransport, libzmqTransportWithoutFfi } from "../../lib/transport/libzmq/zmq.ts";
import type {
  Channel,
  ConnectOptions,
  Frames,
  ServeOptions,
  Server,
  Transport,
} from "../../lib/transport/transport.ts";
import { closing, until } from "../support.ts";

export const onDeno = "Deno" in globalThis;
export const LOCAL = "127.0.0.1:0";

const engines: Record<string, Transport> = { libzmq: libzmqTransport() };
if (onDeno) engines["libzmq without FFI"] = libzmqTransportWithoutFfi();

type Keep = <T extends AsyncDisposable>(one: T) => T;
type Body = (keep: Keep, transport: Transport) => Promise<void>;

/** One test for each engine: closes what the body keeps, and no wake-up may have been lost. */
export async function check(
  subject: string,
  body: Body,
  skip: string | false = false,
): Promise<void> {
  for (const [name, transport] of Object.entries(engines)) {
    await test(`${name}: ${subject}`, { skip }, async () => {
      const { rescued } = watcherCounters;
      await closing((keep) => body(keep, transport));
      assert.equal(watcherCounters.rescued, rescued, "a wake-up was lost");
    });
  }
}

export const text = (frames: Frames): string[] =>
  frames.map((frame) => Buffer.from(frame).toString());

/** A server that answers each message with the same frames, and remembers who left and why. */
export async function echo(transport: Transport, more: Partial<ServeOptions> = {}) {
  const gone: string[] = [];
  const server: Server = await transport.serve({
    address: LOCAL,
    onMessage: (peer, frames) => void peer.send(frames),
    onGone: (_, why) => void gone.push(why),
    ...more,
  });
  return Object.assign(server, { gone });
}

/** A channel that remembers what it got, once it counts as connected. */
export async function listen(
  transport: Transport,
  address: string,
  more: Partial<ConnectOptions> = {},
): Promise<Channel & { got: string[][]; told: string[] }> {
  const got: string[][] = [];
  const told: string[] = [];
  const channel = transport.connect({
    address,
    onMessage: (frames) => void got.push(text(frames)),
    onConnected: () => void told.push("connected"),
    onGone: (why) => void told.push(why),
    ...more,
  });
  await until(() => told.length > 0 || more.onConnected, 5_000, "the connection");
  return Object.assign(channel, { got, told });
}

export async function ask(channel: Channel & { got: string[][] }, ...frames: string[]) {
  const before = channel.got.length;
  assert.ok(channel.send(frames));
  await until(() => channel.got.length > before, 5_000, `an answer to ${frames}`);
  return channel.got.at(-1);
}

/** A socket of another program: obeys no limit of ours. */
export function foreign(address: string): { socket: zmq.Dealer } & AsyncDisposable {
  const socket = new zmq.Dealer({ linger: 0, sendTimeout: 0, receiveTimeout: 0 });
  socket.connect(`tcp://${address}`);
  return { socket, [Symbol.asyncDispose]: () => Promise.resolve(socket.close()) };
}
