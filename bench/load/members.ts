/**
 * Live subscribers that cost next to nothing: raw sockets that count messages by their headers.
 * With encryption one socket of the engine connects as often as there are members.
 */

import * as zmq from "zeromq";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { Requester } from "../../lib/transport/requester.ts";
import { pause } from "../processes.ts";
import { program } from "../programs.ts";
import { NAME, type SideName } from "../servers.ts";
import { FeedCounter } from "../wire/feed.ts";
import { CONNECT, encodeSubscribe, messageParser, PING, PONG } from "../wire/nats.ts";
import { encodeCommand, parsePush } from "../wire/redis.ts";
import { counter, dial, pump, writeAll } from "../wire/scan.ts";
import { concat, ZmtpConnection } from "../wire/zmtp.ts";
import { enter, findGroup, openSession } from "./session.ts";

/** Without a delivery for this long nothing more is expected, ms. */
const STALLED = 4_000;
/** Looks, each 10 ms, that hold one announcement of the head and never two. */
const HEAD_WINDOW = 70;
/** A member hears the head of the log once a second: so long until all are subscribed, ms. */
const SUBSCRIBED_WITHIN = 20_000;

/** Where times do not matter members look this often, so that reading takes little CPU, ms. */
const PAUSE = 10;

/** What is counted between `expect` and `finish`. */
class Count {
  readonly expected: number;
  readonly done = Promise.withResolvers<void>();
  delivered = 0;
  /** Time of the last delivery, ms since 1970. */
  last = 0;
  /** Of each delivery: which message, and when; undefined where nobody asks. */
  readonly arrivals: [ordinal: number, at: number][] | undefined;

  constructor(expected: number, times: boolean) {
    this.expected = expected;
    if (times) this.arrivals = [];
  }

  add(messages: number, ordinal: number): void {
    this.delivered += messages;
    if (this.arrivals || this.delivered >= this.expected) this.last = now();
    this.arrivals?.push([ordinal, this.last]);
    if (this.delivered >= this.expected) this.done.resolve();
  }
}

let count = new Count(Infinity, false);
/** Resolved every {@linkcode PAUSE} ms while only deliveries count. */
let beat: PromiseWithResolvers<void> | undefined;
const pace = () => beat?.promise;
let members = 0;
const feed = new FeedCounter();
/** For the peers: messages that each member has got since `expect`. */
let got: number[] = [];

const SIDES: Readonly<Record<SideName, (address: string) => Promise<void>>> = {
  async zgroup(address) {
    const { live, token } = await subscription(address);
    const hearing = new Set<number>();
    for (let i = 0; i < members; i++) {
      const connection = await ZmtpConnection.open(live, "SUB", (buffer, frame, end) => {
        if (frame.more) return true;
        hearing.add(i);
        return feed.frame(buffer, frame, end, (n, ordinal) => count.add(n, ordinal));
      }, pace);
      await connection.subscribe(token);
    }
    await all(() => hearing.size >= members);
  },

  async "zgroup-curve"(address) {
    const { live, token, curve, keys } = await subscription(address);
    const socket = new zmq.XSubscriber({
      curveServerKey: curve,
      curvePublicKey: keys.publicKey,
      curveSecretKey: keys.secretKey,
      linger: 0,
      receiveTimeout: 0,
      receiveHighWaterMark: 100_000,
    });
    for (let i = 0; i < members; i++) socket.connect(`tcp://${live}`);
    await socket.send(concat([new Uint8Array([1]), new TextEncoder().encode(token)]));
    let frames = 0;
    void (async () => {
      while (true) {
        // On Deno a socket may not wait inside the engine: it is looked at, and left alone a while.
        for (let n = 0; n < 256 && socket.readable; n++) {
          const [, payload] = await socket.receive();
          frames++;
          const frame = { more: false, body: 0, length: payload.length };
          feed.frame(payload, frame, payload.length, (n, ordinal) => count.add(n, ordinal));
        }
        await (socket.readable ? new Promise((resolve) => setImmediate(resolve)) : pause(0));
      }
    })();
    // The head comes to each member once a second: all hear when one burst has as many frames.
    const seen: number[] = [];
    await all(() => frames - (seen.at(-HEAD_WINDOW) ?? frames) >= members, () => seen.push(frames));
  },

  async redis(address) {
    const waiting = new Set<number>();
    for (let i = 0; i < members; i++) {
      const connection = await dial(address);
      waiting.add(i);
      const parse: typeof parsePush = (...given) => {
        const header = parsePush(...given);
        if (header?.counts === 0) waiting.delete(i);
        return header;
      };
      void pump(connection, counter(parse, (n) => count.add(n, (got[i] += n) - 1)), pace);
      await writeAll(connection, encodeCommand("SUBSCRIBE", NAME));
    }
    await all(() => waiting.size === 0);
  },

  async nats(address) {
    const waiting = new Set<number>();
    for (let i = 0; i < members; i++) {
      const connection = await dial(address);
      waiting.add(i);
      const pong = () => void writeAll(connection, PONG);
      const parse = messageParser(pong, () => waiting.delete(i));
      void pump(connection, counter(parse, (n) => count.add(n, (got[i] += n) - 1)), pace);
      await writeAll(connection, concat([CONNECT, encodeSubscribe(NAME), PING]));
    }
    await all(() => waiting.size === 0);
  },
};

