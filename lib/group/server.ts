/** A running group: frames in, the service asked, frames out. */

import type { SigningKey } from "../identity/keys.ts";
import { Refusal } from "../errors.ts";
import {
  BadRequest,
  decodeRequest,
  encodeError,
  encodeOk,
  encodeOkText,
  isOurs,
} from "../protocol/codec.ts";
import { RENEW_EVERY } from "../protocol/limits.ts";
import { parseAddress, splitRegistry } from "../protocol/names.ts";
import { GROUP_OPS } from "../protocol/schema.ts";
import { FAILED, is002 } from "../dialects/seed002.ts";
import type { Log } from "../log/log.ts";
import { Requester } from "../transport/requester.ts";
import type { Frames, OutFrames, Peer } from "../transport/transport.ts";
import { Announcer } from "./announcer.ts";
import { runCommand } from "./commands.ts";
import { Door } from "./door.ts";
import type { Keep, Rates } from "./limits.ts";
import { answer002 } from "./plain.ts";
import { type Answer, type GroupIdentity, GroupService } from "./service.ts";
import { Sessions } from "./sessions.ts";
import { type SocketOptions, Sockets } from "./sockets.ts";
import { Watchdog } from "./watchdog.ts";

/** Where log lines go. */
export interface GroupLogger {
  info(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
}

export interface GroupServerOptions extends SocketOptions {
  readonly log: Log;
  readonly identity: GroupIdentity;
  readonly key: SigningKey;
  /** Host that others reach this machine by; default the host of `address`. */
  readonly advertise?: string;
  /** `HOST:PORT` of each registry. */
  readonly registries?: readonly string[];
  /** Answer dialect 002, in which anyone can claim any user id. */
  readonly plain?: boolean;
  readonly rates?: Rates;
  readonly keep?: Keep;
  /** Resident memory at which every connection is cut, bytes; default 1 GiB. */
  readonly memoryLimit?: number;
  readonly logger: GroupLogger;
  /** The clock, ms; default `Date.now`. */
  readonly now?: () => number;
}

/** How often the log is looked through for what need not be kept, ms. */
const PRUNE_EVERY = 10_000;
const MEMORY_LIMIT = 1_073_741_824;
/** Longest JSON that is looked at before anyone proved a key on the connection, bytes. */
const MAX_UNPROVED = 16_384;

/** A running group. */
export class GroupServer implements AsyncDisposable {
  readonly name: string;
  /** `HOST:PORT` by which others reach it. */
  readonly address: string;
  /** `HOST:PORT` of the live feed. */
  readonly live: string;
  /** `HOST:PORT` of the door; empty for a group in the clear. */
  readonly door: string;
  /** Resolves when the server is closed: with the error that stopped it, if one did. */
  readonly stopped: Promise<Error | undefined>;
  readonly service: GroupService;
  readonly #options: GroupServerOptions;
  readonly #door: Door;
  readonly #watchdog: Watchdog;
  readonly #timers: ReturnType<typeof setInterval>[];
  readonly #sockets: Sockets;
  #announcer: Announcer | undefined;
  #requesters: Requester[] = [];
  #stop!: (error: Error | undefined) => void;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens log and sockets, registers, and answers from then on.
   *
   * @throws {Refusal} `name_taken`; {FolderUnusable}; {LogDamaged}; {Error} address in use
   */
  static async start(options: GroupServerOptions): Promise<GroupServer> {
    const { log, identity, now = Date.now, rates, keep } = options;
    const start = await log.open();
    let group: GroupServer | undefined;
    const service = new GroupService({
      identity,
      log,
      start,
      sessions: new Sessions(identity.id),
      now,
      ...(rates ? { rates } : {}),
      ...(keep ? { keep } : {}),
      broken: (error) => group?.fail(error),
    });
    try {
      await service.prune();
      const sockets = await Sockets.open(options, service, {
        receive: (peer, frames) => group?.receive(peer, frames),
        knock: (peer, frames) => group?.knock(peer, frames),
      });
      group = new GroupServer(options, service, sockets);
      await group.#announce();
      return group;
    } catch (error) {
      if (group) await group.close();
      else {
        await service.close();
        await log.close();
      }
      throw error;
    }
  }

