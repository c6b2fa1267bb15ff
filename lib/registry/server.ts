/** A registry at its socket: requests in, the state asked, answers out. */

import { Refusal } from "../errors.ts";
import { type SigningKey, verifies } from "../identity/keys.ts";
import {
  decodeRegistry002,
  encodeList002,
  FAILED,
  is002,
  REGISTERED,
  type RegistryRequest002,
} from "../dialects/seed002.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk } from "../protocol/codec.ts";
import { MAX_LIST } from "../protocol/limits.ts";
import { unregisterText } from "../protocol/record.ts";
import { type GroupRecord, REGISTRY_OPS, type RegistryRequest } from "../protocol/schema.ts";
import { type Session, SessionServer } from "../session/server.ts";
import type { Accounts, Bounds, Frames, Peer, Transport } from "../transport/transport.ts";
import {
  FREE_AFTER,
  GROUPS_A_REQUEST,
  IDLE_AFTER,
  NEW_NAMES,
  REGISTRY_BOUNDS,
  REQUESTS,
} from "./bounds.ts";
import { Keeper } from "./keeper.ts";
import { type NameStore, NO_NAMES } from "./names.ts";
import { originOf } from "./origin.ts";
import { isListening } from "./probe.ts";
import { Buckets } from "./rate.ts";
import { type RegistryLimits, RegistryState } from "./state.ts";

