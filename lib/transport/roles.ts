/** What the four kinds of socket do with a message; see `transport.ts` for what they promise. */

import { Buffer } from "node:buffer";
import type { Port } from "./socket.ts";
import type {
  Channel,
  Frames,
  OutFrames,
  Peer,
  Publisher,
  PublishOptions,
  ServeOptions,
  Server,
  SubscribeOptions,
  Subscriber,
} from "./transport.ts";

/** Frames of a message, without routing id and delimiter; one with more is dropped. */
const MAX_FRAMES = 8;
/** Bytes of a subscription token; a longer one is ignored. */
const MAX_TOKEN = 256;
/** Subscribing again after so many ms without a message makes another connection. */
const SILENCE_MS = 3_000;

const ZMQ_SUBSCRIBE = 6;
const ZMQ_UNSUBSCRIBE = 7;
const UNSUBSCRIBE_BYTE = 0;
const SUBSCRIBE_BYTE = 1;

/** A bound address, and what to do when the socket on it has closed. */
export interface Bound {
  readonly address: string;
  release(): Promise<void>;
}

/** The way back to the sender of one message. */
class Sender implements Peer {
  readonly routingId: Uint8Array;
  /** REQ sockets put an empty frame before the body and want it back. */
  readonly delimited: boolean;
  #id: string | undefined;

  constructor(routingId: Uint8Array, delimited: boolean) {
    this.routingId = routingId;
    this.delimited = delimited;
  }

  get id(): string {
    return this.#id ??= Buffer.from(this.routingId).toString("hex");
  }
}

/** Common to all four: closing. */
class Role implements AsyncDisposable {
  protected readonly port: Port;
  readonly #release: (() => Promise<void>) | undefined;
  #closing: Promise<void> | undefined;

  constructor(port: Port, bound?: Bound) {
    this.port = port;
    this.#release = bound?.release;
  }

  close(): Promise<void> {
    return this.#closing ??= this.port.close().then(this.#release);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export class RouterServer extends Role implements Server {
  readonly address: string;

  constructor(port: Port, bound: Bound) {
    super(port, bound);
    this.address = bound.address;
  }

  send(peer: Peer, frames: OutFrames): boolean {
    if (!(peer instanceof Sender)) return false;
    return this.port.post(
      peer.delimited ? [peer.routingId, "", ...frames] : [peer.routingId, ...frames],
    );
  }
}

/** Takes the envelope off a request. */
export function deliverRequest(frames: Frames, onMessage: ServeOptions["onMessage"]): void {
  const delimited = frames.length > 2 && frames[1].length === 0;
  const body = frames.slice(delimited ? 2 : 1);
  if (body.length <= MAX_FRAMES) onMessage(new Sender(frames[0], delimited), body);
}

export class DealerChannel extends Role implements Channel {
  send(frames: OutFrames): boolean {
    return this.port.queue(frames);
  }
}

export class XpubPublisher extends Role implements Publisher {
  readonly address: string;

  constructor(port: Port, bound: Bound) {
    super(port, bound);
    this.address = bound.address;
  }

  publish(topic: string, payload: Uint8Array | string): void {
    this.port.post([topic, payload]);
  }
}

/**
 * Applies a topic to the connection whose frame was read last; call it at once after the read.
 *
 * libzmq 4.3.5 counts connections per subscription but hands out other messages in between: after
 * one of those, "the connection read last" is the next one, and a stranger would get the topic of
 * a member. So everything that has arrived by then is dropped, until the two are level again.
 */
export function deliverSubscription(
  port: Port,
  frames: Frames,
  { onSubscribe, onUnsubscribe }: Pick<PublishOptions, "onSubscribe" | "onUnsubscribe">,
): void {
  const [frame] = frames;
  const isSubscription = frames.length === 1 && frame.length > 0 && frame[0] <= SUBSCRIBE_BYTE;
  if (!isSubscription) return port.discardArrived();
  if (frame.length > 1 + MAX_TOKEN) return;
  const token = Buffer.from(frame.subarray(1)).toString();
  const again = frame[0] === SUBSCRIBE_BYTE;
  const topic = again ? onSubscribe(token) : onUnsubscribe?.(token);
  if (topic === undefined || port.closed) return;
  port.socket.setStringOption(again ? ZMQ_SUBSCRIBE : ZMQ_UNSUBSCRIBE, topic);
}

export class XsubSubscriber extends Role implements Subscriber {
  readonly #onMessage: SubscribeOptions["onMessage"];
  #token: string | undefined;
  #heard = performance.now();

  constructor(port: Port, onMessage: SubscribeOptions["onMessage"]) {
    super(port);
    this.#onMessage = onMessage;
  }

  subscribe(token: string): void {
    const now = performance.now();
    if (now - this.#heard > SILENCE_MS) {
      this.#heard = now;
      this.port.reconnect();
    }
    if (this.#token !== undefined) this.#tell(UNSUBSCRIBE_BYTE, this.#token);
    this.#token = token;
    this.#tell(SUBSCRIBE_BYTE, token);
  }

  /** Takes a published message apart. */
  deliver(frames: Frames): void {
    this.#heard = performance.now();
    if (frames.length === 2) this.#onMessage(frames[0], frames[1]);
  }

  #tell(kind: number, token: string): void {
    this.port.post([Buffer.from([kind, ...Buffer.from(token)])]);
  }
}
