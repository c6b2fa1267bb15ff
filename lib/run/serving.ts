/** A registry and groups that one process serves for a home. */

import type { LogSink } from "../cli/program.ts";
import type { Revived, ServedGroup, ServedRegistry } from "../cli/servers.ts";
import { isHeld } from "../disk/sqlite_errors.ts";
import { Refusal, sentence } from "../errors.ts";
import type { GroupServer } from "../group/server.ts";
import type { RegistryServer } from "../registry/server.ts";
import { formatAddress, parseAddress, splitRegistry } from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { dropHosted, foldersOf, type Hosted, hostedIn, keepHosted } from "./hosted_file.ts";
import { groupFolder, openGroup } from "./open_group.ts";
import { openRegistry } from "./open_registry.ts";

export interface ServingOptions {
  readonly home: string;
  /** Where groups listen that nobody gives an address. */
  readonly host: string;
  readonly transport: string | undefined;
  readonly log: LogSink;
  /** Told what ends by itself. */
  readonly trouble: (text: string) => void;
}

/** How a group is served. */
interface HostOptions {
  readonly address?: string | undefined;
  readonly registries: readonly string[];
  readonly private?: boolean;
  readonly unlisted?: boolean;
}

export class Serving {
  readonly #options: ServingOptions;
  #registry: RegistryServer | undefined;
  /** By the folder of their data. */
  readonly #groups = new Map<string, GroupServer>();
  #closed = false;

  constructor(options: ServingOptions) {
    this.#options = options;
  }

  /** Serves a registry at an address, once. @throws {Refusal} `address_taken`; {FolderUnusable} */
  async registry(address: string): Promise<ServedRegistry> {
    const running = this.#registry;
    if (running && of(running).address !== address) {
      throw new Refusal(
        "address_taken",
        `Cannot start a registry at ${address}: the servers of this folder have one at ` +
          `${of(running).address}; end them first`,
      );
    }
    const { home, transport, log } = this.#options;
    const { host, port } = parseAddress(address)!;
    const where = { host: host.includes(":") ? `[${host}]` : host, port };
    const registry = running ?? await openRegistry({ home, transport, log, ...where });
    this.#registry = registry;
    return of(registry);
  }

  /** Serves a group of this home; the one that is served already. Throws as `openGroup`. */
  async host(
    name: string,
    { keep, ...options }: HostOptions & { readonly keep: boolean },
  ): Promise<ServedRegistry> {
    const { home } = this.#options;
    const running = this.#groups.get(groupFolder(home, name));
    if (running) requireAccess(running, options.private ?? false);
    const group = running ?? await this.#open({ home, name }, options);
    const { registries: _, ...kept } = options;
    if (keep) keepHosted({ home, name, ...kept });
    return { address: group.address, key: group.key };
  }

  /** Serves again what was made in this home and in its profiles, and is served by nobody. */
  async revive(registries: readonly string[]): Promise<Revived> {
    const groups: { name: string; address: string }[] = [];
    const troubles: string[] = [];
    for (const home of foldersOf(this.#options.home)) {
      try {
        for (const hosted of hostedIn(home)) {
          await this.#revive(hosted, registries).then(
            (group) => {
              if (group) groups.push(group);
              if (group?.moved) troubles.push(group.moved);
            },
            (error) => isHeld(error) || troubles.push(sentence(error)),
          );
        }
      } catch (error) {
        troubles.push(sentence(error));
      }
    }
    return { groups, troubles };
  }

  /** Undefined where it is served already. */
  async #revive(hosted: Hosted, registries: readonly string[]) {
    const { home, name, address } = hosted;
    if (this.#groups.has(groupFolder(home, name))) return undefined;
    try {
      const group = await this.#open(hosted, { ...hosted, registries });
      return { name, address: group.address, moved: undefined };
    } catch (error) {
      const isTaken = error instanceof Refusal && error.code === "address_taken";
      if (address === undefined || !isTaken) throw error;
      const group = await this.#open(hosted, { ...hosted, registries, address: undefined });
      const moved = `${safeLine(name)} listens on ${group.address}: ${address} is taken`;
      return { name, address: group.address, moved };
    }
  }

  async #open({ home, name }: Hosted, { address, registries, ...who }: HostOptions) {
    const { host, transport, log, trouble } = this.#options;
    const at = address ?? formatAddress({ host, port: 0 });
    const { private: isPrivate, unlisted } = who;
    const access = { private: isPrivate ?? false, unlisted: unlisted ?? false };
    const group = await openGroup({
      ...{ home, name, address: at, registries, transport, log },
      ...access,
    });
    const folder = groupFolder(home, name);
    this.#groups.set(folder, group);
    void group.stopped.then((error) => {
      if (this.#closed || !this.#groups.delete(folder)) return;
      const why = error ? `: ${sentence(error)}` : "";
      trouble(`${safeLine(name)} is served no more${why}; create_group ${name} tries again`);
    });
    return group;
  }

  /** Serves a group no more, and does not bring it back; false where it did neither. */
  async unhost(name: string): Promise<boolean> {
    let found = false;
    for (const home of foldersOf(this.#options.home)) {
      found = dropHosted(home, name) || found;
      const folder = groupFolder(home, name);
      const group = this.#groups.get(folder);
      this.#groups.delete(folder);
      await group?.close();
      found ||= group !== undefined;
    }
    return found;
  }

  /** What is served, and how many members are connected; `except` is not counted. */
  look(except?: string): {
    readonly registry?: ServedRegistry;
    readonly groups: readonly ServedGroup[];
    readonly connected: number;
  } {
    const all = new Set<string>();
    const groups = [...this.#groups.values()].map(({ name, address, key, group }) => {
      const present = [...group.presence.own()]
        .filter((user) => user !== except && group.state.members.has(user));
      for (const user of present) all.add(user);
      return { name, address, key, connected: present.length };
    });
    const registry = this.#registry;
    return {
      ...(registry ? { registry: of(registry) } : {}),
      groups,
      connected: all.size,
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#groups.values()].map((group) => group.close()));
    await this.#registry?.close();
  }
}

/** @throws {Refusal} `forbidden` */
function requireAccess({ name, group }: GroupServer, isPrivate: boolean): void {
  if ((group.identity.access === "private") === isPrivate) return;
  const [is, not] = isPrivate ? ["open", "private"] : ["private", "open"];
  throw new Refusal(
    "forbidden",
    `Cannot make "${safeLine(name)}" ${not}: it runs already and is ${is}; stop it first`,
  );
}

/** A registry's address, which it gives with its key, and the key. */
function of({ address, key }: RegistryServer): ServedRegistry {
  return { address: splitRegistry(address)?.address ?? address, key };
}
