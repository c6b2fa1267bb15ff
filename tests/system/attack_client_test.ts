/** Hostile servers: what they answer, push and pour ends no user and no other group of it. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { connect } from "../../mod.ts";
import { BadReply, Refusal } from "../../lib/errors.ts";
import { GROUP_REPLIES, type Ops, REGISTRY_REPLIES } from "../../lib/protocol/schema.ts";
import { SessionClient, type SessionClientOptions } from "../../lib/session/client.ts";
import { sealingKey } from "../../lib/session/noise.ts";
import { feedPacket } from "../../lib/session/packet.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import {
  command,
  frame,
  greeting,
  message,
  PING,
  property,
  ready,
  tcpServer,
} from "./attack_wire.ts";
import { Chatter, Counts, row, sized, times, world } from "./attack_world.ts";
import { EPOCH, GOOD, GOOD_OF_REGISTRY, hostileServer, KEY } from "./hostile.ts";
import { Folder } from "./world.ts";

/** Fields that may be left out: nothing in their place is no misfit. */
const OPTIONAL = new Set(["prove ticket", "ping hash", "members banned"]);

const MISFITS: readonly unknown[] = [
  undefined,
  null,
  -1,
  0.5,
  2 ** 53,
  1e308,
  "x",
  "x".repeat(10_000),
  {},
  { __proto__: null, x: [] },
  [[]],
  [null],
  Array(1_000).fill({ x: 1 }),
  [{ first: 1 }],
  { length: 2 ** 32 },
];

function client(address: string, more: Partial<SessionClientOptions<typeof GROUP_REPLIES>> = {}) {
  return clientOf(address, GROUP_REPLIES, more);
}

function clientOf<T extends Ops>(
  address: string,
  replies: T,
  more: Partial<SessionClientOptions<T>> = {},
): SessionClient<T> {
  const transport = zmtpTransport();
  return new SessionClient({ transport, address, what: "it", replies, check: () => {}, ...more });
}

const TABLES: readonly (readonly [string, Ops, typeof GOOD | typeof GOOD_OF_REGISTRY])[] = [
  ["group", GROUP_REPLIES, GOOD],
  ["registry", REGISTRY_REPLIES, GOOD_OF_REGISTRY],
];

for (const [who, replies, good] of TABLES) {
  test(`attack: a ${who}'s reply that does not fit its op is refused, and says whose field it is`, () =>
    closing(async (keep) => {
      let next = "";
      const server = await hostileServer(keep, (session, { id }) => {
        session.reply(next.replace('"ID"', String(id)));
      });
      const asking = keep(clientOf(server.address, replies));
      const answered = async (op: string, ok: unknown) => {
        next = JSON.stringify({ id: "ID", ok });
        return await asking.request(op, {}, 2_000).then(() => undefined, (error: unknown) => error);
      };
      const counts = new Counts();
      for (const [op, fields] of Object.entries(good)) {
        assert.equal(await answered(op, { ...fields, later: 1 }), undefined, op);
        for (const field of Object.keys(fields)) {
          for (const value of MISFITS) {
            const error = await answered(op, { ...fields, [field]: value });
            counts.add(error instanceof Error ? error.name : "ok");
            if (error === undefined) continue;
            assert.ok(error instanceof BadReply, String(error));
            const begin = `Cannot use the answer of it at ${server.address}: ${op}: ${field}`;
            assert.ok(error.message.startsWith(begin), error.message);
          }
          // Nothing, and what is no value of any field.
          for (const value of [OPTIONAL.has(`${op} ${field}`) ? null : undefined, [[]]]) {
            const error = await answered(op, { ...fields, [field]: value });
            assert.ok(error instanceof BadReply, `${op} ${field}: ${error}`);
          }
        }
      }
      row(`replies of a ${who} with a field that does not fit`, counts.all);
    }));
}

