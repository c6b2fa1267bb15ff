/** The transport over ZeroMQ; the only file that imports it. */

import { setTimeout } from "node:timers/promises";
import * as zmq from "zeromq";
import { Refusal, UsageError } from "../errors.ts";
import { type Doorbell, type RawSocket, type Watcher, watchSockets } from "./readiness.ts";
import {
  type Bound,
  DealerChannel,
  deliverRequest,
  deliverSubscription,
  RouterServer,
  XpubPublisher,
  XsubSubscriber,
} from "./roles.ts";
import { MAX_FRAME, Port } from "./socket.ts";
import type {
  Channel,
  ClientSecurity,
  ConnectOptions,
  CurveKeys,
  Frames,
  Publisher,
  PublishOptions,
  ServeOptions,
  Server,
  ServerSecurity,
  SubscribeOptions,
  Subscriber,
  Transport,
} from "./transport.ts";
import { ZAP_ENDPOINT, ZapHandler } from "./zap.ts";

/** Sockets of one process; the engine's own default is 1,023. */
const MAX_SOCKETS = 10_000;
/** Each connection belongs to one of them; two reach 1,000 members a third to a half faster. */
const IO_THREADS = 2;
/** Messages queued per peer where the caller names no other bound. */
const HIGH_WATER_MARK = 1_000;
/** CURVE adds 33 bytes to a frame before the engine compares it with its limit. */
const CURVE_SLACK = 33;
/** A publisher's peers send nothing but tokens and a handshake; a longer frame cuts them off. */
const MAX_SUBSCRIPTION_FRAME = 1_024;
/**
 * Finds a peer whose machine is gone within 11 s. Never ZeroMQ's own heartbeats: libzmq 4.3.5 aborts
 * the process when one is due on a connection that broke while its receive queue was full, and
 * equally when the other side's waits to be read there.
 */
const KEEPALIVE = {
  tcpKeepalive: 1,
  tcpKeepaliveIdle: 5, // s
  tcpKeepaliveInterval: 2, // s
  tcpKeepaliveCount: 3,
  tcpMaxRetransmitTimeout: 10_000, // ms
};
/**
 * A client whose network was cut is back within 3 s of its return: no try may wait for longer than
 * that. TCP alone sends a lost SYN again after 1, 2, 4, 8, 16 s.
 */
const RECONNECT = {
  reconnectInterval: 50, // ms
  reconnectMaxInterval: 500, // ms
  connectTimeout: 1_500, // ms
  handshakeInterval: 1_500, // ms
};
/** A socket closed a moment ago frees its port in the background. */
const BIND_PATIENCE_MS = 300;

type Options = Record<string, unknown>;

interface BoundSocket extends Bound {
  readonly socket: RawSocket;
}

interface Endpoint<Security> {
  readonly address: string;
  readonly security?: Security;
  readonly maxFrame?: number;
  readonly highWaterMark?: number;
}

/** What all classes of zeromq.js have in common here. */
interface ZmqSocket extends RawSocket {
  readonly lastEndpoint: string | null;
  bindSync(endpoint: string): void;
  connect(endpoint: string): void;
  disconnect(endpoint: string): void;
}
type SocketClass = new (options: object) => unknown;

let shared: Transport | undefined;

/**
 * The ZeroMQ engine of this process: every call gives the same one.
 *
 * - A frame is at most 1 MiB (1,048,576 bytes). A send with a longer one returns false; a peer
 *   that sends one is cut off, the others go on.
 * - A message of more than 8 frames is dropped.
 * - A server drops a reply at once when its peer is gone or has `highWaterMark` messages waiting;
 *   `send` returns true all the same where the engine tells only afterwards.
 * - A channel keeps 10,000 messages or 64 MiB on top of the engine's `highWaterMark`. When none
 *   of them moves for 3 s it gives the connection up, with the messages in the engine, and makes
 *   another: a server that refuses a key is asked again so.
 * - What is queued when a socket closes is lost. Every open socket keeps the process alive.
 * - What a callback throws becomes an uncaught exception; the socket reads on.
 * - A publisher may miss a subscription when another peer sends it anything else, and one that
 *   refused the key is not asked again by itself: subscribe again when the feed stays silent. After
 *   3 s of silence that makes another connection.
 */
