/** A running registry: its socket and timers. */

import type { SigningKey } from "../identity/keys.ts";
import { SessionServer } from "../session/server.ts";
import { type NameStore, NO_NAMES } from "../store/name_store.ts";
import { everyStep } from "../structures/closing.ts";
import { harmless, type Logger } from "../structures/logger.ts";
import { formatAddress, isEveryAddress, parseAddress } from "../text/addresses.ts";
import { ownAddresses } from "../transport/own_addresses.ts";
import type { Accounts, Bounds, Peer, Transport } from "../transport/transport.ts";
import { IDLE_AFTER, REGISTRY_BOUNDS } from "./bounds.ts";
import { dialectFront, ownFront } from "./fronts.ts";
import { isListening } from "./probe.ts";
import type { Place } from "./operations.ts";
import { Registry, type RegistryOptions } from "./registry.ts";
import type { RegistryLimits, RegistryState } from "./state.ts";

/** How often groups without a key are tried, and what is due is done, ms. */
const TICK = 2_000;
/** Most connections tried at once. */
const PROBES = 32;
/** Why a connection was ended. */
const IDLE = "asked nothing for too long";

export interface RegistryServerOptions {
  readonly transport: Transport;
  /** `IP:PORT`; port 0 takes a free one. */
  readonly address: string;
  /** Who the registry is: users and groups pin it. */
  readonly key: SigningKey;
  /** Keeps the names taken, closed with the server; absent: they are forgotten at the end. */
  readonly names?: NameStore;
  readonly limits?: RegistryLimits;
  readonly bounds?: Bounds;
  readonly requests?: RegistryOptions["requests"];
  /** A connection on which nothing was asked for this long is ended, ms; default a minute. */
  readonly idleAfter?: number;
  readonly logger: Logger;
  /** The date, ms since 1970; default `Date.now`. */
  readonly now?: () => number;
}

/** A running registry. */
export class RegistryServer implements AsyncDisposable {
  /** `IP:PORT#KEY`: what users and groups are given. */
  readonly address: string;
  /** Resolves when the server is closed: with the error that a part of it closed with, if one did. */
  readonly stopped: Promise<Error | undefined>;
  readonly #options: RegistryServerOptions;
  readonly #registry: Registry;
  readonly #server: SessionServer;
  /** When each connection asked last, in a session or in a dialect; who did not is a stranger. */
  readonly #asked: Map<Peer, number>;
  #stop!: (error: Error | undefined) => void;
  #timer: ReturnType<typeof setInterval>;
  #probing: Promise<void> | undefined;
  readonly #looks = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /** Binds and answers from then on. @throws {Error} the address cannot be bound */
  static async start(options: RegistryServerOptions): Promise<RegistryServer> {
    const { transport, address, key, names = NO_NAMES, bounds = REGISTRY_BOUNDS } = options;
    const { limits, requests, now = Date.now } = options;
    const logger = harmless(options.logger);
    let server: RegistryServer | undefined;
    try {
      const registry = new Registry({
        names,
        ...(limits ? { limits } : {}),
        ...(requests ? { requests } : {}),
        logger,
        now,
        at: () => server?.reached ?? options.address,
        look: (place) => {
          if (server) server.#look(place);
        },
      });
      const failed = (error: unknown) =>
        logger.error(`A request failed: ${(error as Error)?.stack ?? error}`);
      const asked = new Map<Peer, number>();
      const heard = (peer: Peer) => {
        peer.admit(); // It is a stranger no more, and not idle.
        asked.set(peer, performance.now());
      };
      const own = ownFront(registry, failed);
      const dialects = dialectFront(registry, heard);
      const says = { registry: { key: key.publicKey } };
      const sessions = await SessionServer.start({
        transport,
        address,
        bounds,
        identity: () => ({ says, sign: (text) => key.sign(text) }),
        onRequest: (session, json) => {
          heard(session.peer);
          own.receive(session, json);
        },
        onClear: (peer, frames) => dialects.receive(peer, frames),
        onLeft: (peer) => asked.delete(peer),
        warn: (text) => logger.warn(text),
      });
      return server = new RegistryServer(options, registry, sessions, asked);
    } catch (error) {
      names.close();
      throw error;
    }
  }

  private constructor(
    options: RegistryServerOptions,
    registry: Registry,
    server: SessionServer,
    asked: Map<Peer, number>,
  ) {
    this.#options = options;
    this.#asked = asked;
    this.#registry = registry;
    this.#server = server;
    this.address = `${server.address}#${options.key.publicKey}`;
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#timer = setInterval(() => this.#tick(), TICK);
  }

  /** What it knows. */
  get state(): RegistryState {
    return this.#registry.state;
  }

  /** Its public key. */
  get key(): string {
    return this.#options.key.publicKey;
  }

  /** `IP:PORT` alone. */
  get endpoint(): string {
    return this.#server.address;
  }

  /** What its peers hold, and what happened to them. */
  get accounts(): Accounts {
    return this.#server.accounts;
  }

  /** `IP:PORT#KEY` by which others may reach it where it listens on every address; else empty. */
  get others(): readonly string[] {
    const { host, port } = parseAddress(this.endpoint) ?? {};
    if (host === undefined || port === undefined || !isEveryAddress(host)) return [];
    return ownAddresses().map((host) => `${formatAddress({ host, port })}#${this.key}`);
  }

  /** `HOST:PORT` that others reach it by, as far as that is known here. */
  get reached(): string {
    const [first = this.endpoint] = this.others;
    return first.replace(/#.*$/, "");
  }

  /** Connections that asked something. */
  get askers(): number {
    return this.#asked.size;
  }

  #tick(): void {
    this.#registry.tick();
    this.#endIdle(performance.now());
    this.#probing ??= this.#probe().finally(() => (this.#probing = undefined));
  }

  #endIdle(now: number): void {
    const { idleAfter = IDLE_AFTER } = this.#options;
    for (const [peer, asked] of this.#asked) {
      if (now - asked <= idleAfter) continue;
      this.#asked.delete(peer);
      peer.cut(IDLE);
    }
  }

  async #probe(): Promise<void> {
    const { state } = this.#registry;
    const all = state.probes();
    while (all.length > 0 && !this.#closing) {
      await Promise.all(
        all.splice(0, PROBES).map(async ({ name, address }) =>
          state.probed(name, address, await isListening(address))
        ),
      );
    }
  }

  /**
   * Tries a connection to a group that just registered, once; it hears of it with its next renewal.
   * Who comes beside too many others is not tried.
   */
  #look({ record, address }: Place): void {
    if (this.#looks.size >= PROBES || this.#closing) return;
    const look = isListening(address).then((reached) => {
      this.#looks.delete(look);
      this.#registry.state.reached(record, reached);
      if (reached) return;
      this.#options.logger.warn(
        `Cannot connect to ${record.name} at ${address}: who asks here may not reach it either; ` +
          "a firewall there must let that port in",
      );
    });
    this.#looks.add(look);
  }

  /** Unbinds; groups and users go on talking without it. Never rejects: see `stopped`. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    const failed = await everyStep(
      () => this.#server.close(),
      () => this.#probing,
      () => Promise.all(this.#looks).then(() => {}),
      () => this.#registry.close(),
    );
    for (const { message } of failed) this.#options.logger.warn(`Closing: ${message}`);
    this.#stop(failed[0]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
