import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import {
  answerPing,
  encodeCommand,
  encodeError,
  encodeMessage,
  encodeReady,
  GREETING,
  PING,
  readError,
  readProperties,
} from "../../lib/transport/zmtp/codec.ts";
import { Decoder, type Item } from "../../lib/transport/zmtp/decoder.ts";
import { randomFrom } from "./fixtures.ts";

const BOUNDS = { frame: 70_000, message: 140_000, frames: 4, command: 300 };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const below = (random: () => number) => (end: number) => Math.floor(random() * end);
const filled = (length: number) => new Uint8Array(length).fill(length % 251);

/** What a decoder makes of chunks: items as text, so that they can be compared. */
function decode(chunks: Iterable<Uint8Array>, bounds = BOUNDS): { said: string[]; held: number } {
  const decoder = new Decoder(bounds, bounds);
  const said: string[] = [];
  let held = 0;
  for (const chunk of chunks) {
    decoder.feed(chunk);
    for (let item = decoder.next(); item; item = decoder.next()) {
      if (item.kind === "command" && item.name === "READY") decoder.open();
      said.push(say(item));
    }
    held = Math.max(held, decoder.held);
  }
  return { said, held };
}

function say(item: Item): string {
  switch (item.kind) {
    case "greeting":
      return `greeting 3.${item.minor}`;
    case "command":
      return `${item.name} ${hex(item.data)}`;
    case "message":
      return `message of ${item.bytes}: ${item.frames.map(hex)}`;
    case "fault":
      return `fault: ${item.why}`;
  }
}

const MESSAGES = [
  ["zg2", "héllo"],
  [""],
  ["", "a"],
  ["", "1", "2", "3", "4"], // four beside the delimiter
  [filled(255), filled(256)],
  [filled(70_000), filled(70_000)],
];
const HANDSHAKE = Buffer.concat([GREETING, encodeReady("DEALER")]);
const CONVERSATION = Buffer.concat([
  HANDSHAKE,
  ...MESSAGES.slice(0, 5).map(encodeMessage),
  PING,
  encodeCommand("SUBSCRIBE", filled(290)),
  encodeMessage(["last"]),
]);
const SAID = decode([CONVERSATION]).said;

test("codec: bytes are those of RFC 37", () => {
  assert.equal(hex(GREETING), `ff00000000000000007f03014e554c4c${"00".repeat(48)}`);
  assert.equal(hex(encodeMessage(["ab", "", Uint8Array.of(7)])), "0102616201000001" + "07");
  assert.equal(hex(encodeMessage([filled(256)]).subarray(0, 10)), "020000000000000100" + "05");
  assert.equal(
    hex(encodeReady("REQ")),
    "0426" + "055245414459" + "0b536f636b65742d54797065" + "00000003524551" +
      "084964656e74697479" + "00000000",
  );
  assert.equal(hex(encodeError("no")), "0409054552524f52" + "026e6f");
  assert.equal(hex(PING), "040704" + "50494e47" + "0000");
  assert.equal(hex(answerPing(Uint8Array.of(0, 9, 1, 2))!), "0407" + "04504f4e47" + "0102");
});

test("codec: a PING of more than 16 bytes of context, or without a TTL, is none", () => {
  assert.ok(answerPing(new Uint8Array(18)));
  assert.equal(answerPing(new Uint8Array(19)), undefined);
  assert.equal(answerPing(new Uint8Array(1)), undefined);
});

test("codec: property names are read whatever their case, the first one wins", () => {
  const property = (name: string, value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    return [Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)];
  };
  const data = Buffer.concat([
    ...property("SOCKET-type", "REQ"),
    ...property("Socket-Type", "PUB"),
    ...property("x-Y", ""),
  ]);
  assert.deepEqual([...readProperties(data)!], [["socket-type", "REQ"], ["x-y", ""]]);
  for (let end = 1; end < data.length; end++) {
    const cut = readProperties(data.subarray(0, end));
    const whole = [19, 38].includes(end); // between two properties
    assert.equal(cut !== undefined, whole, `cut at ${end}`);
  }
  assert.equal(readProperties(Uint8Array.of(0, 0, 0, 0, 0)), undefined);
});

