/** A registry at its socket: requests in, the state asked, answers out. */

import { is002 } from "../dialects/seed002.ts";
import type { SigningKey } from "../identity/keys.ts";
import { type Session, SessionServer } from "../session/server.ts";
import type { Accounts, Bounds, Frames, Peer, Transport } from "../transport/transport.ts";
import { IDLE_AFTER, REGISTRY_BOUNDS } from "./bounds.ts";
import { Keeper } from "./keeper.ts";
import { type NameStore, NO_NAMES } from "../store/name_store.ts";
import { isListening } from "./probe.ts";
import { RegistryService, type RegistryServiceOptions } from "./service.ts";
import { type RegistryLimits, RegistryState } from "./state.ts";

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
  readonly requests?: RegistryServiceOptions["requests"];
  /** A connection on which nothing was asked for this long is ended, ms; default a minute. */
  readonly idleAfter?: number;
  readonly logger: { info(text: string): void; warn(text: string): void };
  /** The date, ms since 1970; default `Date.now`. */
  readonly now?: () => number;
}

/** A running registry. */
export class RegistryServer implements AsyncDisposable {
  readonly state: RegistryState;
  /** `IP:PORT#KEY`: what users and groups are given. */
  readonly address: string;
  /** Resolves when the server is closed. */
  readonly stopped: Promise<Error | undefined>;
  readonly #options: RegistryServerOptions;
  readonly #keeper: Keeper;
  readonly #server: SessionServer;
  readonly #now: () => number;
  readonly #service: RegistryService;
  /** When each connection asked last, in a session or in the dialect; who did not is a stranger. */
  readonly #asked = new Map<Peer, number>();
  #stop!: (error: Error | undefined) => void;
  #timer: ReturnType<typeof setInterval>;
  #probing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** Binds and answers from then on. @throws {Error} the address cannot be bound */
  static async start(options: RegistryServerOptions): Promise<RegistryServer> {
    const { transport, address, key, names = NO_NAMES, bounds = REGISTRY_BOUNDS } = options;
    let registry: RegistryServer | undefined;
    try {
      const says = { registry: { key: key.publicKey } };
      const server = await SessionServer.start({
        transport,
        address,
        bounds,
        identity: () => ({ says, sign: (text) => key.sign(text) }),
        onRequest: (session, plaintext) => registry?.receive(session, plaintext),
        onClear: (peer, frames) => registry?.receiveClear(peer, frames),
        onLeft: (peer) => registry?.left(peer),
        warn: (text) => options.logger.warn(text),
      });
      registry = new RegistryServer(options, names, server);
      return registry;
    } catch (error) {
      names.close();
      throw error;
    }
  }

  private constructor(options: RegistryServerOptions, names: NameStore, server: SessionServer) {
    this.#options = options;
    this.#server = server;
    this.#now = options.now ?? Date.now;
    this.address = `${server.address}#${options.key.publicKey}`;
    this.state = new RegistryState(options.limits);
    this.#keeper = new Keeper(this.state, names, (text) => options.logger.warn(text));
    this.#service = new RegistryService({
      ...(options.requests ? { requests: options.requests } : {}),
      state: this.state,
      keeper: this.#keeper,
      logger: options.logger,
      now: this.#now,
    });
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#timer = setInterval(() => this.#tick(), TICK);
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

  /** Connections that asked something. */
  get askers(): number {
    return this.#asked.size;
  }

  /** One request of a session. Never throws. */
  receive(session: Session, plaintext: Uint8Array): void {
    const now = performance.now(); // The date may jump, and no lease with it.
    this.#admit(session.peer, now);
    const reply = this.#service.answer(plaintext, session.peer.ip, now);
    if (typeof reply === "string") session.reply(reply);
    else void this.#later(session, reply);
  }

  async #later(session: Session, reply: Promise<string>): Promise<void> {
    const served = session.serving();
    session.reply(await reply);
    served();
  }

  /** One message in the clear: dialect 002, rubbish included. Never throws. */
  receiveClear(peer: Peer, frames: Frames): void {
    if (!is002(frames)) return peer.cut("speaks neither this protocol nor the dialect");
    const now = performance.now();
    const { text, good } = this.#service.answer002(frames, peer.ip, now);
    if (good) this.#admit(peer, now);
    peer.send([text]);
  }

  #admit(peer: Peer, now: number): void {
    peer.admit();
    this.#asked.set(peer, now);
  }

  /** A connection is gone. */
  left(peer: Peer): void {
    this.#asked.delete(peer);
  }

  #tick(): void {
    const now = performance.now();
    this.state.sweep(now);
    this.#keeper.tick(now, this.#now());
    this.#endIdle(now);
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
    const all = this.state.probes();
    while (all.length > 0 && !this.#closing) {
      await Promise.all(
        all.splice(0, PROBES).map(async ({ name, address }) =>
          this.state.probed(name, address, await isListening(address))
        ),
      );
    }
  }

  /** Unbinds; groups and users go on talking without it. */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#server.close();
    await this.#probing;
    this.#keeper.close();
    this.#stop(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
