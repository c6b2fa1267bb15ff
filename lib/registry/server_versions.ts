/**
 * The greatest version seen of each server of a group, so that no record of it comes back that a
 * later one replaced. By server, because the clocks of two may differ. Pure.
 */

import { type Entry, Recency } from "../structures/recency.ts";

/** Servers that are remembered: of one name, and in all. */
const [MOST_OF_NAME, MOST] = [32, 100_000];

interface Seen {
  readonly name: string;
  readonly server: string;
  readonly version: number;
}

/** Of all names of one registry. */
export class ServerVersions {
  readonly #names = new Map<string, Map<string, Entry<Seen>>>();
  readonly #recent = new Recency<Seen>();
  readonly #most: number;
  #size = 0;

  constructor(most: number = MOST) {
    this.#most = most;
  }

  /** Undefined for a server that is not remembered. */
  get(name: string, server: string): number | undefined {
    return this.#names.get(name)?.get(server)?.value.version;
  }

  /** Of all servers that are remembered of a name; 0 where there is none. */
  greatest(name: string): number {
    let greatest = 0;
    for (const { value } of this.#names.get(name)?.values() ?? []) {
      greatest = Math.max(greatest, value.version);
    }
    return greatest;
  }

  /** @returns what is not remembered any more: others of that name count from its version on */
  set(name: string, server: string, version: number): Seen | undefined {
    this.#delete(name, server);
    const servers = this.#names.get(name) ?? new Map<string, Entry<Seen>>();
    this.#names.set(name, servers);
    servers.set(server, this.#recent.add({ name, server, version }));
    this.#size++;
    const [first] = servers.values();
    const gone = servers.size > MOST_OF_NAME
      ? first.value
      : this.#size > this.#most
      ? this.#recent.oldest
      : undefined;
    if (gone) this.#delete(gone.name, gone.server);
    return gone;
  }

  /** Forgets all servers of a name. */
  clear(name: string): void {
    for (const server of [...this.#names.get(name)?.keys() ?? []]) this.#delete(name, server);
  }

  #delete(name: string, server: string): void {
    const servers = this.#names.get(name);
    const entry = servers?.get(server);
    if (!servers || !entry) return;
    this.#recent.delete(entry);
    servers.delete(server);
    if (servers.size === 0) this.#names.delete(name);
    this.#size--;
  }
}
