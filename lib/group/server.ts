/** A running group: its sockets, timers and announcing. */

import { Fenced } from "../errors.ts";
import { randomToken, type SigningKey } from "../identity/keys.ts";
import type { Log, Share } from "../log/log.ts";
import { MAX_TEXT, RENEW_EVERY } from "../protocol/limits.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import type { Pins } from "../session/registry_client.ts";
import { SessionServer } from "../session/server.ts";
import { Tickets } from "../session/ticket.ts";
import { everyStep, within } from "../structures/closing.ts";
import { harmless, type Logger } from "../structures/logger.ts";
import { parseAddress, type RegistryAddress } from "../text/addresses.ts";
import { DEFAULT_BOUNDS } from "../transport/bounds.ts";
import type { Accounts, Bounds, Transport } from "../transport/transport.ts";
import { Announcer } from "./announcer.ts";
import { dialectFront } from "./fronts/dialects.ts";
import { ownFront } from "./fronts/own.ts";
import { ServersFront } from "./fronts/servers.ts";
import { Group } from "./group.ts";
import type { GroupIdentity } from "./identity.ts";
import type { Keep, Rates } from "./limits.ts";
import { Servers } from "./servers.ts";
import { Standing } from "./standing.ts";

export interface GroupServerOptions {
  readonly transport: Transport;
  /** `IP:PORT`; port 0 takes a free one. */
  readonly address: string;
  readonly log: Log;
  readonly identity: GroupIdentity;
  readonly key: SigningKey;
  /** Of a log that several servers share: never decide. */
  readonly relayOnly?: boolean;
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
  readonly logger: Logger;
  /** The clock, ms; default `Date.now`. */
  readonly now?: () => number;
}

/** With a logger that has every level. */
type Whole = GroupServerOptions & { readonly logger: Required<Logger> };

/** What a server needs where there are others of its group. */
export interface Shared {
  readonly servers: Servers;
  readonly standing: Standing;
  readonly front: ServersFront;
}

