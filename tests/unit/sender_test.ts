import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, Refusal } from "../../lib/errors.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import type { AskOptions } from "../../lib/user/link_options.ts";
import { Sender } from "../../lib/user/sender.ts";
import { until } from "../support.ts";
import type { OutboxEvent } from "../../lib/user/types.ts";

/** A store that keeps nothing. */
const NO_STORE = {
  ...{ pending: () => [], enqueue: () => {}, settle: () => {}, tried: () => {} },
  ...{ untried: () => new Set<string>(), kept: () => new Set<string>() },
  ...{ drop: () => {}, dropped: () => new Set<string>() },
};

const target = { id: "group", name: "Lab", address: "", key: "" };

/** A sender, what it asked and kept, and a group that answers as told. */
function setUp(
  { kept = [], answer = accept, enqueue = () => {}, settle = () => {} }: {
    kept?: Message[];
    answer?: (messages: readonly Message[], from: number) => object;
    enqueue?: () => void;
    settle?: () => void;
  } = {},
) {
  const requests: (readonly Message[])[] = [];
  const outbox = new Map(kept);
  const dropped = new Set<string>();
  const events: OutboxEvent[] = [];
  let head = 0;
  const ask = (_: string, fields: object, { asked }: AskOptions = {}): Promise<never> => {
    asked?.();
    const { messages } = fields as { messages: readonly Message[] };
    requests.push(messages);
    return new Promise((resolve) => {
      const reply = answer(messages, head + 1);
      head += messages.length;
      resolve(reply as never);
    });
  };
  const store = {
    pending: () => [...outbox],
    enqueue: (_: string, messages: readonly Message[]) => {
      enqueue();
      for (const [mid, text] of messages) outbox.set(mid, text);
    },
    tried: () => {},
    untried: () => new Set<string>(),
    kept: (_: string, mids: readonly string[]) => new Set(mids.filter((mid) => outbox.has(mid))),
    settle: (_: string, mids: readonly string[]) => {
      settle();
      for (const mid of mids) outbox.delete(mid);
    },
    drop: (_: string, mids: readonly string[]) => {
      for (const mid of mids) outbox.delete(mid);
      for (const mid of mids) dropped.add(mid);
    },
    dropped: (_: string, mids: readonly string[]) =>
      new Set(mids.filter((mid) => dropped.has(mid))),
  };
  const link = { target, state: "live" as const, ask };
  const event = (event: OutboxEvent) => void events.push(event);
  const sender = new Sender({ link, key: newSigningKey(), store, mid: midMaker(), event });
  return { sender, requests, outbox, events };
}

function accept(messages: readonly Message[], from: number): object {
  return { accepted: [{ from, count: messages.length, at: 1 }] };
}

test("sender: texts sent together go out together, in order, and leave the outbox", async () => {
  const { sender, requests, outbox, events } = setUp();
  const texts = Array.from({ length: 300 }, (_, i) => `t${i}`);
  const receipts = await Promise.all(texts.map((text) => sender.send(text, Infinity)));
  assert.deepEqual(receipts.map(({ seq }) => seq), texts.map((_, i) => i + 1));
  assert.deepEqual(requests.map(({ length }) => length), [256, 44]);
  assert.equal(outbox.size, 0);
  assert.deepEqual(events.filter(({ state }) => state === "sent").map(({ text }) => text), texts);
  await sender.close();
});

test("sender: what is sent when the last answer arrives is sent, too", async () => {
  const { sender } = setUp();
  let left = 2_000;
  const chain = async (): Promise<void> => {
    while (left-- > 0) await sender.send("next", Infinity);
  };
  await Promise.all([chain(), chain(), chain()]);
  await sender.close();
});

test("sender: messages left by another program never stand before smaller ids", async () => {
  const ahead = midMaker(undefined, () => Date.now() + 30_000)();
  const { sender, requests } = setUp({ kept: [[ahead, "left"]] });
  await sender.send("own", Infinity);
  for (const messages of requests) {
    const mids = messages.map(([mid]) => mid);
    assert.deepEqual(mids, [...new Set(mids)].sort());
  }
  assert.deepEqual(requests.flat().map(([, text]) => text), ["left", "own"]);
  await sender.close();
});

