/** What a server keeps of its sessions: from the first hello to the end of the connection. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { proofText } from "../../lib/protocol/record.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { zmtpTransport } from "../../lib/transport/zmtp/engine.ts";
import { closing, until } from "../support.ts";
import { Hand } from "../system/attack_hand.ts";
import { World } from "./session.ts";

test("session server: a second hello begins another session in place of the first, which is over", () =>
  closing(async (keep) => {
    const left: string[] = [];
    const world = keep(
      await World.start(zmtpTransport(), { onLeft: (peer) => void left.push(peer.id) }),
    );
    const open = () => [...world.server.sessions()];
    const idle = keep(await Hand.connected(world.address));
    const hand = keep(await Hand.open(world.address));
    const [first] = open();
    assert.deepEqual([open().length, first.open, first.actor], [1, true, undefined]);
    await hand.prove();
    assert.equal(first.actor?.user, hand.user);
    await hand.shake();
    const [second] = open();
    assert.deepEqual([open().length, world.gone], [1, ["renewed"]]);
    assert.equal(second.id, first.id, "of the same connection");
    assert.notEqual(second.transcript, first.transcript);
    assert.deepEqual([first.open, second.open, second.actor], [false, true, undefined]);
    // Nothing goes out of one that is over, and nothing of it ends the other.
    assert.deepEqual([first.reply("{}"), first.push("{}")], [false, false]);
    first.cut("late");
    assert.deepEqual([second.open, world.server.accounts.connections], [true, 2]);
    await hand.prove();
    await hand[Symbol.asyncDispose]();
    await until(() => left.length === 1, 5_000, "that the connection is over");
    assert.deepEqual([world.gone.length, second.open, open()], [2, false, []]);
    // Who never said hello has no session to end.
    await idle[Symbol.asyncDispose]();
    await until(() => left.length === 2, 5_000, "that the idle connection is over");
    assert.equal(world.gone.length, 2);
  }));

test("session server: one proof is looked at in a session", () =>
  closing(async (keep) => {
    const world = keep(await World.start(zmtpTransport()));
    keep(await Hand.open(world.address));
    const [session] = world.server.sessions();
    const [one, other] = [newSigningKey(), newSigningKey()];
    const sig = one.sign(proofText(session.transcript));
    assert.equal(session.prove(one.publicKey, sig), true);
    assert.equal(session.prove(one.publicKey, sig), true, "the same again");
    assert.equal(
      session.prove(other.publicKey, other.sign(proofText(session.transcript))),
      false,
      "of another key",
    );
  }));

test("session server: a cut ends a session once, before the owner goes on, and counts it", () =>
  closing(async (keep) => {
    const world = keep(await World.start(zmtpTransport()));
    const hands = [keep(await Hand.open(world.address)), keep(await Hand.open(world.address))];
    const [first, second] = world.server.sessions();
    first.cut("because");
    assert.deepEqual(world.gone, ["because"]);
    first.cut("again");
    assert.deepEqual([world.gone.length, first.open, second.open], [1, false, true]);
    assert.deepEqual([...world.server.sessions()], [second]);
    await assert.rejects(hands[0].packet(), "the server hung up");
    assert.equal((await hands[1].ask("ping")).at, 1);
    await world.server.close();
    assert.deepEqual([world.gone.length, second.open], [1, false], "closing tells nobody");
  }));