test("attack: a refusal that is none ends nothing", async () => {
  await closing(async (keep) => {
    const refusals = [null, 7, "no", {}, { code: "x" }, {
      code: 7,
      message: 7,
      retry_after: 1e308,
    }];
    let next: unknown;
    const server = await hostileServer(keep, (session, { id }) => {
      session.reply(JSON.stringify({ id, error: next }));
    });
    const asking = keep(client(server.address));
    for (next of refusals) {
      const code = await asking.request("ping", {}, 300).then(
        () => "ok",
        (error: unknown) =>
          error instanceof Refusal ? `${error.code} ${(error.retryAfter ?? 0) <= 3_600_000}` : "",
      );
      assert.ok(code === "" || code === "internal true", code);
    }
  });
});

test("attack: rubbish in a session, and feed frames that do not fit, are passed by", async () => {
  await closing(async (keep) => {
    const key = sealingKey(Buffer.from(KEY, "base64url"));
    let counter = 0;
    const texts = [
      ...MISFITS.map((value) => JSON.stringify(value) ?? ""),
      ...["epoch", "head", "from", "batches", "typing"].flatMap((field) =>
        MISFITS.map((value) => JSON.stringify({ epoch: EPOCH, [field]: value }))
      ),
      "{",
      '{"push":"feed","generation":-1,"key":7}',
      '{"push":"x"}',
      '{"id":1e99,"ok":{}}',
      `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`,
      "[".repeat(500_000),
      "\0".repeat(1_000),
    ];
    const rounds = sized(1, 30);
    const server = await hostileServer(keep, (session, { id, op }) => {
      if (op !== "subscribe") return void session.reply(JSON.stringify({ id, ok: GOOD.ping }));
      session.reply(JSON.stringify({ id, ok: GOOD.subscribe }));
      const feed = (generation: number, at: number, text: string) =>
        session.feed(server.encodeFeed(feedPacket(key, generation, at, text)));
      for (const text of texts) {
        session.push(text);
        feed(1, counter++, text);
        // Of a generation that nobody gave, and with a counter that was.
        feed(9, counter, text);
        feed(1, 0, text);
      }
      feed(1, counter++, JSON.stringify({ epoch: EPOCH, head: 7_000 + counter }));
    });
    const frames: { head?: number }[] = [];
    let lost = 0;
    const asking = keep(
      client(server.address, {
        feed: (one) => frames.push(one),
        gone: () => void lost++,
      }),
    );
    for (let round = 0; round < rounds; round++) {
      await asking.request("subscribe", {});
      const good = () => (frames.at(-1)?.head ?? 0) === 7_000 + counter;
      await until(good, 20_000, "a good frame");
    }
    assert.ok(await asking.request("ping", {}));
    row("rubbish in a session and on the feed", {
      said: rounds * texts.length * 4,
      taken: frames.length - rounds,
      lost,
    });
    // Taken is what fits: an optional field that is absent, any whole number, an empty list.
    assert.ok(frames.length < rounds * 30);
    assert.equal(lost, 0);
  });
});

test("attack: a hostile group takes nothing from a user's other groups, whatever it answers", async () => {
  await closing(async (keep) => {
    const { registries } = await world(keep, keep(new Folder()).path);
    const user = await connect({ name: "alice", registries });
    await user.join("Lab");
    let n = 0;
    const server = await hostileServer(keep, (session, { id, op }) => {
      const good = new Map(Object.entries(GOOD)).get(String(op)) ?? {};
      n++;
      // Good for a while, so that it becomes a member there; then one field after the other is not.
      const fields = Object.keys(good);
      const ok = n % 3 && n > 6
        ? { ...good, [fields[n % fields.length]]: MISFITS[n % MISFITS.length] }
        : good;
      session.reply(n % 11 ? JSON.stringify({ id, ok }) : "{");
      if (n % 17 === 16) session.cut("as it likes");
    });
    await user.join(server.address);
    const chatter = keep(new Chatter(user));
    await chatter.start();
    const counts = new Counts();
    const stop = new AbortController();
    const following = (async () => {
      while (!stop.signal.aborted) {
        try {
          for await (const _ of user.follow("Evil", { after: 0, signal: stop.signal })) {
            counts.add("entry");
          }
        } catch (error) {
          counts.add((error as Error).name);
          await user.join(server.address).catch(() => {});
        }
      }
    })();
    await times(sized(40, 1_000), 8, async (i) => {
      const asks = [
        () => user.members("Evil"),
        () => user.topic("Evil"),
        () => user.send("Evil", "x", { within: 200 }),
        () => user.invite("Evil"),
        () => user.act("Evil", { action: "topic", topic: "x" }),
      ];
      counts.add(await asks[i % asks.length]().then(() => "ok", (error: Error) => error.name));
    });
    stop.abort();
    await following;
    await chatter.hears(5);
    row("a hostile group among a user's", { requests: n, ...counts.all, heard: chatter.count });
    assert.equal(chatter.lost, 0);
  });
});