setInterval(() => {
  const last = beat;
  beat = last && Promise.withResolvers();
  last?.resolve();
}, PAUSE);

/** A token that any number of connections may use, and the CURVE pair that is let in with it. */
async function subscription(registry: string) {
  const record = await findGroup(registry, NAME);
  const { address, curve } = record;
  const transport = zmqTransport();
  const keys = transport.curveKeys();
  const key = newSigningKey();
  await enter(record, keys, key);
  const security = curve ? { security: { serverKey: curve, keys } } : {};
  const requester = new Requester({ transport, address, what: "the group", ...security });
  const { session } = await openSession((op, fields) => requester.request(op, fields), key);
  const { live, token } = await requester.request("subscribe", { session });
  return { live: String(live), token: String(token), curve, keys };
}

async function all(done: () => boolean, look: () => void = () => {}): Promise<void> {
  for (const end = now() + SUBSCRIBED_WITHIN; !done(); look()) {
    if (now() > end) throw new Error("Not all members were subscribed in time");
    await pause(10);
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

await program({
  async connect(
    { side, address, members: n }: { side: SideName; address: string; members: number },
  ) {
    members = n;
    got = Array.from({ length: n }, () => 0);
    await SIDES[side](address);
  },

  /** From now on deliveries count. */
  expect({ messages, times = false }: { messages: number; times?: boolean }) {
    count = new Count(messages * members, times);
    feed.start();
    got.fill(0);
    if (!times) beat ??= Promise.withResolvers();
  },

  /** Waits for what `expect` said; tells the time of the last delivery, and what was lost. */
  async finish() {
    // Nothing for a while: what is missing is lost.
    for (let before = -1; before < count.delivered && count.delivered < count.expected;) {
      before = count.delivered;
      let timer;
      const late = new Promise((resolve) => (timer = setTimeout(resolve, STALLED)));
      await Promise.race([count.done.promise, late]);
      clearTimeout(timer);
    }
    const { delivered, expected, last } = count;
    return { delivered, lost: expected - delivered, last };
  },

  /** Time from each call to each receipt, ms: percentiles. */
  latency({ calls }: { calls: number[] }) {
    const spans = count.arrivals!.map(([ordinal, at]) => at - calls[ordinal]);
    spans.sort((a, b) => a - b);
    const share = (of: number) => spans[Math.min(spans.length - 1, Math.floor(of * spans.length))];
    return { p50: share(0.5), p99: share(0.99) };
  },
});
