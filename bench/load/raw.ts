/**
 * Load that costs next to nothing: requests encoded and sealed beforehand, written to a raw socket,
 * a few of them under way at once, acknowledgements counted by their headers.
 */

import { setTimeout as pause } from "node:timers/promises";
import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { program } from "../programs.ts";
import { type Measured, NAME } from "../servers.ts";
import { CONNECT, encodePublish, encodeSubscribe, messageParser, PONG } from "../wire/nats.ts";
import { encodeCommand, parseReply } from "../wire/redis.ts";
import { counter, dial, pump, writeAll } from "../wire/scan.ts";
import { concat } from "../wire/zmtp.ts";
import { findGroup, type Member, openMember } from "./session.ts";

/** Messages in one request, or in one write where a request carries one. */
const BATCH = 256;
/** Requests under way at once. */
const DEPTH = 8;

/** One side's way to encode, send and count. */
interface Target {
  /** A request of so many messages. */
  encode(count: number, text: string): Uint8Array;
  send(request: Uint8Array): Promise<void> | void;
}

let target: Target;
/** Messages acknowledged in all. */
let acknowledged = 0;
let wake: () => void = () => {};

function acknowledgement(): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no acknowledgement within 20 s")), 20_000);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

function acknowledge(messages: number): void {
  acknowledged += messages;
  wake();
}

const TARGETS: Readonly<
  Record<Measured, (address: string, server?: string) => Promise<Target>>
> = {
  async ours(address, server) {
    const record = await findGroup(address, NAME);
    const member = await openMember(server ?? record.address, { onReply: acceptReply });
    const encode = requestMaker(record.id, member);
    return {
      encode: (count, text) => member.session.seal(encode(count, text)),
      send: (request) => member.session.write(request),
    };
  },

  async redis(address) {
    const connection = await dial(address);
    void pump(connection, counter(parseReply, acknowledge));
    return {
      encode(count, text) {
        const one = encodeCommand("XADD", NAME, "*", "text", text);
        return concat(Array.from({ length: count }, () => one));
      },
      send: (request) => writeAll(connection, request),
    };
  },

  async nats(address) {
    const connection = await dial(address);
    const inbox = `_INBOX.${crypto.randomUUID()}`;
    const pong = () => void writeAll(connection, PONG);
    void pump(connection, counter(messageParser(pong), acknowledge));
    await writeAll(connection, concat([CONNECT, encodeSubscribe(inbox)]));
    const stream = { name: NAME, subjects: [NAME], storage: "file", num_replicas: 1 };
    const create = `$JS.API.STREAM.CREATE.${NAME}`;
    await writeAll(connection, encodePublish(create, inbox, JSON.stringify(stream)));
    await acknowledgement();
    return {
      encode(count, text) {
        const one = encodePublish(NAME, inbox, text);
        return concat(Array.from({ length: count }, () => one));
      },
      send: (request) => writeAll(connection, request),
    };
  },
};

/** JSON of signed `send` requests, as our client library makes them; the id says how many. */
function requestMaker(group: string, { key, user }: Member): (
  count: number,
  text: string,
) => string {
  const mid = midMaker();
  let id = 0;
  return (count, text) => {
    const messages = Array.from({ length: count }, (): Message => [mid(), text]);
    const sig = key.sign(signedText(group, user, messages.map(messageHash)));
    return JSON.stringify({ id: ++id * 1_000 + count, op: "send", messages, sig });
  };
}

const decoder = new TextDecoder();

/** A good reply begins `{"id":N,"ok":`. */
function acceptReply(body: Uint8Array): void {
  const text = decoder.decode(body.subarray(0, 48));
  const match = /^\{"id":(\d+),"ok":/.exec(text);
  if (!match) throw new Error(`The group refused: ${decoder.decode(body)}`);
  acknowledge(Number(match[1]) % 1_000);
}

await program({
  /** `server`: of ours, a group's server in place of the one that the registry at `address` names. */
  async connect(
    { side, address, server }: { side: Measured; address: string; server?: string },
  ) {
    target = await TARGETS[side](address, server);
  },

  /** So many messages a second, each by itself. */
  async paced({ rate, count, size }: { rate: number; count: number; size: number }) {
    const text = "x".repeat(size);
    const from = acknowledged;
    for (let i = 0; i < count; i++) {
      const next = pause(1_000 / rate);
      await target.send(target.encode(1, text));
      await next;
    }
    while (acknowledged - from < count) await acknowledgement();
  },

  /** Messages a second that the server acknowledges. */
  async run({ count, size }: { count: number; size: number }) {
    const text = "x".repeat(size);
    const requests: Uint8Array[] = [];
    for (let n = 0; n < count; n += BATCH) {
      requests.push(target.encode(Math.min(BATCH, count - n), text));
    }
    const from = acknowledged;
    const begin = performance.now();
    let sent = 0;
    for (const request of requests) {
      while (sent - (acknowledged - from) > (DEPTH - 1) * BATCH) await acknowledgement();
      sent += BATCH;
      await target.send(request);
    }
    while (acknowledged - from < count) await acknowledgement();
    return { rate: count / (performance.now() - begin) * 1_000, count };
  },
});