test("codec: an ERROR's reason is fit to be shown", () => {
  assert.equal(readError(Uint8Array.of(3, 97, 10, 98)), "a?b");
  assert.equal(readError(Uint8Array.of(200, 97)), "a");
  assert.equal(readError(new Uint8Array(0)), "no reason");
});

test("codec: a conversation is read whole", () => {
  assert.deepEqual(SAID, [
    "greeting 3.1",
    `READY ${hex(encodeReady("DEALER").subarray(8))}`,
    ...MESSAGES.slice(0, 5).map((frames) =>
      `message of ${frames.reduce((sum, frame) => sum + Buffer.byteLength(frame), 0)}: ` +
      frames.map((frame) => hex(Buffer.from(frame as string)))
    ),
    "PING 0000",
    `SUBSCRIBE ${hex(filled(290))}`,
    `message of 4: ${hex(Buffer.from("last"))}`,
  ]);
});

test("codec: a conversation cut at each byte is the same", () => {
  for (let at = 0; at <= CONVERSATION.length; at++) {
    const chunks = [CONVERSATION.subarray(0, at), CONVERSATION.subarray(at)];
    assert.deepEqual(decode(chunks).said, SAID, `cut at ${at}`);
  }
});

test("codec: a conversation byte by byte, and in random chunks, is the same", () => {
  assert.deepEqual(decode(Array.from(CONVERSATION, (byte) => Uint8Array.of(byte))).said, SAID);
  const next = below(randomFrom(1));
  for (let round = 0; round < 300; round++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < CONVERSATION.length;) {
      const end = at + next(next(2) ? 5 : 200);
      chunks.push(CONVERSATION.subarray(at, end));
      at = end;
    }
    assert.deepEqual(decode(chunks).said, SAID);
  }
});

test("codec: what comes behind a whole message waits for its rest", () => {
  const whole = Buffer.concat([CONVERSATION, encodeMessage(["tail", filled(300)])]);
  for (let cut = 1; cut < 100; cut++) {
    const { said, held } = decode([whole.subarray(0, whole.length - cut)]);
    assert.deepEqual(said, SAID);
    assert.ok(held >= 304 - cut, `${held} bytes are held`);
  }
});

test("codec: an owner that stops between two items finds the rest later", () => {
  const decoder = new Decoder(BOUNDS, BOUNDS);
  const said: string[] = [];
  const one = () => {
    const item = decoder.next();
    if (!item) return false;
    if (item.kind === "command") decoder.open();
    return said.push(say(item)) > 0;
  };
  for (let at = 0; at < CONVERSATION.length; at += 50) {
    decoder.feed(CONVERSATION.subarray(at, at + 50));
    one();
    assert.ok(decoder.held >= decoder.unread);
  }
  while (one());
  assert.deepEqual(said, SAID);
  assert.equal(decoder.held, 0);
});

const FAULTS: [why: string, ...chunks: (Uint8Array | string)[]][] = [
  ["speaks no ZMTP, needs 3", "47"],
  ["speaks no ZMTP, needs 3", "0101"],
  ["speaks ZMTP 1, needs 3", "0100"],
  ["speaks no ZMTP, needs 3", "ff00000000000000005103"],
  ["speaks ZMTP 1, needs 3", "ff000000000000000700"],
  ["speaks ZMTP 1, needs 3", "ff00000000000000017f00"],
  ["speaks ZMTP 2, needs 3", "ff00000000000000017f01"],
  [
    "asks for the mechanism CURVE, needs NULL",
    `ff00000000000000007f03014355525645${"00".repeat(47)}`,
  ],
  ["asks for no mechanism that is known, needs NULL", `ff00000000000000007f0301${"00".repeat(52)}`],
  [
    "asks for no mechanism that is known, needs NULL",
    `ff00000000000000007f03015a5a5a5a5a${"00".repeat(47)}`,
  ],
  ["bad flags", GREETING, "08"],
  ["bad flags", GREETING, "05"],
  ["message before READY", GREETING, "0001"],
  ["command too long", GREETING, "06000000000000012d"],
  ["bad command", GREETING, "0400"],
  ["bad command", GREETING, "040100"],
  ["bad command", GREETING, "04020261"],
  ["frame too long", HANDSHAKE, "020000000000011171"],
  ["frame too long", HANDSHAKE, "03ffffffffffffffff"],
  ["message too long", HANDSHAKE, encodeMessage([filled(70_000), filled(70_000), "1"])],
  ["too many frames", HANDSHAKE, encodeMessage(["1", "2", "3", "4", "5"])],
  ["too many frames", HANDSHAKE, encodeMessage(["", "1", "2", "3", "4", "5"])],
  ["too many frames", HANDSHAKE, "0100".repeat(6)],
];

