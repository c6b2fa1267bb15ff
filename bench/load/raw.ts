/**
 * Load that costs next to nothing: requests encoded beforehand, written to a raw socket, a few of
 * them under way at once, acknowledgements counted by their headers.
 */

import { messageHash, signedText } from "../../lib/protocol/batch.ts";
import { MAGIC } from "../../lib/protocol/limits.ts";
import type { Message } from "../../lib/protocol/schema.ts";
import { newSigningKey } from "../../lib/identity/keys.ts";
import { midMaker } from "../../lib/identity/mids.ts";
import { zmqTransport } from "../../lib/transport/zmq.ts";
import { program } from "../programs.ts";
import { NAME, type SideName } from "../servers.ts";
import { CONNECT, encodePublish, encodeSubscribe, messageParser, PONG } from "../wire/nats.ts";
import { encodeCommand, parseReply } from "../wire/redis.ts";
import { counter, dial, pump, writeAll } from "../wire/scan.ts";
import { concat, encodeMessage } from "../wire/zmtp.ts";
import { enter, findGroup, openSession, RawRequester, type Session } from "./session.ts";

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

const TARGETS: Readonly<Record<SideName, (address: string) => Promise<Target>>> = {
  async zgroup(address) {
    const record = await findGroup(address, NAME);
    const requester = await RawRequester.open(record.address, acceptReply);
    const encode = requestMaker(await openSession(requester.ask));
    return {
      encode: (count, text) => encodeMessage([MAGIC, encode(count, text)]),
      send: (request) => requester.write(request),
    };
  },

  // The engine encrypts, in a thread of its own.
  async "zgroup-curve"(address) {
    const record = await findGroup(address, NAME);
    const transport = zmqTransport();
    const keys = transport.curveKeys();
    const key = newSigningKey();
    await enter(record, keys, key);
    let load = false;
    const asking = new Map<number, (ok: Record<string, unknown>) => void>();
    const channel = transport.connect({
      address: record.address,
      security: { serverKey: record.curve, keys },
      onMessage: (frames) => {
        if (load) return acceptReply(frames[1]);
        const { id, ok } = JSON.parse(new TextDecoder().decode(frames[1]));
        asking.get(id)?.(ok);
      },
    });
    let id = 0;
    const session = await openSession((op, fields) => {
      channel.send([MAGIC, JSON.stringify({ id: ++id, op, ...fields })]);
      return new Promise((resolve) => asking.set(id, resolve));
    }, key);
    load = true;
    const encode = requestMaker(session);
    return {
      encode: (count, text) => new TextEncoder().encode(encode(count, text)),
      send: (request) => {
        if (!channel.send([MAGIC, request])) throw new Error("The channel is full");
      },
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
function requestMaker(session: Session): (count: number, text: string) => string {
  const mid = midMaker();
  let id = 0;
  return (count, text) => {
    const messages = Array.from({ length: count }, (): Message => [mid(), text]);
    const signed = signedText(session.group, session.user, messages.map(messageHash));
    const sig = session.key.sign(signed);
    id++;
    const request = { id: id * 1_000 + count, op: "send", session: session.session, messages, sig };
    return JSON.stringify(request);
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
  async connect({ side, address }: { side: SideName; address: string }) {
    target = await TARGETS[side](address);
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
