/** Attackers who use libzmq itself: python3-zmq as a process, and npm:zeromq. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as zmq from "zeromq";
import { closing } from "../support.ts";
import { codeOf, Hand } from "./attack_hand.ts";
import { Chatter, processWorld, program, row, sized } from "./attack_world.ts";
import { Process } from "./processes.ts";
import { bare, Folder } from "./world.ts";

const PYTHON = ["/usr/bin/python3", "python3"].find((python) =>
  spawnSync(python, ["-c", "import zmq"]).status === 0
);

test("attack: sockets of python3-zmq of every kind change nothing", {
  skip: PYTHON === undefined && "python3-zmq is not installed",
}, async () => {
  await closing(async (keep) => {
    const lab = await processWorld(keep, keep(new Folder()).path);
    const home = keep(new Folder()).path;
    const registry = await program(keep, "registry.ts", ["--port", "0", "--home", home, "--quiet"]);
    const chatter = await Chatter.in(keep, lab.registries);
    // Its own libzmq ends with an assertion when one process makes too many sockets.
    const [rounds, processes] = [10, sized(1, 20)];
    for (const [what, one] of Object.entries({ group: lab, registry })) {
      const script = fileURLToPath(new URL("python/attacker.py", import.meta.url));
      const done = new Map<string, number>();
      for (let i = 0; i < processes; i++) {
        await using attacker = new Process([PYTHON!, script, bare(one.address), String(rounds)]);
        // Never where a server that it attacks does not close a socket.
        const line = await attacker.line(/^DONE/, 60_000);
        for (const [, kind, count] of line.matchAll(/(\w+)=(\d+)/g)) {
          done.set(kind, (done.get(kind) ?? 0) + Number(count));
        }
      }
      row(`python3-zmq at the ${what}`, { ...Object.fromEntries(done), heard: chatter.count });
      assert.equal(done.size, 7);
      await using hand = await Hand.open(bare(one.address), { from: "127.0.0.77" });
      assert.equal(await codeOf(hand.ask("ping")), "ok");
      assert.doesNotMatch(one.process.output, /A request failed/);
    }
    await chatter.hears(5);
    assert.equal(chatter.lost, 0);
  });
});

test("attack: sockets of npm:zeromq that send anything change nothing", async () => {
  await closing(async (keep) => {
    const lab = await processWorld(keep, keep(new Folder()).path);
    const chatter = await Chatter.in(keep, lab.registries);
    const many = sized(2_000, 50_000);
    const messages = [
      [""],
      ["zg2"],
      Array<string>(9).fill("zg2"),
      Array<string>(200).fill(""),
      ["zg2", new Uint8Array(1)],
      ["zg2", new Uint8Array(33).fill(1)],
      ["zg2", new Uint8Array(100).fill(3)],
      ["zg2", new Uint8Array(5_000)],
      ["zg1", '{"id":1,"op":"ping"}'],
    ];
    const sockets = Array.from({ length: 9 }, () => {
      const socket = new zmq.Dealer({ linger: 0, sendTimeout: 0, receiveTimeout: 0 });
      socket.connect(`tcp://${lab.address}`);
      return socket;
    });
    let sent = 0;
    for (let i = 0; i < many; i++) {
      // One kind of message from each, so that one that is cut hides no other.
      await sockets[i % 9].send(messages[i % 9]).then(() => sent++, () => {});
    }
    await chatter.hears(5);
    for (const socket of sockets) socket.close();
    await using hand = await Hand.member(lab.address);
    assert.equal(await codeOf(hand.send("still here")), "ok");
    row("npm:zeromq at the group", { sent, heard: chatter.count });
    assert.ok(sent > 500);
    assert.equal(chatter.lost, 0);
    assert.doesNotMatch(lab.process.output, /A request failed/);
  });
});
