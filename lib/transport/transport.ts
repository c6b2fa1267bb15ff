/**
 * What the rest of zgroup needs of a transport. The engine is `zmq.ts`; nothing else knows it.
 *
 * All sockets are bounded: a frame that cannot be queued is refused at once, never kept in an
 * unbounded list. `close()` twice is harmless; a send after close returns false.
 */

/** One message: its frames, each an opaque byte string. */
export type Frames = Uint8Array[];

/** What may be sent: strings go out as UTF-8. */
export type OutFrames = (Uint8Array | string)[];

/** A CURVE key pair, both Z85, 40 characters each. */
export interface CurveKeys {
  readonly publicKey: string;
  readonly secretKey: string;
}

/** How a server proves itself and whom it lets in. */
export interface ServerSecurity {
  readonly keys: CurveKeys;
  /**
   * Asked once per connection before the first frame is read. Absent: every CURVE client may
   * enter. `key` is the client's CURVE key (Z85), `address` its IP.
   */
  admit?(key: string, address: string): boolean;
}

/** How a client reaches a CURVE server. */
export interface ClientSecurity {
  /** The server's public key, Z85. */
  readonly serverKey: string;
  /** The client's own pair; absent: a fresh one for this connection. */
  readonly keys?: CurveKeys;
}

/**
 * A connection as a server sees it. `id` is unique among the connections of this socket that
 * live now; it is NOT an identity of a user and may be reused after the connection ends.
 */
export interface Peer {
  readonly id: string;
}

/** A bound socket that receives requests and answers each to the peer it came from. */
export interface Server extends AsyncDisposable {
  /** The bound `IP:PORT`, with the real port where 0 was asked for. */
  readonly address: string;
  /** False when the peer is gone, too slow, or this server is closed: the reply is dropped. */
  send(peer: Peer, frames: OutFrames): boolean;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** `IP:PORT`; port 0 takes a free one. */
  readonly address: string;
  readonly security?: ServerSecurity;
  /**
   * One call for each message, in the order of arrival, routing id and one empty delimiter
   * removed. Must not throw. Messages of one turn of the event loop come back to back.
   */
  onMessage(peer: Peer, frames: Frames): void;
  /** Messages queued per peer inside the engine; default 1,000. */
  readonly highWaterMark?: number;
  /** Longest frame, bytes; a peer that sends a longer one is cut. Default 1 MiB. */
  readonly maxFrame?: number;
}

/** A connected socket that talks to one server. Reconnects by itself. */
export interface Channel extends AsyncDisposable {
  /** False when the outgoing queue is full or the channel is closed. */
  send(frames: OutFrames): boolean;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `host:port`. */
  readonly address: string;
  readonly security?: ClientSecurity;
  /** One call for each message, in order. Must not throw. */
  onMessage(frames: Frames): void;
  readonly highWaterMark?: number;
}

/** A bound socket whose messages go to all subscribers it admitted. */
export interface Publisher extends AsyncDisposable {
  readonly address: string;
  /** Never waits; a slow subscriber misses messages, the others do not. */
  publish(topic: string, payload: Uint8Array | string): void;
  close(): Promise<void>;
}

export interface PublishOptions {
  readonly address: string;
  readonly security?: ServerSecurity;
  /**
   * Asked for each subscription frame, with what the peer sent after 0x01. The topic returned is
   * the one applied to that connection; undefined applies none, so that the peer gets nothing.
   */
  onSubscribe(token: string): string | undefined;
  /**
   * Asked when a peer takes a subscription back, as it does before each one after its first: the
   * topic returned is taken off that connection. Absent, topics add up for as long as it lasts.
   */
  onUnsubscribe?(token: string): string | undefined;
  readonly highWaterMark?: number;
}

/** A connected socket that receives a live feed. */
export interface Subscriber extends AsyncDisposable {
  /** Sends a subscription token; sent again by itself after each reconnect. */
  subscribe(token: string): void;
  close(): Promise<void>;
}

export interface SubscribeOptions {
  readonly address: string;
  readonly security?: ClientSecurity;
  /** One call for each published message, in order. Must not throw. */
  onMessage(topic: Uint8Array, payload: Uint8Array): void;
  readonly highWaterMark?: number;
}

/** An engine: the only way to a socket. */
export interface Transport {
  /** Rejects when the address cannot be bound, with a sentence that says which and why. */
  serve(options: ServeOptions): Promise<Server>;
  connect(options: ConnectOptions): Channel;
  publish(options: PublishOptions): Promise<Publisher>;
  subscribe(options: SubscribeOptions): Subscriber;
  /** A fresh CURVE pair. Throws when the engine was built without CURVE. */
  curveKeys(): CurveKeys;
  /** True when the engine can encrypt. */
  readonly curve: boolean;
}
