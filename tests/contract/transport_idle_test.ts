import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import * as zmq from "zeromq";
import { encodeCommand } from "../../lib/transport/zmtp/codec.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { counted, echo, talker } from "./transport.ts";
import { Wire } from "./wire.ts";

/** With ZGROUP_FULL=1 until the silent are cut; otherwise until they are asked. */
const FULL = process.env.ZGROUP_FULL === "1";

test("zmtp: silent peers are pinged, those that stay silent are cut", async () => {
  await closing(async (keep) => {
    const transport = zmtpTransport();
    const server = keep(await echo(transport));
    const socket = new zmq.Dealer({ linger: 0, sendTimeout: 0, receiveTimeout: 0 });
    keep({ [Symbol.asyncDispose]: () => Promise.resolve(socket.close()) });
    socket.connect(`tcp://${server.address}`);
    await socket.send("hello");
    const channel = await keep(talker(transport, server.address)).ready();
    await channel.ask("hello");

    // Peers are looked at in the order in which they came: the old one, which must get none, first.
    const wires: Wire[] = [];
    for (const minor of [0, 1, 1]) wires.push(keep(await Wire.open(server.address, { minor })));
    const [old, silent, answers] = wires;
    for (const wire of wires) wire.send(Uint8Array.of(0, 1, 97));
    const pings = (wire: Wire) => wire.got.filter(([what]) => what === "PING").length;
    const begin = performance.now();
    await until(() => pings(silent) === 1 && pings(answers) === 1, 14_000, "PINGs");
    assert.ok(performance.now() - begin > 6_900, "a PING that came too early");
    answers.send(encodeCommand("PONG", new Uint8Array(0)));
    assert.equal(pings(old), 0);
    if (FULL) {
      await silent.end(20_000);
      assert.ok(performance.now() - begin > 14_000, "a cut that came too early");
      assert.equal(pings(silent), 2);
    }
    assert.equal(counted(server, "cut: silent"), FULL ? 1 : 0);
    assert.deepEqual([answers.closed, old.closed, pings(old)], [false, false, 0]);
    assert.deepEqual(channel.life, ["connected"]);
    assert.equal(server.accounts.connections, FULL ? 4 : 5);
    await channel.ask("still there");
  });
});