for (const [why, ...parts] of FAULTS) {
  const bytes = Buffer.concat(
    parts.map((part) => typeof part === "string" ? Buffer.from(part, "hex") : part),
  );
  const name = `${bytes.subarray(0, 12).toString("hex")}… (${bytes.length} bytes)`;
  test(`codec: says what is wrong, once: ${why} ${name}`, () => {
    const tail = Buffer.concat([bytes, HANDSHAKE]);
    for (const chunks of [[tail], Array.from(tail, (byte) => Uint8Array.of(byte))]) {
      const { said } = decode(chunks);
      assert.equal(said.at(-1), `fault: ${why}`);
      assert.equal(said.filter((one) => one.startsWith("fault")).length, 1);
    }
  });
}

test("codec: what is mutated at random is read or refused, within the bounds", () => {
  const next = below(randomFrom(7));
  const rounds = 100_000;
  const starts = [0, 10, 64, HANDSHAKE.length];
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = Uint8Array.from(CONVERSATION);
    for (let hit = 0; hit <= next(4); hit++) {
      const from = starts[next(starts.length)];
      bytes[from + next(bytes.length - from)] = next(256);
    }
    const at = next(bytes.length);
    const { said, held } = decode([bytes.subarray(0, at), bytes.subarray(at)]);
    if (said.at(-1)?.startsWith("fault")) refused++;
    assert.ok(held <= 2 * CONVERSATION.length, `${held} bytes are held`);
  }
  assert.ok(refused > rounds / 20, `only ${refused} were refused`);
});

test("codec: nothing is allocated for what a header merely claims", () => {
  const decoder = new Decoder(BOUNDS, BOUNDS);
  decoder.feed(HANDSHAKE);
  for (let item = decoder.next(); item; item = decoder.next()) decoder.open();
  decoder.feed(encodeMessage([filled(70_000)]).subarray(0, 109));
  assert.equal(decoder.next(), undefined);
  assert.ok(decoder.held <= 200, `${decoder.held} bytes for 100`);
});

test("codec: a long frame in small chunks is not copied again and again", () => {
  const bounds = { ...BOUNDS, frame: 1 << 22, message: 1 << 22 };
  const decoder = new Decoder(bounds, bounds);
  decoder.feed(HANDSHAKE);
  for (let item = decoder.next(); item; item = decoder.next()) decoder.open();
  const bytes = encodeMessage([new Uint8Array(1 << 22)]);
  const begin = performance.now();
  let item: Item | undefined;
  for (let at = 0; at < bytes.length; at += 64) {
    decoder.feed(bytes.subarray(at, at + 64));
    item = decoder.next();
    assert.ok(decoder.held <= 2 * (at + 64));
  }
  assert.equal(item?.kind, "message");
  const ms = performance.now() - begin;
  assert.ok(ms < 5_000, `took ${ms} ms; copying each time what there is would take a minute`);
});

test("codec: an unfinished message keeps no chunk alive", () => {
  const decoder = new Decoder(BOUNDS, BOUNDS);
  const start = encodeMessage(["a", "b"]).subarray(0, 3); // the first frame of two
  const chunk = Uint8Array.from(Buffer.concat([HANDSHAKE, encodeMessage([filled(60_000)]), start]));
  decoder.feed(chunk);
  for (let item = decoder.next(); item; item = decoder.next()) decoder.open();
  assert.equal(decoder.held, 1);
  decoder.feed(encodeMessage(["a", "b"]).subarray(3));
  const item = decoder.next();
  assert.ok(item?.kind === "message");
  assert.equal(item.frames[0].buffer.byteLength, 1);
});
