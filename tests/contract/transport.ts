/** What the contract tests of the transport have in common. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import type * as zmq from "zeromq";
import { watcherCounters } from "../../lib/transport/readiness.ts";
import type {
  Channel,
  ClientSecurity,
  Frames,
  Server,
  Transport,
} from "../../lib/transport/transport.ts";
import { zmqTransport, zmqTransportWithoutFfi } from "../../lib/transport/zmq.ts";
import { closing, until } from "../support.ts";

export const onDeno = "Deno" in globalThis;
export const LOCAL = "127.0.0.1:0";

const engines: Record<string, () => Transport> = { zmq: zmqTransport };
if (onDeno) {
  const apart = zmqTransportWithoutFfi();
  engines["zmq without FFI"] = () => apart;
}

export const text = (frames: Frames): string[] =>
  frames.map((frame) => Buffer.from(frame).toString());

/** A server that answers each message with the same frames. */
export async function echo(transport: Transport, more: object = {}): Promise<Server> {
  const server: Server = await transport.serve({
    address: LOCAL,
    onMessage: (peer, frames) => void server.send(peer, frames),
    ...more,
  });
  return server;
}

/** A channel that remembers what it got. */
export function listener(transport: Transport, address: string, security?: ClientSecurity) {
  const got: string[][] = [];
  const channel = transport.connect({
    address,
    ...(security ? { security } : {}),
    onMessage: (frames) => void got.push(text(frames)),
  });
  return Object.assign(channel, { got });
}

/** Sends one message and waits for as many answers as `channel` then must have. */
export async function ask(channel: Channel & { got: string[][] }, ...frames: string[]) {
  const before = channel.got.length;
  assert.ok(channel.send(frames));
  await until(() => channel.got.length > before, 5_000, `an answer to ${frames}`);
  return channel.got.at(-1);
}

/** A socket of another program: reads nothing, obeys no limit of ours. */
export function foreign<S extends zmq.Dealer | zmq.XSubscriber>(
  type: new (options: object) => S,
  address: string,
  more = {},
): { socket: S } & AsyncDisposable {
  const socket = new type({ linger: 0, sendTimeout: 0, receiveTimeout: 0, ...more });
  socket.connect(`tcp://${address}`);
  return { socket, [Symbol.asyncDispose]: () => Promise.resolve(socket.close()) };
}

/** Lets the engine's own threads work while no code of ours runs. */
export function blockFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

type Body = (keep: <T extends AsyncDisposable>(one: T) => T, transport: Transport) => Promise<void>;

/** One test for each engine: closes what the body keeps, and no wake-up may have been lost. */
export async function check(subject: string, body: Body): Promise<void> {
  for (const [name, engine] of Object.entries(engines)) {
    await test(`${name}: ${subject}`, async () => {
      const { rescued } = watcherCounters;
      const transport = engine();
      await closing((keep) => body(keep, transport));
      assert.equal(watcherCounters.rescued, rescued, "a wake-up was lost");
    });
  }
}
