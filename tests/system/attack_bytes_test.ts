/** A conversation cut at each byte, and changed at random, from either side. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { GROUP_REPLIES } from "../../lib/protocol/schema.ts";
import { newSigningKey, type SigningKey } from "../../lib/identity/keys.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import { type Opened, SessionClient } from "../../lib/session/client.ts";
import { encodeAnswer } from "../../lib/session/identity.ts";
import { Responder } from "../../lib/session/noise.ts";
import { HEAD, PROLOGUE } from "../../lib/session/packet.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { dice } from "../support/random.ts";
import { closing } from "../support.ts";
import { Hand } from "./attack_hand.ts";
import { greeting, message, PING, ready, Tcp, tcpServer, Wire } from "./attack_wire.ts";
import { Chatter, processWorld, program, row, sized, times } from "./attack_world.ts";
import { recordOf } from "./imposters.ts";
import { Folder } from "./world.ts";

const AT_ONCE = 16;

/** All that a good member says until its first request, of a session that is over. */
async function conversation(address: string): Promise<Buffer> {
  await using hand = await Hand.open(address);
  await hand.put(hand.seal(JSON.stringify({ id: 1, op: "prove", ...hand.proof() })));
  await hand.reply().catch(() => {});
  await hand.put(hand.seal('{"id":2,"op":"ping"}'));
  const packets = hand.sent.map((packet) => message("zg2", packet));
  return Buffer.concat([greeting(), ready(), PING, ...packets]);
}

/** Bytes changed at a few places: flipped, left out, doubled, made long, or mixed with others. */
function mutated(bytes: Buffer, random: (below: number) => number): Buffer {
  let out = bytes;
  for (let n = 1 + random(4); n > 0 && out.length > 0; n--) {
    const at = random(out.length);
    const some = 1 + random(16);
    const [before, behind] = [out.subarray(0, at), out.subarray(at)];
    switch (random(6)) {
      case 0:
        out = Buffer.from(out);
        out[at] ^= 1 << random(8);
        break;
      case 1:
        out = Buffer.from(out);
        out[at] = [0, 1, 2, 3, 4, 0x7f, 0x80, 0xff][random(8)];
        break;
      case 2:
        out = Buffer.concat([before, behind.subarray(some)]);
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at + some), behind]);
        break;
      case 4:
        out = Buffer.concat([before, Buffer.alloc(some, random(256)), behind]);
        break;
      case 5:
        out = Buffer.concat([behind, before]);
    }
  }
  return out;
}

/** Says the bytes and goes, with FIN or RST. */
async function say(address: string, bytes: Uint8Array, n: number): Promise<void> {
  // From many addresses, so that no port is used twice in a minute.
  const tcp = await Tcp.open(address, `127.0.0.${2 + n % 250}`);
  if (!tcp) return;
  await tcp.write(bytes);
  if (n % 4 > 0) return void tcp.reset();
  tcp.socket.end();
  await tcp.hungUp();
  await tcp[Symbol.asyncDispose]();
}

test("attack: bytes cut at each place and changed at random end no server", async () => {
  await closing(async (keep) => {
    const [home, own] = [keep(new Folder()).path, keep(new Folder()).path];
    const registry = await program(keep, "registry.ts", ["--port", "0", "--home", own, "--quiet"]);
    const { address: group, process } = await processWorld(keep, home);
    const [place] = registry.address.split("#");
    const lab = await processWorld(keep, own);
    const chatter = await Chatter.in(keep, lab.registries);
    const [good, anonymous] = [await conversation(group), await conversation(place)];
    let cut = 0;
    for (const [address, bytes] of [[group, good], [place, anonymous], [lab.address, good]]) {
      await times(bytes.length, AT_ONCE, (n) => {
        cut++;
        return say(address as string, (bytes as Buffer).subarray(0, n), n);
      });
    }
    const total = sized(3_000, 100_000);
    const random = dice(7);
    await times(total, AT_ONCE, (n) => {
      const [address, bytes] = [[group, good], [place, anonymous], [lab.address, good]][n % 3];
      return say(address as string, mutated(bytes as Buffer, random), n);
    });
    await chatter.hears(5);
    row("a conversation cut at each byte", { cut });
    row("a conversation changed at random", { changed: total, heard: chatter.count });
    assert.equal(chatter.lost, 0);
    for (const one of [registry.process, process, lab.process]) {
      assert.doesNotMatch(one.output, /failed/i);
    }
    for (const address of [group, place, lab.address]) {
      await using hand = await Hand.open(address);
      assert.ok(await hand.ask("ping"));
    }
  });
});