/** How often groups without a key are tried, and what is due is done, ms. */
const TICK = 2_000;
/** Most connections tried at once. */
const PROBES = 32;

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
  /** What one IP may ask, a second and at once; default {@linkcode REQUESTS}. */
  readonly requests?: { readonly rate: number; readonly burst: number };
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
  readonly #requests: Buckets;
  readonly #newNames = new Buckets(NEW_NAMES.rate, NEW_NAMES.burst);
  /** When a session asked last; it has none when it did not ask yet. */
  readonly #asked = new WeakMap<Session, number>();
  /** When a peer of the dialect asked last. */
  readonly #clear = new Map<Peer, number>();
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
    const { rate, burst } = options.requests ?? REQUESTS;
    this.#requests = new Buckets(rate, burst);
    this.address = `${server.address}#${options.key.publicKey}`;
    this.state = new RegistryState(options.limits);
    this.#keeper = new Keeper(this.state, names, (text) => options.logger.warn(text));
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

  /** One request of a session. Never throws. */
  receive(session: Session, plaintext: Uint8Array): void {
    const now = performance.now(); // The date may jump, and no lease with it.
    if (!this.#asked.has(session)) session.peer.admit();
    this.#asked.set(session, now);
    let id: number | null = null;
    try {
      const request = decodeRequest(plaintext, REGISTRY_OPS);
      id = request.id;
      this.#charge(request, session.peer.ip, now);
      const answer = this.#answer(request, session.peer.ip, now);
      if (answer instanceof Promise) void this.#later(session, id, answer);
      else session.reply(encodeOk(id, answer));
    } catch (error) {
      this.#refuse(session, error instanceof BadRequest ? error.id : id, error);
    }
  }

  async #later(session: Session, id: number, answer: Promise<object>): Promise<void> {
    const served = session.serving();
    try {
      session.reply(encodeOk(id, await answer));
    } catch (error) {
      this.#refuse(session, id, error);
    } finally {
      served();
    }
  }

  #refuse(session: Session, id: number | null, error: unknown): void {
    if (!(error instanceof Refusal)) {
      this.#options.logger.warn(`A request failed: ${(error as Error)?.stack ?? error}`);
    }
    session.reply(encodeError(id, error));
  }

  /** @throws {Refusal} `rate_limited` */
  #charge(request: RegistryRequest, ip: string, now: number): void {
    const record = request.op === "register" ? request.record : undefined;
    if (record && this.#isRenewal(record, now)) return;
    const origin = originOf(ip);
    let wait = this.#requests.take(origin, now);
    if (wait === 0 && record && !this.state.isTaken(record.name)) {
      wait = this.#newNames.take(origin, now);
    }
    if (wait > 0) {
      throw new Refusal("rate_limited", "Cannot serve the request: this IP asks too much", {
        retryAfter: wait,
      });
    }
  }

  /** A group that renews in time, as it should. */
  #isRenewal(record: GroupRecord, now: number): boolean {
    const renewed = this.state.holds(record) ? this.state.renewedAt(record.name) : undefined;
    return renewed !== undefined && now - renewed >= FREE_AFTER;
  }

  #answer(request: RegistryRequest, ip: string, now: number): object | Promise<object> {
    switch (request.op) {
      case "ping":
        return { at: this.#now() };
      case "register":
        return this.#register(request.record, ip, now);
      case "unregister": {
        const record = this.state.recordOf(request.group);
        if (!record) return {};
        const text = unregisterText(request.group, request.version);
        if (!verifies(record.key, text, request.sig)) {
          throw new Refusal("bad_signature", "Cannot unregister: the signature does not verify");
        }
        if (this.state.unregister(request.group, request.version)) {
          this.#info(`LEAVE REQUEST FROM ${record.address}`);
        }
        return {};
      }
      case "list":
        this.#info(`GROUP LIST REQUEST FROM ${ip || "unknown"}`);
        return this.#list(request, ip, now);
      case "resolve": {
        const listing = this.state.resolve(request.group, now);
        if (listing) return { group: listing };
        throw new Refusal("not_found", "Cannot find that group: no group of that name is listed");
      }
      default:
        throw new Error(`Cannot answer ${JSON.stringify(request satisfies never)}`);
    }
  }

  #register(record: GroupRecord, ip: string, now: number): object | Promise<object> {
    const date = this.#now();
    const outcome = this.state.register(record, ip, now, date);
    if (outcome !== "renewed") this.#info(`JOIN REQUEST FROM ${record.address}`);
    if (outcome === "taken") this.#keeper.keep({ name: record.name, key: record.key, seen: date });
    return this.#keeper.kept(record.name)?.then(() => ({})) ?? {};
  }

  #list(range: { prefix: string; after: string; limit: number }, ip: string, now: number) {
    const page = this.state.list(range, now);
    this.#requests.charge(originOf(ip), page.groups.length / GROUPS_A_REQUEST, now);
    return page;
  }

  /** One message in the clear: dialect 002, rubbish included. Never throws. */
  receiveClear(peer: Peer, frames: Frames): void {
    if (!is002(frames)) return peer.cut("speaks neither this protocol nor the dialect");
    const now = performance.now();
    const request = this.#requests.take(originOf(peer.ip), now) > 0
      ? undefined
      : decodeRegistry002(frames);
    if (!request) {
      peer.send([FAILED]);
      return;
    }
    peer.admit();
    this.#clear.set(peer, now);
    peer.send([this.#answer002(request, peer.ip, now)]);
  }

  #answer002(request: RegistryRequest002, ip: string, now: number): string {
    if (request.op === "list") {
      this.#info(`GROUP LIST REQUEST FROM ${request.user}`);
      return encodeList002(this.#list({ prefix: "", after: "", limit: MAX_LIST }, ip, now).groups);
    }
    this.#info(`JOIN REQUEST FROM ${request.address}`);
    try {
      this.state.registerKeyless(request.name, request.address, ip, now);
      return REGISTERED;
    } catch {
      return FAILED;
    }
  }

  #tick(): void {
    const now = performance.now();
    this.state.sweep(now);
    this.#keeper.tick(now, this.#now());
    this.#endIdle(now);
    this.#probing ??= this.#probe().finally(() => (this.#probing = undefined));
  }

  #endIdle(now: number): void {
    for (const session of this.#server.sessions()) {
      const asked = this.#asked.get(session); // Who did not ask yet is a stranger, and cut as such.
      if (asked !== undefined && now - asked > IDLE_AFTER) {
        session.cut("asked nothing for a minute");
      }
    }
    for (const [peer, asked] of this.#clear) {
      if (now - asked <= IDLE_AFTER) continue;
      this.#clear.delete(peer);
      peer.cut("asked nothing for a minute");
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

  #info(text: string): void {
    this.#options.logger.info(text);
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