const begin = Buffer.concat([greeting(), ready("ROUTER")]);
const many = (bytes: Uint8Array) =>
  Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));

/** Well-formed and of no use: read and thrown away, as long as it pours. */
const THROWN_AWAY = new Set(["resets of no kind", "feed packets"]);

/** What a server pours over a client after its first bytes; none: it says no more. */
const POURS: Record<string, readonly [Uint8Array, (() => Uint8Array)?]> = {
  "endless MORE": [begin, () => many(frame(new Uint8Array(1_000), 1))],
  "endless empty MORE": [begin, () => many(frame(new Uint8Array(0), 1))],
  "a frame that claims 2^62 bytes": [begin, () => Buffer.from("023fffffffffffffff", "hex")],
  "frames of 1 MB with MORE": [begin, () => frame(new Uint8Array(1_000_000), 1)],
  "READY of 1 MB": [
    greeting(),
    () => ready("ROUTER", many(property("X", "y")).subarray(0, 1_000_000)),
  ],
  "commands": [begin, () => many(command("SUBSCRIBE", randomBytes(20)))],
  "PING": [begin, () => many(PING)],
  "messages": [begin, () => many(message("zg2", "x"))],
  "resets of no kind": [begin, () => many(message("zg2", Buffer.alloc(4_000)))],
  "feed packets": [begin, () => many(message("zg2", Buffer.alloc(1_000, 4)))],
  "rubbish": [new Uint8Array(0), () => randomBytes(65_536)],
  "ZMTP 2": [greeting("NULL", 2)],
  "CURVE": [greeting("CURVE")],
  "PUB": [Buffer.concat([greeting(), ready("PUB")])],
  "half a greeting": [greeting().subarray(0, 30)],
  "nothing": [new Uint8Array(0)],
};

test("attack: what a server pours over a client makes it leave, and costs it little", async () => {
  await closing(async (keep) => {
    const { registries } = await world(keep, keep(new Folder()).path);
    const chatter = await Chatter.in(keep, registries);
    const MOST = sized(24, 256) * 1_048_576;
    await times(Object.keys(POURS).length, 8, async (i) => {
      const [what, [first, more]] = Object.entries(POURS)[i];
      let poured = 0;
      let came = 0;
      let left = 0;
      const wanted = sized(1, 12);
      const server = keep(
        await tcpServer(async (tcp) => {
          came++;
          await tcp.write(first);
          for (let one = 0; more && one < MOST;) {
            const bytes = more();
            if (!await tcp.write(bytes)) break;
            poured += bytes.length;
            one += bytes.length;
          }
          if (THROWN_AWAY.has(what)) tcp.socket.destroy();
          await tcp.hungUp();
          left++;
        }),
      );
      const asking = keep(client(server.address));
      const codes = new Counts();
      while (left < wanted) {
        codes.add(await asking.request("ping", {}, 1_000).then(() => "ok", (error) => error.name));
      }
      await asking.close();
      row(`${what}, poured over a client`, { connections: came, ...codes.all, bytes: poured });
      assert.deepEqual(Object.keys(codes.all), ["Unreachable"]);
      // The system takes some MB that nobody reads.
      assert.ok(THROWN_AWAY.has(what) || poured / came < MOST, `${what}: ${poured} bytes`);
    });
    await chatter.hears(3);
    assert.equal(chatter.lost, 0);
  });
});
