import assert from "node:assert/strict";
import { MAX_FRAME } from "../../lib/transport/socket.ts";
import type { ClientSecurity, Server } from "../../lib/transport/transport.ts";
import { until } from "../support.ts";
import { ask, check, echo, listener, LOCAL, text } from "./transport.ts";

await check("CURVE carries requests and a feed", async (keep, transport) => {
  const [keys, own] = [transport.curveKeys(), transport.curveKeys()];
  const asked: string[] = [];
  const security = {
    keys,
    admit(key: string, address: string) {
      asked.push(`${key} ${address}`);
      return true;
    },
  };
  const server = keep(await echo(transport, { security }));
  const client = { serverKey: keys.publicKey, keys: own };
  const channel = keep(listener(transport, server.address, client));
  assert.deepEqual(await ask(channel, "zg1", "hidden"), ["zg1", "hidden"]);
  assert.deepEqual(asked, [`${own.publicKey} 127.0.0.1`]);
  assert.ok(channel.send([new Uint8Array(MAX_FRAME)]));
  await until(() => channel.got.length === 2, 5_000, "1 MiB");

  const publisher = keep(
    await transport.publish({ address: LOCAL, security, onSubscribe: () => "topic" }),
  );
  let got = 0;
  const subscriber = keep(transport.subscribe({
    address: publisher.address,
    security: { serverKey: keys.publicKey },
    onMessage: () => void got++,
  }));
  subscriber.subscribe("x".repeat(256));
  await until(() => (publisher.publish("topic", ""), got), 5_000, "the feed");
  assert.equal(asked.length, 2);
});

await check(
  "CURVE lets in no wrong server key, no plain client, no refused key",
  async (keep, transport) => {
    const keys = transport.curveKeys();
    const refused = transport.curveKeys();
    const asked: string[] = [];
    const seen: string[] = [];
    const server: Server = keep(
      await transport.serve({
        address: LOCAL,
        security: {
          keys,
          admit(key) {
            asked.push(key);
            return key !== refused.publicKey;
          },
        },
        onMessage(peer, frames) {
          seen.push(...text(frames));
          server.send(peer, frames);
        },
      }),
    );
    const { address } = server;
    const serverKey = keys.publicKey;
    const kept = (security?: ClientSecurity) => keep(listener(transport, address, security));
    kept({ serverKey: transport.curveKeys().publicKey }).send(["wrong server key"]);
    kept().send(["plain"]);
    kept({ serverKey, keys: refused }).send(["refused"]);
    await until(() => asked.includes(refused.publicKey), 5_000, "the refused key to knock");
    await ask(kept({ serverKey }), "welcome");
    assert.deepEqual(seen, ["welcome"]);
  },
);

await check("a refused key is let in once it is admitted", async (keep, transport) => {
  const keys = transport.curveKeys();
  let [asked, admitted] = [0, false];
  const security = { keys, admit: () => (asked++, admitted) };
  const server = keep(await echo(transport, { security }));
  const publisher = keep(
    await transport.publish({ address: LOCAL, security, onSubscribe: () => "feed" }),
  );
  const client = { serverKey: keys.publicKey };
  const channel = keep(listener(transport, server.address, client));
  let heard = 0;
  const subscriber = keep(transport.subscribe({
    address: publisher.address,
    security: client,
    onMessage: () => void heard++,
  }));
  await until(() => asked === 2, 5_000, "both to be refused");
  admitted = true;
  await until(
    () => {
      channel.send(["in"]);
      subscriber.subscribe("in");
      publisher.publish("feed", "");
      return heard && channel.got.length;
    },
    10_000,
    "both to be let in",
  );
});

await check("each secured server asks its own admit, an open one none", async (keep, transport) => {
  const keys = transport.curveKeys();
  const asked = [0, 0];
  const secured = await Promise.all(
    asked.map((_, n) => echo(transport, { security: { keys, admit: () => ++asked[n] > 0 } })),
  );
  secured.forEach(keep);
  const open = keep(await echo(transport));
  const free = keep(await echo(transport, { security: { keys } }));
  const client = { serverKey: keys.publicKey };
  await ask(keep(listener(transport, secured[1].address, client)), "second");
  await ask(keep(listener(transport, open.address)), "open");
  await ask(keep(listener(transport, free.address, client)), "free");
  assert.deepEqual(asked, [0, 1]);
  for (const server of [secured[0], secured[1], free]) await server.close();
  const again = keep(await echo(transport, { security: { keys, admit: () => ++asked[0] > 0 } }));
  await ask(keep(listener(transport, again.address, client)), "again");
  assert.deepEqual(asked, [1, 1]);
});
