/**
 * The second engine: ROUTER and DEALER of libzmq, by npm:zeromq. The only file that imports it.
 *
 * Wanted for `ipc://` addresses. It is not for strangers: libzmq 4.3.5 ends the process by an
 * assertion for some of what a peer may do, takes messages of any number of frames into memory
 * before it hands them out, and knows nothing of rates.
 */

import * as zmq from "zeromq";
import { UsageError } from "../../errors.ts";
import { MAX_PACKET } from "../../protocol/limits.ts";
import { DEFAULT_BOUNDS } from "../bounds.ts";
import {
  type Channel,
  type ConnectOptions,
  PROTOCOL_PROPERTY,
  type ServeOptions,
  type Server,
  type Transport,
} from "../transport.ts";
import { bindError, bindWithRetries, codeOf } from "../binding.ts";
import { addressOf, checkIpc, endpointOf, IPC_REASONS, isIpc, TCP_REASONS } from "./address.ts";
import { DealerChannel } from "./channel.ts";
import { type Doorbell, type RawSocket, type Watcher, watchSockets } from "./readiness.ts";
import { RouterServer } from "./server.ts";

/** Sockets of one process; the engine's own default is 1,023. */
const MAX_SOCKETS = 10_000;
/** Each connection belongs to one of them; two reach 1,000 members a third to a half faster. */
const IO_THREADS = 2;
/** Messages that wait in the engine for one peer, each way. */
const HIGH_WATER_MARK = 1_000;
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

/** libzmq's ZMQ_METADATA, which zeromq.js has no name for: a property of the READY. */
const METADATA = 95;

/** What all classes of zeromq.js have in common here. */
interface ZmqSocket extends RawSocket {
  readonly lastEndpoint: string | null;
  /** Protected in zeromq's types. */
  setStringOption(option: number, value: string): void;
  bindSync(endpoint: string): void;
  connect(endpoint: string): void;
  disconnect(endpoint: string): void;
}
type SocketClass = new (options: object) => unknown;

let shared: Transport | undefined;

/**
 * The libzmq engine of this process: every call gives the same one.
 *
 * - Addresses are `host:port` and `ipc://PATH`; a server's `address` of the second kind is that text.
 * - A server cannot end one connection: of a peer that was cut it ignores all messages for 10 s.
 *   After that it is another peer, as if it had connected again, since one that is honest does not
 *   learn that it was cut.
 * - Peers that left are noticed at the next send to them, or forgotten when nothing was exchanged for
 *   60 s; strangers when their time is over. A peer that was forgotten and speaks is another peer.
 * - Of the bounds those of rates, commands and IPs are not kept. What waits to go out is bounded by
 *   1,000 messages, not by bytes; what may be dropped is found to be dropped only afterwards.
 * - A channel cannot see which protocol its server speaks, and talks to any.
 * - A channel counts as connected at once. It keeps 10,000 messages or 64 MiB on top of 1,000 in the
 *   engine; when none of them moves for 3 s it loses them and makes another connection.
 * - A send of a frame above the limit returns false.
 * - What is queued when a socket closes is lost. Every open socket keeps the process alive.
 */
export function libzmqTransport(): Transport {
  return shared ??= new LibzmqTransport(zmq.context, true);
}

/** An engine apart that calls no C library by itself, as where the permission for it is missing. */
export function libzmqTransportWithoutFfi(): Transport {
  return new LibzmqTransport(new zmq.Context(), false);
}

class LibzmqTransport implements Transport {
  readonly name = "libzmq";
  readonly watchful = false;
  readonly #context: zmq.Context;
  readonly #watcher: Watcher | undefined;

  constructor(context: zmq.Context, ffi: boolean) {
    context.maxSockets = MAX_SOCKETS;
    context.ioThreads = IO_THREADS;
    this.#context = context;
    this.#watcher = watchSockets(() => this.#makeDoorbell(), ffi);
  }

  async serve(options: ServeOptions): Promise<Server> {
    const { address, protocol, bounds = DEFAULT_BOUNDS } = options;
    const socket = this.#open(zmq.Router, address, {
      backlog: 1_024,
      mandatory: true,
      maxMessageSize: bounds.known.frame,
    });
    try {
      if (protocol !== undefined) {
        socket.setStringOption(METADATA, `${PROTOCOL_PROPERTY}:${protocol}`);
      }
      await bindWithRetries(async () => {
        if (isIpc(address)) await checkIpc(address);
        socket.bindSync(endpointOf(address));
      });
    } catch (error) {
      socket.close();
      throw bindError(address, error, isIpc(address) ? IPC_REASONS : TCP_REASONS);
    }
    const bound = addressOf(socket.lastEndpoint ?? address);
    return new RouterServer(socket, this.#watcher, bound, options);
  }

  connect(options: ConnectOptions): Channel {
    const { address, maxFrame = MAX_PACKET } = options;
    const socket = this.#open(zmq.Dealer, address, { ...RECONNECT, maxMessageSize: maxFrame });
    const endpoint = endpointOf(address);
    try {
      socket.connect(endpoint);
    } catch (cause) {
      socket.close();
      throw new UsageError(`Cannot connect to ${address}: it should be HOST:PORT or ipc://PATH`, {
        cause,
      });
    }
    const relink = () => {
      try {
        socket.disconnect(endpoint);
      } catch (error) {
        if (codeOf(error) !== "ENOENT") throw error; // the engine has given it up by itself
      }
      socket.connect(endpoint);
    };
    return new DealerChannel(socket, this.#watcher, relink, options);
  }

  #open(type: SocketClass, address: string, own: object): ZmqSocket {
    return this.#raw(type, {
      sendHighWaterMark: HIGH_WATER_MARK,
      receiveHighWaterMark: HIGH_WATER_MARK,
      ipv6: address.startsWith("["),
      handshakeInterval: 5_000,
      ...KEEPALIVE,
      ...own,
    });
  }

  #raw(type: SocketClass, options: object): ZmqSocket {
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
}
