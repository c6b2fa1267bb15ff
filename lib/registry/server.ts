/** A registry's socket: frames in, the state asked, frames out. */

import { Refusal } from "../errors.ts";
import { verifies } from "../identity/keys.ts";
import {
  decodeRegistry002,
  encodeList002,
  FAILED,
  is002,
  REGISTERED,
} from "../dialects/seed002.ts";
import { BadRequest, decodeRequest, encodeError, encodeOk, isOurs } from "../protocol/codec.ts";
import { MAX_LIST } from "../protocol/limits.ts";
import { unregisterText } from "../protocol/record.ts";
import { REGISTRY_OPS, type RegistryRequest } from "../protocol/schema.ts";
import type { Frames, Peer, Server, ServerSecurity, Transport } from "../transport/transport.ts";
import { type NameStore, NO_NAMES } from "./names.ts";
import { isListening } from "./probe.ts";
import { type RegistryLimits, RegistryState } from "./state.ts";

/** How often groups without a key are tried, ms. */
const PROBE_EVERY = 2_000;
/** Most connections tried at once. */
const PROBES = 32;

export interface RegistryServerOptions {
  readonly transport: Transport;
  /** `IP:PORT`; port 0 takes a free one. */
  readonly address: string;
  /** Keeps the names taken, closed with the server; absent: they are forgotten at the end. */
  readonly names?: NameStore;
  readonly limits?: RegistryLimits;
  readonly security?: ServerSecurity;
  readonly logger: { info(text: string): void; warn(text: string): void };
  /** The date, ms since 1970; default `Date.now`. */
  readonly now?: () => number;
}

/** A running registry. */
export class RegistryServer implements AsyncDisposable {
  readonly state: RegistryState;
  /** `IP:PORT`, with `#KEY` behind it when it is encrypted: what users and groups are given. */
  readonly address: string;
  /** Resolves when the server is closed. */
  readonly stopped: Promise<Error | undefined>;
  readonly #options: RegistryServerOptions;
  readonly #names: NameStore;
  readonly #server: Server;
  readonly #now: () => number;
  #stop!: (error: Error | undefined) => void;
  #timer: ReturnType<typeof setInterval>;
  #probing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** Binds and answers from then on. @throws {Error} the address cannot be bound */
  static async start(options: RegistryServerOptions): Promise<RegistryServer> {
    const { names = NO_NAMES } = options;
    let registry: RegistryServer | undefined;
    try {
      const server = await options.transport.serve({
        address: options.address,
        ...(options.security ? { security: options.security } : {}),
        onMessage: (peer, frames) => registry?.receive(peer, frames),
      });
      registry = new RegistryServer(options, names, server);
      return registry;
    } catch (error) {
      names.close();
      throw error;
    }
  }

  private constructor(options: RegistryServerOptions, names: NameStore, server: Server) {
    this.#options = options;
    this.#names = names;
    this.#server = server;
    this.#now = options.now ?? Date.now;
    const { security } = options;
    this.address = server.address + (security ? `#${security.keys.publicKey}` : "");
    this.state = new RegistryState(options.limits);
    for (const { name, key } of names.all()) this.state.restore(name, key);
    this.stopped = new Promise((resolve) => (this.#stop = resolve));
    this.#timer = setInterval(() => {
      this.state.sweep(performance.now());
      this.#probing ??= this.#probe().finally(() => (this.#probing = undefined));
    }, PROBE_EVERY);
  }

  /** One message from a peer. Never throws. */
  receive(peer: Peer, frames: Frames): void {
    if (!isOurs(frames) && is002(frames)) {
      this.#server.send(peer, [this.#answer002(frames)]);
      return;
    }
    let id: number | null = null;
    try {
      const request = decodeRequest(frames, REGISTRY_OPS);
      id = request.id;
      this.#server.send(peer, encodeOk(id, this.#answer(request)));
    } catch (error) {
      if (!(error instanceof Refusal)) {
        this.#options.logger.warn(`A request failed: ${(error as Error)?.stack ?? error}`);
      }
      this.#server.send(peer, encodeError(error instanceof BadRequest ? error.id : id, error));
    }
  }

  #answer(request: RegistryRequest): object {
    const now = performance.now(); // The date may jump, and no lease with it.
    switch (request.op) {
      case "ping":
        return { at: this.#now() };
      case "register": {
        const { record } = request;
        const outcome = this.state.register(record, now, this.#now());
        if (outcome === "taken") this.#names.add(record);
        if (outcome !== "renewed") this.#info(`JOIN REQUEST FROM ${record.address}`);
        return {};
      }
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
        this.#info(`GROUP LIST REQUEST FROM ${request.user ?? "unknown"}`);
        return this.state.list(request, now);
      case "resolve": {
        const listing = this.state.resolve(request.group, now);
        if (listing) return { group: listing };
        throw new Refusal("not_found", "Cannot find that group: no group of that name is listed");
      }
      default:
        throw new Error(`Cannot answer ${JSON.stringify(request satisfies never)}`);
    }
  }

  #answer002(frames: Frames): string {
    const request = decodeRegistry002(frames);
    const now = performance.now();
    switch (request?.op) {
      case undefined:
        return FAILED;
      case "list": {
        this.#info(`GROUP LIST REQUEST FROM ${request.user}`);
        const { groups } = this.state.list({ prefix: "", after: "", limit: MAX_LIST }, now);
        return encodeList002(groups);
      }
      case "register":
        this.#info(`JOIN REQUEST FROM ${request.address}`);
        try {
          this.state.registerKeyless(request.name, request.address, now);
          return REGISTERED;
        } catch {
          return FAILED;
        }
    }
  }

  async #probe(): Promise<void> {
    const all = this.state.keyless();
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
    this.#names.close();
    this.#stop(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
