/** The three sockets of a group, opened together, and opened anew one by one to cut their peers. */

import { parseAddress } from "../protocol/names.ts";
import type {
  CurveKeys,
  Frames,
  OutFrames,
  Peer,
  Publisher,
  ServeOptions,
  Server,
  Transport,
} from "../transport/transport.ts";
import { DOOR_FRAME } from "./door.ts";
import type { GroupService } from "./service.ts";

/** Where the sockets are bound; what they are handed. */
export interface SocketOptions {
  readonly transport: Transport;
  /** `IP:PORT` of the commands; port 0 takes a free one. */
  readonly address: string;
  /** Port of the live feed; a free one when this is taken. */
  readonly livePort?: number;
  /** Port of the door; a free one when this is taken. */
  readonly doorPort?: number;
  /** The CURVE pair; absent: everything in the clear, and no door. */
  readonly curve?: CurveKeys;
}

/** Who gets what arrives. Must not throw. */
export interface Receivers {
  /** A message to the commands. */
  receive(peer: Peer, frames: Frames): void;
  /** A message at the door. */
  knock(peer: Peer, frames: Frames): void;
}

/** See the head of this file. */
export class Sockets implements AsyncDisposable {
  readonly #options: SocketOptions;
  readonly #service: GroupService;
  readonly #receivers: Receivers;
  readonly #host: string;
  #server!: Server;
  #publisher!: Publisher;
  #door: Server | undefined;
  #closed = false;

  /** All or none: what was opened is closed when one cannot be. @throws {Refusal} `address_taken` */
  static async open(
    options: SocketOptions,
    service: GroupService,
    receivers: Receivers,
  ): Promise<Sockets> {
    const sockets = new Sockets(options, service, receivers);
    try {
      await sockets.#open();
      return sockets;
    } catch (error) {
      await sockets.close();
      throw error;
    }
  }

  private constructor(options: SocketOptions, service: GroupService, receivers: Receivers) {
    this.#options = options;
    this.#service = service;
    this.#receivers = receivers;
    this.#host = parseAddress(options.address)?.host ?? "127.0.0.1";
  }

  async #open(): Promise<void> {
    const { address, livePort = 0, doorPort = 0, curve } = this.#options;
    this.#server = await this.#serve(address);
    this.#publisher = await orFree(livePort, (port) => this.#publish(`${this.#host}:${port}`));
    if (!curve) return;
    this.#door = await orFree(doorPort, (port) => this.#attend(`${this.#host}:${port}`));
  }

  /** Bound `IP:PORT` of each; `door` empty for a group in the clear. */
  get addresses(): { readonly server: string; readonly live: string; readonly door: string } {
    return {
      server: this.#server.address,
      live: this.#publisher.address,
      door: this.#door?.address ?? "",
    };
  }

  get publisher(): Publisher {
    return this.#publisher;
  }

  /** To a peer of the commands. */
  send(peer: Peer, frames: OutFrames): void {
    this.#server.send(peer, frames);
  }

  /** To a peer at the door. */
  sendOut(peer: Peer, frames: OutFrames): void {
    this.#door?.send(peer, frames);
  }

  /** Cuts every peer at the door. @throws {Refusal} it cannot be bound again */
  async reopenDoor(): Promise<void> {
    if (!this.#door || this.#closed) return;
    const { address } = this.#door;
    await this.#door.close();
    this.#door = await this.#unlessClosed(this.#attend(address));
  }

  /** Cuts every peer of every socket; members come back with their keys and tokens. */
  async reopenAll(): Promise<void> {
    await this.reopenDoor();
    if (this.#closed) return;
    const { server, live } = this.addresses;
    await this.#server.close();
    this.#server = await this.#unlessClosed(this.#serve(server));
    if (this.#closed) return;
    await this.#publisher.close();
    this.#publisher = await this.#unlessClosed(this.#publish(live));
  }

  async #unlessClosed<T extends Server | Publisher>(opening: Promise<T>): Promise<T> {
    const opened = await opening;
    if (this.#closed) await opened.close();
    return opened;
  }

  #serve(address: string): Promise<Server> {
    const admit = (key: string) => this.#service.admission.admits(key);
    return this.#options.transport.serve({
      address,
      ...this.#secured(admit),
      onMessage: (peer, frames) => this.#receivers.receive(peer, frames),
    });
  }

  #attend(address: string): Promise<Server> {
    const { admission, now } = this.#service;
    const admit = (_: string, ip: string) => admission.admitsToDoor(ip, now());
    return this.#options.transport.serve({
      address,
      ...this.#secured(admit),
      maxFrame: DOOR_FRAME,
      highWaterMark: 16,
      onMessage: (peer, frames) => this.#receivers.knock(peer, frames),
    });
  }

  #publish(address: string): Promise<Publisher> {
    const { admission, feed } = this.#service;
    return this.#options.transport.publish({
      address,
      ...this.#secured((key) => admission.admitsToFeed(key)),
      onSubscribe: (token) => feed.topicFor(token),
      onUnsubscribe: (token) => feed.formerTopic(token),
    });
  }

  #secured(admit: (key: string, ip: string) => boolean): Pick<ServeOptions, "security"> {
    const { curve } = this.#options;
    return curve ? { security: { keys: curve, admit } } : {};
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#door?.close();
    await this.#server?.close();
    await this.#publisher?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What opens at the port, or at a free one when that is taken. */
async function orFree<T>(port: number, open: (port: number) => Promise<T>): Promise<T> {
  try {
    return await open(port);
  } catch (error) {
    if (port === 0) throw error;
    return open(0);
  }
}