/** How long closing waits for a log on other machines at each step, ms. */
const GIVE_UP = 2_000;
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
  readonly group: Group;
  readonly #options: Whole;
  readonly #sessions: SessionServer;
  readonly #announcer: Announcer;
  /** Of a log that several servers share. */
  readonly #shared: Shared | undefined;
  readonly #timers: ReturnType<typeof setInterval>[];
  #stop!: (error: Error | undefined) => void;
  #failure: Error | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Opens log and socket, registers, and answers from then on.
   *
   * @throws {Refusal} `name_taken`, `address_taken`; {FolderUnusable}; {LogDamaged};
   * {DiskFull}: there is no room for the first entry
   */
  static async start(given: GroupServerOptions): Promise<GroupServer> {
    const options = { ...given, logger: harmless(given.logger) };
    const { logger, log, identity, key, now = Date.now, rates, keep, plain = false } = options;
    const share = log.power("share");
    const start = await (share ? share.follow() : log.open());
    let server: GroupServer | undefined;
    const failed = (error: unknown) => logger.error(failure(error));
    const group = new Group({
      identity,
      log,
      start,
      now,
      ...(rates ? { rates } : {}),
      ...(keep ? { keep } : {}),
      encode: (packet) => server!.#sessions.encodeFeed(packet),
      line: ({ level, text, fields }) => logger[level](text, { group: identity.name, ...fields }),
      failed,
      broken: (error) => {
        if (server) server.#broken(error);
      },
      full: (now) =>
        now
          ? logger.warn("The disk of the log is full: what is sent is refused until there is room")
          : logger.info("The log is written again: its disk has room"),
      kept: (now) =>
        now
          ? logger.warn(
            "The disk of the log is full: what need not be kept is dropped when it has room",
          )
          : logger.info("What need not be kept is dropped again: the disk of the log has room"),
    });
    try {
      if (!share) await group.begin();
      const tickets = new Tickets(key.secretKey, now);
      const record = () => server!.record();
      const ticket = (user: string) => tickets.issue(user);
      const shared = share && (() => server!.#shared!);
      const own = ownFront({ group, ticket, record, failed, ...(shared ? { shared } : {}) });
      const dialects = dialectFront(group, plain);
      // Nothing arrives before the line after it has run.
      const sessions = await SessionServer.start({
        transport: options.transport,
        address: options.address,
        bounds: boundsFor(options),
        tickets,
        identity: () => ({ says: { group: record() }, sign: (text) => key.sign(text) }),
        onRequest: (session, json) => own.receive(session, json),
        onClear: (peer, frames) => dialects.receive(peer, frames),
        onGone: (session) => {
          server!.#shared?.front.gone(session);
          group.exit(session.actor?.user, session);
        },
        onLeft: (peer) => group.forget(peer.id),
        warn: (text) => logger.warn(text),
      });
      server = new GroupServer(options, group, sessions, share);
      await server.#shared?.standing.start();
      await server.#announcer.start();
      return server;
    } catch (error) {
      if (server) await server.close();
      else await everyStep(() => group.close(), () => log.close());
      throw error;
    }
  }

  private constructor(
    options: Whole,
    group: Group,
    sessions: SessionServer,
    share: Share | undefined,
  ) {
    const { identity, advertise, now = Date.now } = options;
    const { id, name, access, key, nonce } = identity;
    this.#options = options;
    this.group = group;
    this.#sessions = sessions;
    this.name = name;
    const endpoint = parseAddress(sessions.address); // None for ipc:///PATH.
    this.address = endpoint && advertise ? `${advertise}:${endpoint.port}` : sessions.address;
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#shared = share && this.#share(share);
    const server = share ? { server: randomToken() } : {};
    this.#announcer = new Announcer({
      announcement: { id, name, access, address: this.address, key, nonce, ...server },
      key: options.key,
      plain: options.plain ?? false,
      registries: options.registries ?? [],
      transport: options.transport,
      pins: options.pins,
      now,
      info: (text) => options.logger.info(text),
      warn: (text) => options.logger.warn(text),
    });
    this.#timers = [
      setInterval(() => group.announce(), RENEW_EVERY),
      setInterval(() => void group.prune().catch((error) => this.fail(error)), PRUNE_EVERY),
    ];
  }

  #share(share: Share): Shared {
    const { transport, key, relayOnly = false, logger } = this.#options;
    const { group } = this;
    const servers = new Servers(this.address);
    const standing = new Standing({
      share,
      group,
      servers,
      transport,
      key,
      relayOnly,
      info: (text) => logger.info(text),
      warn: (text) => logger.warn(text),
      broken: (error) => this.#broken(error),
    });
    return { servers, standing, front: new ServersFront(group, servers) };
  }

  /** The log failed; one that several servers share may only be another's now. */
  #broken(error: unknown): void {
    if (this.#shared && this.#closing) return; // Given up.
    if (error instanceof Fenced) this.#shared?.standing.fenced();
    else this.fail(error);
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
  record(): GroupRecord {
    return this.#announcer.record();
  }

  /** Stops because of a failed log. */
  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error));
    this.#options.logger.error(`Stopping: ${this.#failure.message}`);
    void this.close();
  }

  /**
   * Takes the lease back, finishes what was accepted, closes socket and log; `stopped` has what of it
   * failed. Never rejects.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    const { log, logger } = this.#options;
    const failed = await everyStep(
      () => this.#announcer.close(),
      ...(this.#shared ? this.#steps(this.#shared) : [() => this.group.close()]),
      () => this.#sessions.close(),
      () => log.close(),
    );
    for (const { message } of failed) logger.warn(`Closing: ${message}`);
    this.#stop(this.#failure ?? failed[0]);
  }

  /** A log on other machines may not answer: what waits for it is given up then. */
  #steps({ standing }: Shared): (() => Promise<void>)[] {
    return [
      () => within(GIVE_UP, standing.stop()),
      () => within(GIVE_UP, this.group.close()),
      () => within(GIVE_UP, standing.release()),
    ];
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
