import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { BadReply } from "../../lib/errors.ts";
import { newSigningKey, userId } from "../../lib/identity/keys.ts";
import { encodeRequest } from "../../lib/protocol/codec.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import { encodeAnswer, transcriptOf } from "../../lib/session/identity.ts";
import { Initiator, Responder } from "../../lib/session/noise.ts";
import { decodeReset, encodeReset, HEAD, KIND, PROLOGUE } from "../../lib/session/packet.ts";
import { RawPeer, RawSession } from "../system/raw_session.ts";
import { until } from "../support.ts";
import {
  check,
  checkWatchful,
  type GroupClient,
  LOCAL,
  proofOf,
  relay,
  type Way,
  World,
} from "./session.ts";

const user = newSigningKey();
const NOTHING = new Uint8Array(0);

/** What became of the client's first try: "open", or why it failed. */
function outcome(client: GroupClient, lost: Promise<string>): Promise<string> {
  const opened = client.opened(10_000).then(() => "open", (error) => (error as Error).message);
  return Promise.race([opened, lost]);
}

await checkWatchful(
  "a handshake of which any byte was changed never opens",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const { length } = encodeAnswer(
      { group: world.record },
      (text) => world.key.sign(text),
      NOTHING,
    );
    const sizes: Record<Way, number> = { up: 1 + 32 + 52, down: 1 + 32 + length + 16 };
    const ticket = randomBytes(52);
    const attempt = async (way: Way, at: number) => {
      let first = true;
      const between = await relay(transport, world.address, (packet, going) => {
        if (going !== way || !first) return packet;
        first = false;
        assert.equal(packet.length, sizes[way]);
        packet[at] ^= 1;
        return packet;
      });
      let lose!: (why: string) => void;
      const lost = new Promise<string>((resolve) => (lose = resolve));
      const client = world.client(transport, {
        address: between.address,
        prove: proofOf(user),
        ticket: () => ticket,
        gone: lose,
      });
      assert.notEqual(await outcome(client, lost), "open", `${way}, byte ${at}`);
      await client.close();
      await between[Symbol.asyncDispose]();
    };
    const all: [Way, number][] = [];
    for (const way of ["up", "down"] as const) {
      // A kind that was changed is no longer a handshake; a reset (1 ^ 1) would only have it repeated.
      for (let at = 1; at < sizes[way]; at++) all.push([way, at]);
    }
    const workers = Array.from({ length: 8 }, async () => {
      for (let next = all.pop(); next; next = all.pop()) await attempt(...next);
    });
    await Promise.all(workers);
    assert.deepEqual(world.asked, []);
  },
);

await check(
  "a sealed packet changed, cut, replayed or out of order is not delivered",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const packets = () => {
      const initiator = new Initiator(PROLOGUE);
      return { initiator, hello: initiator.write(NOTHING, HEAD.hello) };
    };
    const attack = async (
      what: string,
      spoil: (one: Uint8Array, two: Uint8Array) => Uint8Array[],
    ) => {
      const peer = new RawPeer(world.address, transport);
      try {
        await peer.connected();
        const { initiator, hello } = packets();
        peer.send(MAGIC, hello);
        const { send } = initiator.read((await peer.next())[1].subarray(1));
        const before = world.asked.length;
        const gone = world.gone.length;
        const ping = () => send.seal(encodeRequest(1, "ping", {}), HEAD.sealed);
        const spoilt = spoil(ping(), ping());
        for (const packet of spoilt) peer.send(MAGIC, packet);
        await until(() => world.gone.length > gone, 5_000, `the end of the session: ${what}`);
        assert.equal(world.asked.length - before, spoilt.length - 1, what);
      } finally {
        await peer[Symbol.asyncDispose]();
      }
    };
    const size = 1 + Buffer.byteLength(encodeRequest(1, "ping", {})) + 16;
    for (let at = 1; at < size; at += transport.watchful ? 1 : 9) {
      await attack(`byte ${at} changed`, (one) => {
        one[at] ^= 1;
        return [one];
      });
      await attack(`cut at ${at}`, (one) => [one.subarray(0, at)]);
    }
    await attack("replayed", (one) => [one, one]);
    await attack("out of order", (_, two) => [two]);
  },
);

