import assert from "node:assert/strict";
import * as zmq from "zeromq";
import { until } from "../support.ts";
import { blockFor, check, foreign, LOCAL, text } from "./transport.ts";

await check(
  "a subscriber gets the topic its token stands for, no stranger any",
  async (keep, transport) => {
    const tokens: string[] = [];
    const topics: Record<string, string> = { member: "secret", guest: "open" };
    const publisher = keep(
      await transport.publish({
        address: LOCAL,
        onSubscribe(token) {
          tokens.push(token);
          return topics[token];
        },
      }),
    );
    const subscribe = (...said: string[]) => {
      const got: string[] = [];
      const subscriber = keep(transport.subscribe({
        address: publisher.address,
        onMessage: (topic, payload) => void got.push(text([topic, payload]).join(" ")),
      }));
      for (const token of said) subscriber.subscribe(token);
      return { subscriber, got };
    };
    const member = subscribe("member");
    const strangers = ["", "secret", "s", "x".repeat(256)].map((token) => subscribe(token));
    const tooLong = subscribe("y".repeat(257));
    await until(() => tokens.length === 5, 5_000, "the tokens");
    for (const n of [1, 2, 3]) publisher.publish("secret", `${n}`);
    await until(() => member.got.length === 3, 5_000, "the feed");
    assert.deepEqual(member.got, ["secret 1", "secret 2", "secret 3"]);

    // Order on each connection makes this a barrier: what was sent before would come first.
    const late = [...strangers, tooLong];
    for (const { subscriber } of late) subscriber.subscribe("guest");
    await until(() => tokens.length === 5 + late.length, 5_000, "the guests");
    publisher.publish("open", "day");
    for (const { got } of late) {
      await until(() => got.length, 5_000, "the open topic");
      assert.deepEqual(got, ["open day"]);
    }
    assert.ok(!tokens.some((token) => token.length > 256));
  },
);

await check(
  "a subscription sent again replaces the topic of the one before",
  async (keep, transport) => {
    let topic = "first";
    const publisher = keep(
      await transport.publish({
        address: LOCAL,
        onSubscribe: () => topic,
        onUnsubscribe: () => "first",
      }),
    );
    const got: string[] = [];
    const subscriber = keep(transport.subscribe({
      address: publisher.address,
      onMessage: (topic, payload) => void got.push(text([topic, payload]).join(" ")),
    }));
    subscriber.subscribe("token");
    await until(() => (publisher.publish("first", "1"), got.length), 5_000, "the first topic");
    topic = "second";
    subscriber.subscribe("token");
    await until(
      () => (publisher.publish("second", "2"), got.includes("second 2")),
      5_000,
      "the second topic",
    );
    const before = got.length;
    publisher.publish("first", "again");
    publisher.publish("second", "end");
    await until(() => got.at(-1) === "second end", 5_000, "the end");
    assert.ok(!got.slice(before).includes("first again"), got.join());
  },
);

await check("a subscriber that sends rubbish gets no other's topic", async (keep, transport) => {
  let admitted = 0;
  const publisher = keep(
    await transport.publish({
      address: LOCAL,
      onSubscribe(token) {
        if (token === "barrier") return "barrier";
        return token === "member" ? `secret ${admitted++}` : undefined;
      },
    }),
  );
  const got: string[] = [];
  const rude = [0, 1, 2].map(() => keep(foreign(zmq.XSubscriber, publisher.address)).socket);
  const member = keep(transport.subscribe({
    address: publisher.address,
    onMessage: (topic) => void got.push(text([topic])[0]),
  }));
  // All of it must have arrived before the publisher reads on.
  for (let round = 0; round < 20; round++) {
    await rude[0].send(round % 2 ? "rubbish" : ["two", "\x01frames"]);
    member.subscribe("member");
    await rude[1].send("\x01mine");
    await rude[2].send("\x01mine");
    blockFor(3);
  }
  await until(
    () => {
      member.subscribe("member");
      publisher.publish("secret", "first");
      for (let n = 0; n < admitted; n++) publisher.publish(`secret ${n}`, "first");
      return got.length;
    },
    10_000,
    "the feed",
  );
  for (const stranger of rude) {
    await until(
      async () => {
        await stranger.send("\x01barrier");
        publisher.publish("barrier", "");
        return stranger.readable;
      },
      5_000,
      "the barrier",
    );
    const [topic] = await stranger.receive();
    assert.equal(topic.toString(), "barrier");
  }
});

await check("a subscriber gets the feed of a publisher that restarts", async (keep, transport) => {
  const tokens: string[] = [];
  const options = (address: string) => ({
    address,
    onSubscribe(token: string) {
      tokens.push(token);
      return "feed";
    },
  });
  const first = keep(await transport.publish(options(LOCAL)));
  const got: string[] = [];
  const subscriber = keep(transport.subscribe({
    address: first.address,
    onMessage: (_, payload) => void got.push(text([payload])[0]),
  }));
  subscriber.subscribe("old");
  subscriber.subscribe("new");
  await until(() => tokens.length === 2, 5_000, "the tokens");
  first.publish("feed", "one");
  await until(() => got.includes("one"), 5_000, "the first message");
  await first.close();
  const second = keep(await transport.publish(options(first.address)));
  await until(() => tokens.length > 2, 5_000, "the token once more");
  second.publish("feed", "two");
  await until(() => got.includes("two"), 5_000, "the second message");
  assert.deepEqual(tokens, ["old", "new", "new"]);
});
