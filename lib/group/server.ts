/** A running group: requests in, the service asked, replies out. */

import { Refusal } from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import {
  BadRequest,
  decodeRequest,
  encodeError,
  encodeOk,
  encodeOkText,
} from "../protocol/codec.ts";
import { MAX_TEXT, RENEW_EVERY } from "../protocol/limits.ts";
import { parseAddress, type RegistryAddress } from "../text/addresses.ts";
import { GROUP_OPS } from "../protocol/schema.ts";
import { FAILED, is002 } from "../dialects/seed002.ts";
import type { Log } from "../log/log.ts";
import type { Pins } from "../session/registry_client.ts";
import { type Session, SessionServer } from "../session/server.ts";
import { Tickets } from "../session/ticket.ts";
import { DEFAULT_BOUNDS } from "../transport/bounds.ts";
import type { Accounts, Bounds, Frames, Peer, Transport } from "../transport/transport.ts";
import { Announcer } from "./announcer.ts";
import { runCommand } from "./commands.ts";
import type { Keep, Rates } from "./limits.ts";
import { answer002 } from "./plain.ts";
import { type Answer, type GroupIdentity, GroupService } from "./service.ts";

/** Where log lines go. */
export interface GroupLogger {
  info(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
}

export interface GroupServerOptions {
  readonly transport: Transport;
  /** `IP:PORT`; port 0 takes a free one. */
  readonly address: string;
  readonly log: Log;
  readonly identity: GroupIdentity;
  readonly key: SigningKey;
  /** Host that others reach this machine by; default the host of `address`. */
  readonly advertise?: string;
  readonly registries?: readonly RegistryAddress[];
  /** Which key each registry had at its first use. */
  readonly pins: Pins;
  /** Answer dialect 002, in which anyone can claim any user id. */
  readonly plain?: boolean;
  readonly rates?: Rates;
  readonly keep?: Keep;
  /** What peers may hold: `total` and `connections` are the machine's. Default `DEFAULT_BOUNDS`. */
  readonly bounds?: Bounds;
  readonly logger: GroupLogger;
  /** The clock, ms; default `Date.now`. */
  readonly now?: () => number;
}

/** How often the log is looked through for what need not be kept, ms. */
const PRUNE_EVERY = 10_000;
/** JSON around the text in a message of dialect 002, and what escaping it may take. */
const PLAIN_FRAME = 2 * MAX_TEXT;

/** A running group. */
export class GroupServer implements AsyncDisposable {
  readonly name: string;
  /** `HOST:PORT` by which others reach it. */
  readonly address: string;
  /** Resolves when the server is closed: with the error that stopped it, if one did. */
  readonly stopped: Promise<Error | undefined>;
  readonly service: GroupService;
  readonly #options: GroupServerOptions;
  readonly #sessions: SessionServer;
  readonly #announcer: Announcer;
  readonly #tickets: Tickets;
  readonly #timers: ReturnType<typeof setInterval>[];
  #stop!: (error: Error | undefined) => void;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens log and socket, registers, and answers from then on.
   *
   * @throws {Refusal} `name_taken`, `address_taken`; {FolderUnusable}; {LogDamaged}
   */
  static async start(given: GroupServerOptions): Promise<GroupServer> {
    const options = { ...given, logger: harmless(given.logger) };
    const { logger, transport, address, log, identity, key, now = Date.now, rates, keep } = options;
    const tickets = new Tickets(key.secretKey, now);
    const start = await log.open();
    let group: GroupServer | undefined;
    const service = new GroupService({
      identity,
      log,
      start,
      now,
      ...(rates ? { rates } : {}),
      ...(keep ? { keep } : {}),
      encode: (packet) => group!.#sessions.encodeFeed(packet),
      failed: (error) => logger.warn(failure(error)),
      broken: (error) => group?.fail(error),
      full: (now) =>
        now
          ? logger.warn("The disk of the log is full: what is sent is refused until there is room")
          : logger.info("The log is written again: its disk has room"),
    });
    try {
      await service.prune();
      // Nothing arrives before the line after it has run.
      const sessions = await SessionServer.start({
        transport,
        address,
        bounds: boundsFor(options),
        tickets,
        identity: () => ({ says: { group: group!.record() }, sign: (text) => key.sign(text) }),
        onRequest: (session, json) => group!.#receive(session, json),
        onClear: (peer, frames) => group!.#receiveClear(peer, frames),
        onGone: (session) => service.gone(session),
        onLeft: (peer) => service.left(peer),
        warn: (text) => logger.warn(text),
      });
      group = new GroupServer(options, service, sessions, tickets);
      await group.#announcer.start();
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

  private constructor(
    options: GroupServerOptions,
    service: GroupService,
    sessions: SessionServer,
    tickets: Tickets,
  ) {
    const { identity, advertise, now = Date.now } = options;
    const { id, name, access, key, nonce } = identity;
    this.#options = options;
    this.service = service;
    this.#sessions = sessions;
    this.#tickets = tickets;
    this.name = name;
    const endpoint = parseAddress(sessions.address); // None for ipc:///PATH.
    this.address = endpoint && advertise ? `${advertise}:${endpoint.port}` : sessions.address;
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#announcer = new Announcer({
      announcement: { id, name, access, address: this.address, key, nonce },
      key: options.key,
      registries: options.registries ?? [],
      transport: options.transport,
      pins: options.pins,
      now,
      info: (text) => options.logger.info(text),
      warn: (text) => options.logger.warn(text),
    });
    this.#timers = [
      setInterval(() => service.feed.head(service.head), RENEW_EVERY),
      setInterval(() => void service.prune().catch((error) => this.fail(error)), PRUNE_EVERY),
    ];
  }

