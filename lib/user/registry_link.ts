/** A user's connection to one registry. */

import { Closed, IdentityChanged, Unreachable } from "../errors.ts";
import { type RegistryAddress, splitRegistry } from "../text/addresses.ts";
import {
  type Pins,
  type RegistryClient,
  registryClient,
  type RegistryOp,
  type RegistryReply,
} from "../session/registry_client.ts";
import type { UserStore } from "../store/user_store.ts";
import type { Transport } from "../transport/transport.ts";

/** What registries are reached with. */
export interface RegistryMeans {
  readonly transport: Transport;
  readonly pins: Pins;
}

/** The pins of a user's folder. */
export function pinsOf(store: Pick<UserStore, "pinned" | "pin">): Pins {
  return {
    get: (address) => store.pinned(address),
    set: (address, key) => store.pin(address, key),
  };
}

/** How long a connection without a request is kept, ms. */
const IDLE = 5_000;
const TIMEOUT = 3_000;
/** With less time than this it is not asked again, ms. */
const LEAST = 500;

/** It connects when something is asked, and leaves when nothing was for a while. */
export class RegistryLink {
  /** `HOST:PORT`. */
  readonly address: string;
  /** True where the key was given with the address: nothing that is pinned counts then. */
  readonly given: boolean;
  readonly #means: RegistryMeans;
  readonly #at: RegistryAddress;
  #client: RegistryClient | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #underWay = 0;
  #closed = false;

  /** @param registry `HOST:PORT`, or `HOST:PORT#KEY` */
  constructor(registry: string, means: RegistryMeans) {
    this.#means = means;
    this.#at = splitRegistry(registry)!;
    this.address = this.#at.address;
    this.given = this.#at.key !== undefined;
  }

  /** The key that it must have: the one given, else the one pinned; undefined before its first use. */
  get key(): string | undefined {
    return this.#at.key ?? this.#means.pins.get(this.address);
  }

  /** @throws {Refusal}; {Unreachable}; {IdentityChanged}; {BadReply}; {Closed} */
  async request<K extends RegistryOp>(
    op: K,
    fields: object,
    timeout: number = TIMEOUT,
  ): Promise<RegistryReply<K>> {
    if (this.#closed) throw new Closed(`Cannot ask the registry at ${this.address}: closed`);
    clearTimeout(this.#timer);
    const client = this.#client ??= this.#connect();
    this.#underWay++;
    const end = performance.now() + timeout;
    try {
      return await client.request(op, fields, timeout).catch((error: unknown) => {
        // A connection from before, which ended meanwhile, says nothing of who is there now.
        const left = end - performance.now();
        if (!(error instanceof Unreachable) || left < LEAST) throw error;
        return client.request(op, fields, left);
      });
    } catch (error) {
      // What answers there is looked at anew by the next request.
      if (error instanceof IdentityChanged) this.#leave(client);
      throw error;
    } finally {
      if (--this.#underWay === 0 && !this.#closed) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.#leave(client), IDLE);
      }
    }
  }

  #connect(): RegistryClient {
    const wayOut = this.given
      ? `give its address with the other key, or without one`
      : `accept the other one: trust ${this.address}`;
    return registryClient({ ...this.#means, ...this.#at, wayOut });
  }

  #leave(client: RegistryClient): void {
    if (this.#client === client) this.#client = undefined;
    void client.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#client?.close();
  }
}