export function zmqTransport(): Transport {
  return shared ??= new ZmqTransport(zmq.context, {});
}

/** An engine apart that calls no C library by itself, as where the permission for it is missing. */
export function zmqTransportWithoutFfi(): Transport {
  return new ZmqTransport(new zmq.Context(), { ffi: false });
}

class ZmqTransport implements Transport {
  readonly curve: boolean = zmq.capability.curve === true;
  readonly #context: zmq.Context;
  readonly #watcher: Watcher | undefined;
  readonly #zap: ZapHandler;

  constructor(context: zmq.Context, options: { ffi?: boolean }) {
    context.maxSockets = MAX_SOCKETS;
    context.ioThreads = IO_THREADS;
    this.#context = context;
    this.#watcher = watchSockets(() => this.#makeDoorbell(), options);
    this.#zap = new ZapHandler((onMessage) => this.#openZap(onMessage));
  }

  curveKeys(): CurveKeys {
    this.#requireCurve();
    return zmq.curveKeyPair();
  }

  async serve({ onMessage, ...endpoint }: ServeOptions): Promise<Server> {
    const bound = await this.#bind(zmq.Router, endpoint, { mandatory: true });
    const port = this.#port(bound.socket, (frames) => deliverRequest(frames, onMessage));
    return new RouterServer(port, bound);
  }

