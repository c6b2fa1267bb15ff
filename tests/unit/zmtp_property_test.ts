import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  encodeCommand,
  encodeMessage,
  encodeReady,
  GREETING,
} from "../../lib/transport/zmtp/codec.ts";
import { Decoder, type Item } from "../../lib/transport/zmtp/decoder.ts";
import { cutAt, holds } from "./properties.ts";

const BOUNDS = { frame: 400, message: 600, frames: 4, command: 300 };
const HANDSHAKE = Buffer.concat([GREETING, encodeReady("DEALER")]);

/**
 * Everything a decoder says to chunks; bytes are copied, since they may be views. After each chunk
 * its owner takes at most so many items, and the rest at the end.
 */
function said(chunks: Iterable<Uint8Array>, most = Infinity): Item[] {
  const decoder = new Decoder(BOUNDS, BOUNDS);
  const items: Item[] = [];
  const take = (most: number) => {
    for (let n = 0; n < most; n++) {
      const item = decoder.next();
      if (!item) return;
      if (item.kind === "command" && item.name === "READY") decoder.open();
      items.push(structuredClone(item));
    }
  };
  for (const chunk of chunks) {
    decoder.feed(chunk);
    take(most);
  }
  take(Infinity);
  const bound = 2 * (BOUNDS.message + BOUNDS.command + GREETING.length);
  assert.ok(decoder.held <= bound, `${decoder.held} bytes are held`);
  return items;
}

function assertWithinBounds(item: Item): void {
  if (item.kind === "command") assert.ok(item.name.length > 0 && item.data.length < BOUNDS.command);
  if (item.kind !== "message") return;
  assert.ok(item.bytes <= BOUNDS.message);
  assert.ok(item.frames.length <= BOUNDS.frames + 1);
  assert.ok(item.frames.every((frame) => frame.length <= BOUNDS.frame));
}

const places = fc.array(fc.nat(), { maxLength: 20 });
const messages = fc.array(
  fc.array(fc.uint8Array({ maxLength: 150 }), { minLength: 1, maxLength: 4 }),
  { maxLength: 8 },
);

test("zmtp property: any messages come back as they were, wherever the stream is cut", () => {
  holds(fc.tuple(messages, places), ([messages, places]) => {
    const stream = Buffer.concat([HANDSHAKE, ...messages.map(encodeMessage)]);
    const items = said(cutAt(stream, places));
    assert.deepEqual(
      items.slice(2).map((item) => item.kind === "message" && item.frames.map((f) => [...f])),
      messages.map((frames) => frames.map((frame) => [...frame])),
    );
  });
});

test("zmtp property: whatever bytes come, cuts change nothing, and nothing is thrown", () => {
  const command = fc.tuple(fc.constantFrom("READY", "PING", "X"), fc.uint8Array())
    .map(([name, data]) => encodeCommand(name, data));
  const parts = fc.oneof(
    fc.uint8Array({ maxLength: 400 }),
    command,
    messages.map((all) => Buffer.concat(all.map(encodeMessage))),
    fc.array(fc.constantFrom(0, 150, 400, 401), { minLength: 1, maxLength: 6 })
      .map((lengths) => encodeMessage(lengths.map((length) => new Uint8Array(length)))),
    fc.constantFrom(
      HANDSHAKE,
      Uint8Array.of(4, 0),
      Uint8Array.of(4, 1, 0),
      Uint8Array.of(2, 255, 255, 255, 255, 255, 255, 255, 255),
    ),
  );
  const streams = fc.tuple(fc.boolean(), fc.array(parts, { maxLength: 5 })).map(([open, all]) =>
    Buffer.concat(open ? [HANDSHAKE, ...all] : all)
  );
  holds(fc.tuple(streams, places, fc.nat({ max: 3 })), ([stream, places, most]) => {
    const whole = said([stream]);
    for (const item of whole) assertWithinBounds(item);
    assert.deepEqual(said(cutAt(stream, places)), whole);
    assert.deepEqual(said(cutAt(stream, places), most), whole);
    assert.ok(whole.slice(0, -1).every(({ kind }) => kind !== "fault"));
  });
});
