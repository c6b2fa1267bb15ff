/** What the contract tests of the transport have in common. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { DEFAULT_BOUNDS } from "../../lib/transport/bounds.ts";
import { watcherCounters } from "../../lib/transport/libzmq/readiness.ts";
import { libzmqTransport, libzmqTransportWithoutFfi } from "../../lib/transport/libzmq/zmq.ts";
import type {
  Bounds,
  Channel,
  ConnectOptions,
  Frames,
  OutFrames,
  Peer,
  PeerBounds,
  ServeOptions,
  Server,
  Transport,
} from "../../lib/transport/transport.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";

const onDeno = "Deno" in globalThis;
export const LOCAL = "127.0.0.1:0";

/** The engine of the server, and that of its clients. */
export interface Pair {
  readonly server: Transport;
  readonly client: Transport;
}

const [zmtp, libzmq] = [zmtpTransport(), libzmqTransport()];
const PAIRS: Record<string, Pair> = {
  "zmtp": { server: zmtp, client: zmtp },
  "libzmq": { server: libzmq, client: libzmq },
  "zmtp with libzmq clients": { server: zmtp, client: libzmq },
  "libzmq with zmtp clients": { server: libzmq, client: zmtp },
};
if (onDeno) {
  const apart = libzmqTransportWithoutFfi();
  PAIRS["libzmq without FFI"] = { server: apart, client: apart };
}

export type Keep = <T extends AsyncDisposable>(one: T) => T;

/** One test for each pair of engines: closes what the body keeps, and no wake-up may be lost. */
export async function check(
  subject: string,
  body: (keep: Keep, pair: Pair) => Promise<void>,
  only: (pair: Pair) => boolean = () => true,
): Promise<void> {
  for (const [name, pair] of Object.entries(PAIRS).filter(([, pair]) => only(pair))) {
    await test(`${name}: ${subject}`, async () => {
      const { rescued } = watcherCounters;
      await closing((keep) => body(keep, pair));
      assert.equal(watcherCounters.rescued, rescued, "a wake-up was lost");
    });
  }
}

/** For {@linkcode check}: our own engine serves. */
export const zmtpServes = ({ server }: Pair): boolean => server.name === "zmtp";
/** For {@linkcode check}: our own engine on both sides. */
export const zmtpOnly = (pair: Pair): boolean => zmtpServes(pair) && pair.client.name === "zmtp";

/** The bounds of zgroup, with others for the known, and for all. */
export function bounds(known: Partial<PeerBounds>, more: Partial<Bounds> = {}): Bounds {
  return { ...DEFAULT_BOUNDS, ...more, known: { ...DEFAULT_BOUNDS.known, ...known } };
}

export const text = (frames: Frames): string[] =>
  frames.map((frame) => Buffer.from(frame).toString());

type Listener = (peer: Peer, frames: Frames) => void;

/** A server on a free port that admits whoever speaks. */
export function serve(
  transport: Transport,
  onMessage: Listener,
  more: Partial<ServeOptions> = {},
): Promise<Server> {
  return transport.serve({
    address: LOCAL,
    onMessage(peer, frames) {
      peer.admit();
      return onMessage(peer, frames);
    },
    ...more,
  });
}

/** One that answers each message with the same frames. */
export function echo(transport: Transport, more: Partial<ServeOptions> = {}): Promise<Server> {
  return serve(transport, (peer, frames) => void peer.send(frames), more);
}

interface Talker extends Channel {
  /** What came, each message as text. */
  readonly got: string[][];
  /** `connected`, and why it was gone, in order. */
  readonly life: string[];
  /** Resolves once there is a connection. */
  ready(): Promise<this>;
  /** Sends one message and waits for the next that comes. */
  ask(...frames: string[]): Promise<string[]>;
}

/** A channel that remembers what it got and what it went through. */
export function talker(
  transport: Transport,
  address: string,
  more: Partial<ConnectOptions> = {},
): Talker {
  const got: string[][] = [];
  const life: string[] = [];
  const channel = transport.connect({
    address,
    onMessage: (frames) => void got.push(text(frames)),
    onConnected: () => void life.push("connected"),
    onGone: (why) => void life.push(why),
    ...more,
  });
  const self: Talker = Object.assign(channel, {
    got,
    life,
    async ready() {
      await until(() => life.at(-1) === "connected", 5_000, `a connection; ${life}`);
      return self;
    },
    async ask(...frames: string[]) {
      const before = got.length;
      assert.ok(channel.send(frames), `cannot send ${frames}: ${life}`);
      await until(() => got.length > before, 5_000, `an answer to ${frames}; ${life}`);
      return got.at(-1)!;
    },
  });
  return self;
}

/** One that has its connection. */
export function ready(keep: Keep, ...args: Parameters<typeof talker>): Promise<Talker> {
  return keep(talker(...args)).ready();
}

/** Sends as soon as there is a connection. */
export async function sendWhenReady(channel: Channel, frames: OutFrames): Promise<void> {
  await until(() => channel.send(frames), 5_000, "a connection");
}

/**
 * Somebody who behaves: all the time while the body runs it gets its
 * answers, on one connection. Gives how long it had to wait at most, ms.
 */
export async function besides(
  keep: Keep,
  pair: Pair,
  address: string,
  body: () => Promise<void>,
): Promise<{ slowest: number }> {
  const honest = await ready(keep, pair.client, address);
  await honest.ask("before");
  let running = true;
  let slowest = 0;
  const asking = (async () => {
    for (let n = 0; running; n++) {
      const begin = performance.now();
      assert.deepEqual(await honest.ask(`${n}`), [`${n}`]);
      slowest = Math.max(slowest, performance.now() - begin);
    }
  })();
  try {
    await body();
  } finally {
    running = false;
    await asking;
  }
  assert.deepEqual(honest.life, ["connected"]);
  return { slowest };
}

/** Lets the engine's own threads work while no code of ours runs. */
export function blockFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** How often something happened on a server, by the beginning of its name. */
export function counted(server: Server, beginning: string): number {
  let sum = 0;
  for (const [what, count] of server.accounts.counts) if (what.startsWith(beginning)) sum += count;
  return sum;
}