await checkWatchful(
  "a peer that sends what no client sends is cut, and nothing is delivered",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const long = randomBytes(1 + 32 + 53);
    long[0] = KIND.hello;
    const hello = new Initiator(PROLOGUE).write(NOTHING, HEAD.hello);
    const bad: [string, (Uint8Array | string)[]][] = [
      ["a reset", [MAGIC, encodeReset("busy")]],
      ["an answer", [MAGIC, Uint8Array.of(KIND.answer, 1, 2, 3)]],
      ["a feed packet", [MAGIC, Uint8Array.of(KIND.feed, ...randomBytes(60))]],
      ["a kind that is none", [MAGIC, Uint8Array.of(77)]],
      ["nothing", [MAGIC, NOTHING]],
      ["one frame", [MAGIC]],
      ["three frames", [MAGIC, hello, NOTHING]],
      ["another protocol", ["zg1", "{}"]],
      ["a hello cut short", [MAGIC, long.subarray(0, 32)]],
      ["a hello with half a ticket", [MAGIC, long.subarray(0, 60)]],
      ["a hello with more than a ticket", [MAGIC, long]],
      ["a hello of low order", [MAGIC, Uint8Array.of(KIND.hello, ...new Uint8Array(32))]],
    ];
    for (const [what, frames] of bad) {
      const peer = keep(new RawPeer(world.address, transport));
      await peer.connected();
      peer.send(...frames);
      await until(() => peer.ends > 0, 5_000, `the end of who sent ${what}`);
    }
    const { counts } = world.server.accounts;
    const cut = [...counts].filter(([why]) => why.startsWith("cut: ")).map(([, count]) => count);
    assert.equal(cut.reduce((sum, count) => sum + count, 0), bad.length);
    assert.deepEqual(world.asked, []);
    assert.deepEqual(world.warned, []);
  },
);

await check(
  "a sealed packet without a session is answered with a reset",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const peer = keep(new RawPeer(world.address, transport));
    await peer.connected();
    peer.send(MAGIC, Uint8Array.of(KIND.sealed, ...randomBytes(40)));
    const [, packet] = await peer.next();
    assert.equal(decodeReset(packet), "no_session");
    if (transport.watchful) {
      peer.send(MAGIC, Uint8Array.of(KIND.sealed, ...randomBytes(40)));
      await until(() => peer.ends > 0, 5_000, "the end of who goes on");
    }
    assert.deepEqual(world.asked, []);
  },
);

await check(
  "a hello once more begins another session, and the former one is over",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const session = keep(await RawSession.open(world.address, transport));
    await session.ask("ping");
    const [former] = world.server.sessions();
    await session.shake();
    assert.equal(former.open, false);
    assert.deepEqual(world.gone, ["renewed"]);
    await session.ask("ping");
    assert.notEqual(world.session?.transcript, former.transcript);
  },
);

await check(
  "a proof handed on to another server, or kept for another session, is false",
  async (keep, transport) => {
    const honest = keep(await World.start(transport));
    const evil = keep(await World.start(transport));
    const stolen: object[] = [];
    evil.before = (_, request) => {
      if (request.op === "prove") stolen.push(request);
    };
    const victim = keep(evil.client(transport, { prove: proofOf(user) }));
    await victim.opened();
    assert.equal(stolen.length, 1);

    const session = keep(await RawSession.open(honest.address, transport));
    await assert.rejects(session.ask("prove", stolen[0]), /Cannot believe it/);
    assert.equal(honest.session?.actor, undefined);
    // Of a session with the same server, made again: neither.
    const own = keep(await RawSession.open(evil.address, transport));
    await assert.rejects(own.ask("prove", stolen[0]), /Cannot believe it/);
  },
);

await check("a session looks at one proof", async (keep, transport) => {
  const world = keep(await World.start(transport));
  const session = keep(await RawSession.open(world.address, transport));
  const right = proofOf(user)(session.transcript);
  const wrong = proofOf(user)("another");
  await assert.rejects(session.ask("prove", wrong), /Cannot believe it/);
  await assert.rejects(session.ask("prove", right), /Cannot believe it/);

  const other = keep(await RawSession.open(world.address, transport));
  const proof = proofOf(user)(other.transcript);
  assert.equal((await other.ask("prove", proof)).user, userId(user.publicKey));
  assert.equal((await other.ask("prove", proof)).user, userId(user.publicKey));
  await assert.rejects(other.ask("prove", proofOf(newSigningKey())(other.transcript)), /believe/);
});