  connect({ onMessage, ...endpoint }: ConnectOptions): Channel {
    return new DealerChannel(this.#connect(zmq.Dealer, endpoint, onMessage));
  }

  async publish({ onSubscribe, onUnsubscribe, ...endpoint }: PublishOptions): Promise<Publisher> {
    const bound = await this.#bind(zmq.XPublisher, endpoint, {
      manual: true,
      verbosity: "allSubsUnsubs",
      maxMessageSize: MAX_SUBSCRIPTION_FRAME,
    });
    const port: Port = new Port({
      socket: bound.socket,
      watcher: this.#watcher,
      oneByOne: true,
      onMessage: (frames) => deliverSubscription(port, frames, { onSubscribe, onUnsubscribe }),
    });
    return new XpubPublisher(port, bound);
  }

  subscribe({ onMessage, ...endpoint }: SubscribeOptions): Subscriber {
    const port = this.#connect(zmq.XSubscriber, endpoint, (frames) => subscriber.deliver(frames));
    const subscriber = new XsubSubscriber(port, onMessage);
    return subscriber;
  }

  #port(socket: RawSocket, onMessage: (frames: Frames) => void): Port {
    return new Port({ socket, watcher: this.#watcher, onMessage });
  }

  async #bind(
    type: SocketClass,
    endpoint: Endpoint<ServerSecurity>,
    own: Options,
  ): Promise<BoundSocket> {
    const { address, security } = endpoint;
    const domain = security && await this.#enterZap(security);
    const release = async () => {
      if (domain !== undefined) await this.#zap.leave(domain);
    };
    let socket: ZmqSocket | undefined;
    try {
      socket = this.#open(type, endpoint, {
        backlog: 1_024,
        ...own,
        ...security && {
          curveServer: true,
          curveSecretKey: security.keys.secretKey,
          zapDomain: domain,
          zapEnforceDomain: true, // nobody enters if the handler should be missing
        },
      });
      await bindPatiently(socket, `tcp://${address}`);
      return { socket, release, address: socket.lastEndpoint?.replace("tcp://", "") ?? address };
    } catch (error) {
      socket?.close();
      await release();
      throw bindError(address, error);
    }
  }

  #connect(
    type: SocketClass,
    endpoint: Endpoint<ClientSecurity>,
    onMessage: (frames: Frames) => void,
  ): Port {
    const { address, security } = endpoint;
    if (security) this.#requireCurve();
    const keys = security && (security.keys ?? this.curveKeys());
    const socket = this.#open(type, endpoint, {
      ...RECONNECT,
      ...security && {
        curveServerKey: security.serverKey,
        curvePublicKey: keys?.publicKey,
        curveSecretKey: keys?.secretKey,
      },
    });
    try {
      socket.connect(`tcp://${address}`);
    } catch (cause) {
      socket.close();
      throw new UsageError(`Cannot connect to ${address}: it should be HOST:PORT`, { cause });
    }
    const reconnect = () => {
      socket.disconnect(`tcp://${address}`);
      socket.connect(`tcp://${address}`);
    };
    return new Port({ socket, watcher: this.#watcher, onMessage, reconnect });
  }

  #open(type: SocketClass, endpoint: Endpoint<unknown>, own: Options): ZmqSocket {
    const highWaterMark = endpoint.highWaterMark ?? HIGH_WATER_MARK;
    const common = {
      sendHighWaterMark: highWaterMark,
      receiveHighWaterMark: highWaterMark,
      maxMessageSize: (endpoint.maxFrame ?? MAX_FRAME) + (endpoint.security ? CURVE_SLACK : 0),
      ipv6: endpoint.address.startsWith("["),
      handshakeInterval: 5_000,
      ...KEEPALIVE,
    };
    try {
      return this.#raw(type, { ...common, ...own });
    } catch (cause) {
      if (codeOf(cause) !== "EINVAL" || !endpoint.security) throw cause;
      throw new UsageError("Cannot use the CURVE keys: each should be 40 characters of Z85", {
        cause,
      });
    }
  }

  #raw(type: SocketClass, options: Options): ZmqSocket {
    const socket = new type({ context: this.#context }) as ZmqSocket;
    try {
      return Object.assign(socket, {
        linger: 0,
        sendTimeout: 0,
        // On Deno a socket that waits inside zeromq.js crashes or sleeps for ever.
        ...this.#watcher && { receiveTimeout: 0 },
        ...options,
      });
    } catch (error) {
      socket.close(); // the process could not end otherwise
      throw error;
    }
  }

  #makeDoorbell(): Doorbell {
    const endpoint = `inproc://zgroup-bell-${crypto.randomUUID()}`;
    const [ear, bell] = [this.#raw(zmq.Pair, {}), this.#raw(zmq.Pair, {})];
    ear.bindSync(endpoint);
    bell.connect(endpoint);
    return { ear, bell };
  }

  #enterZap(security: ServerSecurity): Promise<string> {
    this.#requireCurve();
    return this.#zap.enter((key, address) => security.admit?.(key, address) ?? true);
  }

  async #openZap(onMessage: (frames: Frames, port: Port) => void): Promise<Port> {
    const socket = this.#raw(zmq.Router, {});
    try {
      await bindPatiently(socket, ZAP_ENDPOINT);
    } catch (error) {
      socket.close();
      throw error;
    }
    const port = this.#port(socket, (frames) => onMessage(frames, port));
    return port;
  }

  #requireCurve(): void {
    if (!this.curve) throw new UsageError("Cannot encrypt: this build of ZeroMQ has no CURVE");
  }
}

async function bindPatiently(socket: ZmqSocket, endpoint: string): Promise<void> {
  const end = performance.now() + BIND_PATIENCE_MS;
  for (;;) {
    try {
      return socket.bindSync(endpoint);
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE" || performance.now() > end) throw error;
    }
    await setTimeout(10);
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | null)?.code;
}

/** Why a bind fails, by the engine's code, as a person says it. */
const BIND_REASONS: Record<string, string> = {
  EADDRINUSE: "the address is in use; choose another port",
  EADDRNOTAVAIL: "this machine has no such address; choose one of its own",
  ENODEV: "this machine has no such address; choose one of its own",
  EACCES: "ports below 1024 need more rights; choose another port",
  EINVAL: "it should be IP:PORT",
};

function bindError(address: string, cause: unknown): unknown {
  const reason = BIND_REASONS[codeOf(cause) ?? ""];
  const code = codeOf(cause) === "EADDRINUSE" ? "address_taken" : "bad_request";
  return reason ? new Refusal(code, `Cannot bind ${address}: ${reason}`, { cause }) : cause;
}
