import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Group, Registry } from "../../mod.ts";
import type { ClientSecurity, Frames, Transport } from "../../lib/transport/transport.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { closing, until } from "../support.ts";
import { Ear, userOver } from "./live_world.ts";

/** A raw connection to a feed: tells what it got, and sends any subscription. */
function listen(address: string, security?: ClientSecurity) {
  const got: Frames[] = [];
  const subscriber = zmqTransport().subscribe({
    address,
    ...(security ? { security } : {}),
    onMessage: (topic, payload) => void got.push([topic, payload]),
  });
  return Object.assign(subscriber, { got });
}

/** The engine, noting each token that is sent to a feed and each topic that comes from it. */
function noting(tokens: string[], topics: Set<string>): Transport {
  const whole = zmqTransport();
  return {
    curve: whole.curve,
    curveKeys: () => whole.curveKeys(),
    serve: (options) => whole.serve(options),
    connect: (options) => whole.connect(options),
    publish: (options) => whole.publish(options),
    subscribe: (options) => {
      const subscriber = whole.subscribe({
        ...options,
        onMessage: (topic, payload) => {
          topics.add(new TextDecoder().decode(topic));
          options.onMessage(topic, payload);
        },
      });
      return {
        subscribe: (token) => {
          tokens.push(token);
          subscriber.subscribe(token);
        },
        close: () => subscriber.close(),
        [Symbol.asyncDispose]: () => subscriber.close(),
      };
    },
  };
}

for (const kind of ["plain", "encrypted"] as const) {
  test(`a stranger on the feed of a group that is ${kind} receives no byte`, () =>
    closing(async (keep) => {
      const registry = keep(await Registry.start({ port: 0 }));
      const registries = [registry.address];
      const lab = keep(
        await Group.start({ name: "Lab", registries, plain: kind === "plain", rate: Infinity }),
      );
      const [{ record }] = await (async () => {
        await using asker = userOver({ registries, name: "asker" });
        return await asker.list();
      })();
      const serverKey = record!.curve;
      assert.equal(serverKey !== "", kind === "encrypted");

      const tokens: string[] = [];
      const topics = new Set<string>();
      const transport = noting(tokens, topics);
      const curve = transport.curveKeys();
      const alice = keep(userOver({ transport, registries, name: "alice" }));
      const mallory = keep(userOver({ transport, registries, name: "mallory", curve }));
      await alice.join("Lab");
      await mallory.join("Lab");
      const ear = keep(new Ear(alice, "Lab", { after: 0 }));
      const former = keep(new Ear(mallory, "Lab", { after: 0 }));
      await alice.send("Lab", "first");
      await former.hears("first");
      await until(() => topics.size > 0, 5_000, "a topic");

      // A member's own token works on a raw connection: what follows can fail.
      const security = (keys = zmqTransport().curveKeys()) =>
        serverKey ? { serverKey, keys } : undefined;
      const witness = keep(listen(lab.live, security(curve)));
      witness.subscribe(tokens[1]);
      await until(() => witness.got.length > 0, 5_000, "the head on a member's raw connection");

      await mallory.leave("Lab");
      await alice.send("Lab", "second");
      await ear.hears("second");
      await until(() => topics.size > 1, 5_000, "another topic");
      const heard = witness.got.length;

      // Whom the group never saw, and the former member with its keys.
      const known = ["", ...tokens, ...topics];
      const random = Array.from({ length: 20 }, () => randomBytes(16).toString("base64url"));
      const wanted = [...known, ...random, "{", "\0", "x".repeat(300), "a", "b", "c"];
      const own = tokens[0]; // Alice's: a secret that only she and the group know
      const strangers = wanted.filter((token) => token !== own).map((token, i) => {
        const stranger = keep(listen(lab.live, security(i % 2 === 0 ? curve : undefined)));
        stranger.subscribe(token);
        return stranger;
      });
      // Each connection was read before a member's that came later is served.
      const late = keep(userOver({ registries, name: "late" }));
      await late.join("Lab");
      const last = keep(new Ear(late, "Lab", { after: 0 }));
      await last.hears("second");
      for (let n = 0; n < 100; n++) await alice.send("Lab", `secret ${n}`);
      await ear.hears("secret 99");
      await last.hears("secret 99");

      assert.deepEqual(strangers.map(({ got }) => got.length), strangers.map(() => 0));
      assert.equal(witness.got.length, heard, "the former member's connection is silent");
    }));
}
