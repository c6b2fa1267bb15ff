/**
 * One group that is reached at several addresses, as if it had as many servers: the group itself is
 * at an address that nobody is told, and at each of the others is a way to it, which can be cut,
 * closed and opened again, and is announced as a server of the group by the group's own key.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { randomToken, type SigningKey, signingKey } from "../../lib/identity/keys.ts";
import { signRecord } from "../../lib/protocol/record.ts";
import type { GroupRecord } from "../../lib/protocol/schema.ts";
import type { RegistryClient } from "../../lib/session/registry_client.ts";
import {
  connect,
  Group,
  type GroupServer,
  Registry,
  type RegistryServer,
  type User,
  type UserEvent,
} from "../../mod.ts";
import { Proxy } from "../faults/support/proxy.ts";
import { clientOf } from "./registry_support.ts";
import { bare, Folder, portOf } from "./world.ts";

type Keep = <T extends AsyncDisposable>(one: T) => T;

/** A way to the group. */
export class Way implements AsyncDisposable {
  readonly address: string;
  readonly #host: string;
  readonly #record: GroupRecord;
  readonly #registry: string;
  readonly #clients: RegistryClient[] = [];
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #proxy: Proxy | undefined;

  constructor(host: string, { sig: _, ...own }: GroupRecord, key: SigningKey, registry: string) {
    this.#host = host;
    this.address = `${host}:${portOf(own.address)}`;
    this.#record = signRecord({ ...own, address: this.address, server: randomToken() }, key);
    this.#registry = registry;
  }

  /** Opens it. */
  async open(): Promise<void> {
    const proxy = new Proxy(this.#host, "127.0.0.1");
    await proxy.forward(portOf(this.address));
    this.#proxy = proxy;
  }

  /** A registry, by default its own, lists it from now on. */
  async announce(registry: string = this.#registry): Promise<void> {
    const client = clientOf(bare(registry));
    this.#clients.push(client);
    const register = () => client.request("register", { record: this.#record });
    await register();
    this.#timers.push(setInterval(() => void register().catch(() => {}), 1_000));
  }

  /** Its lease is renewed no more. */
  rest(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Nothing passes any more, and nothing ends. */
  silence(): void {
    this.#proxy?.cut("both");
  }

  /** As if its machine had died: connections are reset, and refused from then on. */
  async kill(): Promise<void> {
    const proxy = this.#proxy;
    this.#proxy = undefined;
    proxy?.cut("broken");
    await proxy?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.rest();
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.kill();
  }
}

/** See the head of this file. */
export interface ServersWorld {
  readonly registry: RegistryServer;
  readonly registries: string[];
  readonly group: GroupServer;
  readonly key: SigningKey;
  readonly ways: readonly Way[];
  /** One more way, not open and not announced yet. */
  way(host: string, registry?: string): Way;
  /** A user that has not joined. */
  user(name: string, home?: string): Promise<User>;
  /** A user that has. */
  member(name: string, home?: string): Promise<User>;
}

/** A group with that many ways to it, which a registry lists. */
export async function serversWorld(keep: Keep, many: number): Promise<ServersWorld> {
  const registry = keep(await Registry.start({ port: 0 }));
  const registries = [registry.address];
  const data = keep(new Folder()).path;
  const group = keep(await Group.start({ name: "Lab", data, unlisted: true, rate: Infinity }));
  const { secretKey } = JSON.parse(readFileSync(join(data, "group.json"), "utf8"));
  const key = signingKey(secretKey);
  const way = (host: string, at = registry.address) => keep(new Way(host, group.record(), key, at));
  const ways = Array.from({ length: many }, (_, i) => way(`127.0.0.${i + 2}`));
  for (const one of ways) {
    await one.open();
    await one.announce();
  }
  const user = async (name: string, home?: string) =>
    keep(await connect({ name, registries, ...(home === undefined ? {} : { home }) }));
  const member = async (name: string, home?: string) => {
    const joined = await user(name, home);
    await joined.join("Lab");
    return joined;
  };
  return { registry, registries, group, key, ways, way, user, member };
}

/** Where a member is now. */
export function placeOf(user: User): string {
  return user.joined()[0].address;
}

/** What a user tells beside entries, from now on. */
export function toldBy(user: User): UserEvent[] {
  const events: UserEvent[] = [];
  user.on((event) => {
    if (event.type !== "outbox" && event.type !== "typing") events.push(event);
  });
  return events;
}