test("sender: a message that is refused does not take the others along", async () => {
  const answer = (messages: readonly Message[], from: number) => {
    if (messages.some(([, text]) => text === "bad")) throw new Refusal("bad_request", "bad");
    return accept(messages, from);
  };
  const { sender, outbox, events } = setUp({ answer });
  const sent = ["one", "bad", "two"].map((text) => sender.send(text, Infinity));
  const results = await Promise.allSettled(sent);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.deepEqual(events.filter(({ state }) => state === "failed").map(({ text }) => text), [
    "bad",
  ]);
  assert.equal(outbox.size, 0);
  await sender.close();
});

test("sender: what is sent while another message waits for its answer is kept all the same", async () => {
  const answers: (() => void)[] = [];
  const answer = (messages: readonly Message[], from: number) =>
    new Promise<object>((resolve) => answers.push(() => resolve(accept(messages, from))));
  const { sender, outbox, events } = setUp({ answer });
  const sent = [sender.send("first", Infinity)];
  await until(() => answers.length === 1, 5_000, "the first goes out");
  sent.push(sender.send("second", Infinity), sender.send("third", Infinity));
  await until(() => outbox.size === 3, 5_000, "the others are kept");
  assert.deepEqual(events.map(({ text, state }) => `${text} ${state}`), [
    "first pending",
    "second pending",
    "third pending",
  ]);
  answers[0]();
  await until(() => answers.length === 2, 5_000, "the others go out");
  answers[1]();
  assert.deepEqual((await Promise.all(sent)).map(({ seq }) => seq), [1, 2, 3]);
  assert.equal(outbox.size, 0);
  await sender.close();
});

test("sender: what is no refusal leaves the messages in the outbox", async () => {
  const answer = () => {
    throw new Closed("closed");
  };
  const { sender, outbox } = setUp({ answer });
  await assert.rejects(sender.send("kept", Infinity), { name: "Closed" });
  assert.deepEqual([...outbox.values()], ["kept"]);
  assert.equal(sender.waiting, 0);
  await sender.close();
});

test("sender: an answer that does not fit the messages is no acknowledgement", async () => {
  for (const count of [1, 3, 256]) {
    const answer = (_: readonly Message[], from: number) => ({
      accepted: [{ from, count, at: 1 }],
    });
    const { sender, outbox } = setUp({ answer });
    const sent = ["one", "two"].map((text) => sender.send(text, Infinity));
    for (const result of await Promise.allSettled(sent)) {
      assert.equal(result.status, "rejected");
      assert.equal(result.reason.name, "BadReply");
    }
    assert.deepEqual([...outbox.values()], ["one", "two"]);
    await sender.close();
  }
});

test("sender: an outbox that cannot be written fails the message, one that cannot be emptied does not", async () => {
  const full = () => {
    throw new Error("disk full");
  };
  const unkept = setUp({ enqueue: full });
  await assert.rejects(unkept.sender.send("lost", Infinity), { message: "disk full" });
  assert.deepEqual(unkept.requests, []);
  await unkept.sender.close();

  const { sender, outbox } = setUp({ settle: full });
  assert.equal((await sender.send("sent", Infinity)).seq, 1);
  assert.equal(outbox.size, 1, "sent again at the next start; the group knows it");
  await sender.close();
});

test("sender: that the group's disk is full is told once, until it has written again", async () => {
  let full = true;
  let told = 0;
  const delays = (options?: AskOptions) => {
    const refusal = new Refusal("disk_full", "Cannot write");
    for (let i = 0; full && i < 3; i++) options?.delayed?.(refusal);
    options?.delayed?.(new Refusal("rate_limited", "Cannot accept"));
  };
  const ask = (
    _: string,
    { messages }: object & { messages?: readonly Message[] },
    of?: AskOptions,
  ) => {
    delays(of);
    return Promise.resolve(accept(messages!, 1) as never);
  };
  const sender = new Sender({
    link: { target, state: "live", ask },
    key: newSigningKey(),
    store: NO_STORE,
    mid: midMaker(),
    event: () => {},
    full: () => told++,
  });
  await sender.send("a", Infinity);
  assert.equal(told, 1);
  full = false;
  await sender.send("b", Infinity);
  assert.equal(told, 1);
  full = true;
  await sender.send("c", Infinity);
  assert.equal(told, 2);
});