  /** Its public key. */
  get key(): string {
    return this.#options.key.publicKey;
  }

  /** What the peers hold now, and what happened to them. */
  get accounts(): Accounts {
    return this.#sessions.accounts;
  }

  /** The group's signed record, as its registries and all who connect get it. */
  record(): ReturnType<Announcer["record"]> {
    return this.#announcer.record();
  }

  /** One request of a session. Never throws. */
  #receive(session: Session, json: Uint8Array): void {
    const served = session.serving();
    let id: number | null = null;
    const refuse = (error: unknown) => {
      served();
      if (!(error instanceof Refusal)) this.#options.logger.warn(failure(error));
      session.reply(encodeError(error instanceof BadRequest ? error.id : id, error));
    };
    try {
      const request = decodeRequest(json, GROUP_OPS);
      id = request.id;
      const answer: Answer<object | string> = {
        ok: (value) => {
          served();
          const text = typeof value === "string"
            ? encodeOkText(request.id, value)
            : encodeOk(request.id, value);
          session.reply(text);
        },
        refuse,
      };
      runCommand(
        {
          service: this.service,
          session,
          size: json.length,
          answer,
          ticket: (user) => this.#tickets.issue(user),
          record: () => this.record(),
        },
        request,
        (line, user) => this.#line(line, user),
      );
    } catch (error) {
      refuse(error);
    }
  }

  /** One message that is not of our protocol. */
  #receiveClear(peer: Peer, frames: Frames): void {
    if (!is002(frames)) return peer.cut("speaks no protocol known here");
    if (!this.#options.plain) return void peer.send([FAILED]);
    answer002(
      this.service,
      peer,
      frames,
      (line, user) => this.#line(line, user),
    );
  }

  #line(line: string, user: string): void {
    this.#options.logger.info(`${line} FROM ${user}`);
  }

  /** Stops because of a failed log. */
  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#options.logger.warn(`Stopping: ${this.#failure.message}`);
    void this.close();
  }

  /** Takes the lease back, finishes what was accepted, closes socket and log. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#announcer.close();
    await this.service.close();
    await this.#sessions.close();
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

/** A user of dialect 002 may begin with a long message; it proves nothing before. */
function boundsFor({ bounds = DEFAULT_BOUNDS, plain = false }: GroupServerOptions): Bounds {
  if (!plain) return bounds;
  const { stranger } = bounds;
  const frame = Math.max(stranger.frame, PLAIN_FRAME);
  return { ...bounds, stranger: { ...stranger, frame, message: frame + stranger.message } };
}

function failure(error: unknown): string {
  return `A request failed: ${(error as Error)?.stack ?? error}`;
}

/** The same logger, whose own faults end nothing here. */
function harmless(logger: GroupLogger): GroupLogger {
  const attempt = (work: () => void) => {
    try {
      work();
    } catch {
      // Where could it be told?
    }
  };
  return {
    info: (text, fields) => attempt(() => logger.info(text, fields)),
    warn: (text, fields) => attempt(() => logger.warn(text, fields)),
  };
}