/** What a good group says to one client, as `change` lets it; `begin` is where the bytes begin. */
async function answer(
  tcp: Tcp,
  { key, group }: { key: SigningKey; group: GroupRecord },
  change: (bytes: Buffer, begin: number) => Buffer,
): Promise<void> {
  const first = Buffer.concat([greeting(), ready("ROUTER")]);
  const said = change(first, 0);
  await tcp.write(said);
  if (!said.equals(first)) return; // A good one would wait for more of it.
  const wire = await Wire.take(tcp);
  const hello = await wire?.receive();
  if (!hello) return;
  const responder = new Responder(PROLOGUE);
  responder.read(hello[1].subarray(1));
  const { message: packet, send } = responder.write(
    (hash) => encodeAnswer({ group }, (text) => key.sign(text), hash),
    HEAD.answer,
  );
  const reply = send.seal(JSON.stringify({ id: 2, ok: PROVED }), HEAD.sealed);
  await tcp.write(
    change(Buffer.concat([message("zg2", packet), message("zg2", reply)]), first.length),
  );
}

const PROVED = {
  user: "00000000-0000-8000-8000-000000000000",
  role: "member",
  epoch: "00000000-0000-4000-8000-000000000000",
  head: 1,
  at: 1,
};

test("attack: bytes cut at each place and changed at random end no user, and prove nothing", async () => {
  await closing(async (keep) => {
    const key = newSigningKey();
    const group = recordOf(key, "Lab", "127.0.0.1:1");
    const random = dice(11);
    const total = sized(1_500, 20_000);
    let n = 0;
    let longest = 0;
    const server = keep(
      await tcpServer(async (tcp) => {
        const one = n++;
        await answer(tcp, { key, group }, (bytes, begin) => {
          longest = Math.max(longest, begin + bytes.length);
          if (one >= total) return bytes.subarray(0, Math.max(0, one - total - begin));
          return begin > 0 || one % 4 === 0 ? mutated(bytes, random) : bytes;
        });
        tcp.socket.end();
      }),
    );
    let opened = 0;
    const others: Opened[] = [];
    const expected = JSON.stringify([{ group }, PROVED]);
    const ask = async () => {
      const gone = Promise.withResolvers<void>();
      const client = new SessionClient({
        transport: zmtpTransport(),
        address: server.address,
        what: "it",
        replies: GROUP_REPLIES,
        check: () => {},
        prove: () => ({ key: key.publicKey, name: "bob", sig: key.sign("") }),
        opened: (one) => {
          opened++;
          if (JSON.stringify([one.identity, one.proved]) !== expected) others.push(one);
        },
        gone: () => gone.resolve(),
      });
      const asked = client.opened(5_000).then(() => {}, () => {});
      await Promise.race([gone.promise, asked]);
      await client.close();
    };
    await times(total, 4 * AT_ONCE, ask);
    await times(longest, 4 * AT_ONCE, ask);
    // What opens has every packet whole: the change was in what stands around.
    row("a server's words cut at each byte", { cut: longest });
    row("a server's words changed at random", {
      changed: total,
      opened,
      "opened as another": 0,
    });
    assert.deepEqual(others, []);
  });
});