/** A sender of long texts, and a group that answers each request when it is told to. */
function setUpLong() {
  interface Asked {
    readonly texts: readonly string[];
    readonly after: string | undefined;
    accept(): void;
    refuse(error: Error): void;
  }
  const asked: Asked[] = [];
  let wake: () => void = () => {};
  let head = 0;
  const ask = (_: string, fields: object): Promise<never> => {
    const { messages, after } = fields as { messages: readonly Message[]; after?: string };
    return new Promise((resolve, reject) => {
      asked.push({
        texts: messages.map(([, text]) => text.slice(0, 3)),
        after,
        accept() {
          resolve(accept(messages, head + 1) as never);
          head += messages.length;
        },
        refuse: reject,
      });
      wake();
    });
  };

  const link = { target, state: "live" as const, ask };
  let n = 0;
  const mids: string[] = [];
  const make = midMaker();
  const mid = () => mids[mids.push(make()) - 1];
  const sender = new Sender({ link, key: newSigningKey(), store: NO_STORE, mid, event: () => {} });
  return {
    sender,
    mids,
    send: (count: number) =>
      Array.from({ length: count }, () => {
        const text = String(n++).padStart(3, "0").padEnd(45_000, "x");
        return sender.send(text, Infinity);
      }),
    /** The so-manieth request, once it was asked. */
    async request(i: number): Promise<Asked> {
      while (asked.length <= i) await new Promise<void>((resolve) => wake = resolve);
      return asked[i];
    },
    asked,
  };
}

test("sender: much text goes out in two requests, the second behind the first by its name", async () => {
  const { sender, mids, send, request, asked } = setUpLong();
  const sent = send(7);
  const [first, second] = [await request(0), await request(1)];
  assert.deepEqual(first.texts, ["000", "001", "002"]);
  assert.deepEqual(second.texts, ["003", "004", "005"]);
  assert.deepEqual([first.after, second.after], [undefined, mids[2]]);
  assert.equal(asked.length, 2, "no more than two are under way");
  first.accept();
  second.accept();
  const third = await request(2);
  assert.deepEqual([third.texts, third.after], [["006"], undefined], "little text waits its turn");
  third.accept();
  assert.deepEqual((await Promise.all(sent)).map(({ seq }) => seq), [1, 2, 3, 4, 5, 6, 7]);
  await sender.close();
});

test("sender: what is refused as out of order goes out again behind the request before it", async () => {
  const { sender, mids, send, request, asked } = setUpLong();
  const sent = send(6);
  const [first, second] = [await request(0), await request(1)];
  second.refuse(new Refusal("out_of_order", "no"));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(asked.length, 2, "it waits");
  first.accept();
  const again = await request(2);
  assert.deepEqual([again.texts, again.after], [["003", "004", "005"], undefined]);
  again.accept();
  const receipts = await Promise.all(sent);
  assert.deepEqual(receipts.map(({ mid, seq }) => [mid, seq]), mids.map((mid, i) => [mid, i + 1]));
  await sender.close();
});

test("sender: what is behind a request that is refused for good goes out all the same", async () => {
  const { sender, send, request } = setUpLong();
  const sent = send(6);
  const [first, second] = [await request(0), await request(1)];
  first.refuse(new Refusal("muted", "no"));
  second.refuse(new Refusal("out_of_order", "no"));
  (await request(2)).accept();
  const states = (await Promise.allSettled(sent)).map(({ status }) => status);
  const [no, yes] = ["rejected", "fulfilled"];
  assert.deepEqual(states, [no, no, no, yes, yes, yes]);
  await sender.close();
});

test("sender: who closes with two requests under way hears of both", async () => {
  const { sender, send, request } = setUpLong();
  const sent = send(8);
  const both = [await request(0), await request(1)];
  const closing = sender.close();
  for (const one of both) one.refuse(new Closed("closed"));
  const states = await Promise.allSettled(sent);
  assert.ok(states.every((state) => state.status === "rejected" && state.reason.name === "Closed"));
  await closing;
});