  private constructor(options: GroupServerOptions, service: GroupService, sockets: Sockets) {
    this.#options = options;
    this.service = service;
    this.#sockets = sockets;
    this.name = options.identity.name;
    const { server, live, door } = sockets.addresses;
    this.address = this.#reached(server);
    this.live = this.#reached(live);
    this.door = door && this.#reached(door);
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    service.feed.open(sockets.publisher);
    const log = (line: string, user: string) => this.#line(line, user);
    this.#door = new Door(service, (peer, frames) => sockets.sendOut(peer, frames), log);
    this.#timers = [
      setInterval(() => service.feed.head(service.head), RENEW_EVERY),
      setInterval(() => void service.prune().catch((error) => this.fail(error)), PRUNE_EVERY),
    ];
    this.#watchdog = new Watchdog({
      limit: options.memoryLimit ?? MEMORY_LIMIT,
      shedUnknown: () => this.#shed(() => sockets.reopenDoor()),
      shedAll: () =>
        this.#shed(async () => {
          service.admission.forgetGuests();
          await sockets.reopenAll();
          service.feed.open(sockets.publisher);
        }),
      warn: (text) => options.logger.warn(text),
    });
  }

  #reached(address: string): string {
    const { host, port } = parseAddress(address)!;
    return `${this.#options.advertise ?? host}:${port}`;
  }

  /** A socket that cannot be opened again ends the group. */
  async #shed(cut: () => Promise<void>): Promise<void> {
    try {
      await cut();
    } catch (error) {
      this.fail(error);
    }
  }

  /** The ports bound now. */
  get ports(): { main: number; live: number; door: number } {
    const port = (address: string) => parseAddress(address)?.port ?? 0;
    return { main: port(this.address), live: port(this.live), door: port(this.door) };
  }

  async #announce(): Promise<void> {
    const { transport, identity, key, registries = [], curve, logger, now = Date.now } =
      this.#options;
    this.#requesters = registries.map((registry) =>
      new Requester({ transport, what: "the registry", ...splitRegistry(registry)! })
    );
    const { id, name, nonce, access } = identity;
    this.#announcer = new Announcer({
      announcement: {
        id,
        name,
        access,
        address: this.address,
        live: this.live,
        door: this.door,
        curve: curve?.publicKey ?? "",
        key: key.publicKey,
        nonce,
      },
      key,
      registries: this.#requesters,
      now,
      info: (text) => logger.info(text),
      warn: (text) => logger.warn(text),
    });
    await this.#announcer.start();
  }

  /** One message from a peer. Never throws. */
  receive(peer: Peer, frames: Frames): void {
    if (!isOurs(frames) && is002(frames)) {
      if (!this.#options.plain) return this.#send(peer, [FAILED]);
      const send = (reply: string) => this.#send(peer, [reply]);
      return answer002(this.service, frames, send, (line, user) => this.#line(line, user));
    }
    let id: number | null = null;
    try {
      if (frames[1]?.length > MAX_UNPROVED && !this.service.sessions.proved(peer)) {
        id = peekId(frames[1]);
        throw new Refusal("no_session", "Cannot read so long a request: say hello and prove first");
      }
      const request = decodeRequest(frames, GROUP_OPS);
      id = request.id;
      runCommand(
        {
          service: this.service,
          peer,
          size: frames[1].length,
          live: this.live,
          door: this.door,
          answer: this.#answer(peer, id),
        },
        request,
        (line, user) => this.#line(line, user),
      );
    } catch (error) {
      this.#refuse(peer, error instanceof BadRequest ? error.id : id, error);
    }
  }

  /** One message at the door. Never throws. */
  knock(peer: Peer, frames: Frames): void {
    this.#door.receive(peer, frames);
  }

  #line(line: string, user: string): void {
    this.#options.logger.info(`${line} FROM ${user}`);
  }

  #answer(peer: Peer, id: number): Answer<object | string> {
    return {
      ok: (value) =>
        this.#send(
          peer,
          typeof value === "string" ? encodeOkText(id, value) : encodeOk(id, value),
        ),
      refuse: (error) => this.#refuse(peer, id, error),
    };
  }

  #refuse(peer: Peer, id: number | null, error: unknown): void {
    if (!(error instanceof Refusal)) {
      this.#options.logger.warn(`A request failed: ${(error as Error)?.stack ?? error}`);
    }
    this.#send(peer, encodeError(id, error));
  }

  #send(peer: Peer, frames: OutFrames): void {
    this.#sockets.send(peer, frames);
  }

  /** Stops because of a failed log. */
  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#options.logger.warn(`Stopping: ${this.#failure.message}`);
    void this.close();
  }

  /** Takes the lease back, finishes what was accepted, closes sockets and log. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#announcer?.close();
    await Promise.all(this.#requesters.map((requester) => requester.close()));
    await this.service.close();
    await this.#watchdog.close();
    await this.#sockets.close();
    try {
      await this.#options.log.close();
    } catch (error) {
      this.#failure ??= error as Error;
    }
    this.#stop(this.#failure);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The id where our own client writes it, so that it need not wait for a time-out. */
function peekId(frame: Uint8Array): number | null {
  const begin = new TextDecoder().decode(frame.subarray(0, 32));
  const id = Number(/^\{"id":(\d{1,16}),/.exec(begin)?.[1]);
  return Number.isSafeInteger(id) ? id : null;
}