await check(
  "a man in the middle who answers himself cannot say he is the group",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const evil = newSigningKey();
    const proofs: string[] = [];
    // He has the group's record and a signature of the group's key, made in a handshake of his own.
    const own = keep(await RawSession.open(world.address, transport));
    const initiator = new Initiator(PROLOGUE);
    own.peer.send(MAGIC, initiator.write(NOTHING, HEAD.hello));
    const theirs = initiator.read((await own.peer.next())[1].subarray(1));
    const payloads: [string, (before: Uint8Array) => string][] = [
      ["another's signature", () => Buffer.from(theirs.payload).toString()],
      [
        "his own signature",
        (before) => encodeAnswer({ group: world.record }, (text) => evil.sign(text), before),
      ],
      ["a record of nobody", (before) => {
        const group = { ...world.record, key: evil.publicKey };
        return encodeAnswer({ group }, (text) => evil.sign(text), before);
      }],
    ];
    for (const [what, payload] of payloads) {
      const server = keep(
        await transport.serve({
          address: LOCAL,
          onMessage(peer, [, packet]) {
            if (packet[0] !== KIND.hello) return void proofs.push(what);
            const responder = new Responder(PROLOGUE);
            responder.read(packet.subarray(1));
            peer.send([MAGIC, responder.write(payload, HEAD.answer).message]);
          },
        }),
      );
      let checked = false;
      const client = keep(world.client(transport, {
        address: server.address,
        prove: (transcript) => proofOf(user)(transcript),
        check: () => {
          checked = true;
        },
      }));
      await assert.rejects(
        client.request("ping", {}),
        (error: unknown) =>
          error instanceof BadReply &&
          error.message.startsWith("Cannot use the answer of the group"),
        what,
      );
      assert.equal(checked, false, what);
    }
    assert.deepEqual(proofs, []);
    assert.notEqual(transcriptOf(theirs.hash), own.transcript);
  },
);

await checkWatchful(
  "a client leaves a connection on which a packet was changed, and comes back",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    let spoil = false;
    const between = keep(
      await relay(transport, world.address, (packet, way) => {
        if (!spoil || way === "up") return packet;
        spoil = false;
        packet[packet.length - 1] ^= 1;
        return packet;
      }),
    );
    const lost: string[] = [];
    const client = keep(world.client(transport, {
      address: between.address,
      gone: (why) => lost.push(why),
    }));
    await client.opened();
    spoil = true;
    await assert.rejects(client.request("ping", {}), /does not open/);
    await client.request("ping", {}, 10_000);
    assert.equal(lost[0], "a packet of it does not open");
  },
);

await checkWatchful(
  "a client leaves what does not speak the protocol, and its requests end in time",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    const strange = [["zg1", "{}"], [MAGIC], [MAGIC, ""], [MAGIC, "\x63"], [MAGIC, "\x02short"]];
    for (const frames of strange) {
      const server = keep(
        await transport.serve({ address: LOCAL, onMessage: (peer) => void peer.send(frames) }),
      );
      const gone: string[] = [];
      const client = keep(world.client(transport, {
        address: server.address,
        gone: (why) => gone.push(why),
      }));
      await assert.rejects(client.request("ping", {}, 300), /no answer within 0\.3 s \(/);
      assert.ok(gone.length > 0 && gone.length < 20, `${gone.length} tries`);
    }
  },
);

await checkWatchful(
  "a client of a server that is busy comes again, less and less often",
  async (keep, transport) => {
    const world = keep(await World.start(transport));
    let busy = 2;
    const between = keep(
      await relay(transport, world.address, (packet, way) => {
        return way === "down" && busy-- > 0 ? encodeReset("busy") : packet;
      }),
    );
    const lost: string[] = [];
    const client = keep(world.client(transport, {
      address: between.address,
      gone: (why) => lost.push(why),
    }));
    const began = performance.now();
    await client.request("ping", {}, 10_000);
    const took = performance.now() - began;
    assert.ok(took >= 125 + 250, `${took} ms`);
    assert.deepEqual(lost, [], "it waits on the connection that it has");
  },
);
