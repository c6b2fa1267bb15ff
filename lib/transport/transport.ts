/**
 * What the rest of zgroup needs of a transport: messages of frames, to a server and back. The
 * engines are `zmtp/` (ours) and `libzmq/`; both pass one contract suite, nothing else knows them.
 *
 * Everything is bounded: each peer of a server has an account ({@linkcode Bounds}), and who
 * overdraws it is slowed, misses what may be dropped, or is cut, alone. `close()` twice is
 * harmless; a send after close returns false, and no callback is called any more but a server's
 * `onGone`.
 */

/** One message: its frames, each an opaque byte string. */
export type Frames = Uint8Array[];

/** What may be sent: strings go out as UTF-8. */
export type OutFrames = readonly (Uint8Array | string)[];

/** A message made ready once, to be written to many peers; see {@linkcode Server.encode}. */
export interface Encoded {
  readonly frames: OutFrames;
  /** As it goes out to a peer without an envelope. */
  readonly bytes: Uint8Array;
}

/** What one peer may hold and ask; what it takes beyond is said of each. */
export interface PeerBounds {
  /** Longest frame, bytes. Beyond: cut. */
  readonly frame: number;
  /** Bytes of one message, unfinished or whole. Beyond: cut. */
  readonly message: number;
  /** Bytes waiting to go out. Beyond half of it the peer is not read from; beyond: cut. */
  readonly out: number;
  /** Bytes waiting to go out at which what may be dropped is dropped. */
  readonly drop: number;
  /** Requests under way ({@linkcode Peer.begin}). Beyond: the peer is not read from. */
  readonly requests: number;
  /** Messages and commands a second, with a burst of twice that. Beyond: not read from for a while. */
  readonly rate: number;
  /** Bytes a second, with a burst of twice that. Beyond: not read from for a while. */
  readonly bytes: number;
}

/** What the peers of a server may hold and ask. */
export interface Bounds {
  /** A peer before {@linkcode Peer.admit}. */
  readonly stranger: PeerBounds;
  /** A peer after it. */
  readonly known: PeerBounds;
  /** Frames of one message, an envelope not counted. Beyond: cut. */
  readonly frames: number;
  /** Bytes of one command (READY above all). Beyond: cut. */
  readonly command: number;
  /** How long a connection may last before it is admitted, ms. Beyond: cut. */
  readonly admitWithin: number;
  /** Connections in all. Beyond: closed at once. */
  readonly connections: number;
  /** Connections of one IP, admitted or not: the rest is for others. Beyond: closed at once. */
  readonly connectionsPerIp: number;
  /** Connections of one IP that are not admitted. Beyond: closed at once. */
  readonly strangersPerIp: number;
  /** Connections in all that are not admitted. Beyond: the oldest that asks nothing is cut for it. */
  readonly strangers: number;
  /** Connections made by one IP a second, with a burst of four times that. Beyond: closed at once. */
  readonly connectsPerIp: number;
  /** Bytes of all accounts together. Beyond: the largest are cut. */
  readonly total: number;
}

/** A connection as a server sees it. Nothing in it is an identity of a user. */
export interface Peer {
  /** Never used again by the same server. */
  readonly id: string;
  /** IP it comes from; empty where the engine cannot tell. */
  readonly ip: string;
  /** Bytes that wait to go out to it; 0 where the engine cannot tell. */
  readonly waiting: number;
  /** False when the peer is gone; with `droppable` also when it reads too slowly. */
  send(frames: OutFrames, options?: { readonly droppable?: boolean }): boolean;
  /** The same with a message made ready before. */
  write(message: Encoded, options?: { readonly droppable?: boolean }): boolean;
  /** From now on the bounds of the known count for it. */
  admit(): void;
  /** A request of it is being served; each is followed by one {@linkcode Peer.end}. */
  begin(): void;
  end(): void;
  /** Ends the connection; what waits to go out is lost. The reason goes to the counts. */
  cut(why: string): void;
}

/** What the peers of a server hold, and what it did to them. */
export interface Accounts {
  /** Connections now. */
  readonly connections: number;
  /** Of those, not admitted. */
  readonly strangers: number;
  /** Bytes of all accounts now. */
  readonly held: number;
  /** Greatest `held` since the start. */
  readonly most: number;
  /** How often each was cut, dropped, paused or turned away, by a text such as `cut: frame too long`. */
  readonly counts: ReadonlyMap<string, number>;
}

/** A bound socket that receives messages, and answers each to the peer it came from. */
export interface Server extends AsyncDisposable {
  /** The bound `IP:PORT`, with the real port where 0 was asked for; or `ipc://PATH`, as asked for. */
  readonly address: string;
  readonly accounts: Accounts;
  encode(frames: OutFrames): Encoded;
  close(): Promise<void>;
}

export interface ServeOptions {
  /** `IP:PORT`, port 0 takes a free one; over libzmq `ipc://PATH`, too. */
  readonly address: string;
  /** Which protocol the server speaks: said to who connects before any message. */
  readonly protocol?: string;
  /** Default `DEFAULT_BOUNDS` of `bounds.ts`. */
  readonly bounds?: Bounds;
  /**
   * One call for each message, in the order of arrival, envelope removed. What it throws cuts the
   * peer and is counted, nothing else.
   */
  readonly onMessage: (peer: Peer, frames: Frames) => void;
  /** The connection is gone, for this reason. An engine that is not told calls it late, or never. */
  onGone?(peer: Peer, why: string): void;
}

/** The property of a server's READY that says which protocol it speaks above ZMTP. */
export const PROTOCOL_PROPERTY = "X-zgroup";
/** Why a channel left a server of another {@linkcode ConnectOptions.protocol}. */
export const FOREIGN = "speaks another protocol";

/** A connected socket that talks to one server. Connects again by itself, with back-off. */
export interface Channel extends AsyncDisposable {
  /** False when there is no connection, or too much waits to go out: nothing is kept then. */
  send(frames: OutFrames): boolean;
  /** Gives the connection up and makes another. */
  reconnect(why: string): void;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** `HOST:PORT`; over libzmq `ipc://PATH`, too. */
  readonly address: string;
  /** REQ puts an empty frame before each message, and takes it off each reply. Default DEALER. */
  readonly type?: "DEALER" | "REQ";
  /**
   * A server that does not say that it speaks this is left before a message goes to it, with
   * {@linkcode FOREIGN}. An engine that cannot tell does not look.
   */
  readonly protocol?: string;
  /** Longest frame, bytes; a server that sends a longer one is left. Default `MAX_PACKET`. */
  readonly maxFrame?: number;
  /** One call for each message, in order. What it throws ends the connection. */
  readonly onMessage: (frames: Frames) => void;
  /** There is a connection, a new one: nothing said on a former one counts on it. */
  onConnected?(): void;
  /** There is none any more, or a try failed, for this reason. */
  onGone?(why: string): void;
}

/** An engine: the only way to a socket. */
export interface Transport {
  readonly name: "zmtp" | "libzmq";
  /**
   * True when connections that come and go are noticed at once, on both sides, and silent ones
   * are found by PING. Otherwise `onConnected` is called once and `onGone` hardly ever.
   */
  readonly watchful: boolean;
  /** @throws {Refusal} `address_taken`, `bad_request`: which address cannot be bound, and why */
  serve(options: ServeOptions): Promise<Server>;
  /** @throws {UsageError} not an address */
  connect(options: ConnectOptions): Channel;
}
