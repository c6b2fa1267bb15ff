/** Live subscribers that cost next to nothing: raw sockets that count messages by their headers. */

import { setTimeout as pause } from "node:timers/promises";
import { percentile } from "../../tests/support/percentile.ts";
import { program } from "../programs.ts";
import { type Measured, NAME } from "../servers.ts";
import { FeedCounter } from "../wire/feed.ts";
import { CONNECT, encodeSubscribe, messageParser, PING, PONG } from "../wire/nats.ts";
import { encodeCommand, parsePush } from "../wire/redis.ts";
import { counter, dial, pump, writeAll } from "../wire/scan.ts";
import { concat } from "../wire/zmtp.ts";
import { findGroup, openMember } from "./session.ts";

/** Without a delivery for this long nothing more is expected, ms. */
const STALLED = 4_000;
/** Members that join at once. */
const LANES = 16;
/** So long until all are subscribed, ms. */
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

const SIDES: Readonly<Record<Measured, (address: string, server?: string) => Promise<void>>> = {
  async ours(registry, server) {
    const address = server ?? (await findGroup(registry, NAME)).address;
    const counted = (n: number, ordinal: number) => count.add(n, ordinal);
    let left = members;
    const lane = async () => {
      while (left-- > 0) {
        const { session } = await openMember(address, {
          onFeed: (buffer, packet, end) => feed.packet(buffer, packet, end, counted),
          pace,
        });
        // No packet comes before its key: it is asked for over the same connection.
        const { generation, key } = await session.ask("subscribe");
        feed.learn(Number(generation), String(key));
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
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

async function all(done: () => boolean): Promise<void> {
  for (const end = now() + SUBSCRIBED_WITHIN; !done();) {
    if (now() > end) throw new Error("Not all members were subscribed in time");
    await pause(10);
  }
}

function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Where members connect. */
interface Connection {
  readonly side: Measured;
  readonly address: string;
  /** Of ours: a group's server in place of the one that the registry names. */
  readonly server?: string;
  readonly members: number;
}

await program({
  async connect(
    { side, address, server, members: n }: Connection,
  ) {
    members = n;
    got = Array.from({ length: n }, () => 0);
    await SIDES[side](address, server);
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
    return { p50: percentile(spans, 0.5), p99: percentile(spans, 0.99) };
  },
});
