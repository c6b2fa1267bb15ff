/** The registries a user knows: any one suffices, what they say is merged and checked. */

import { BadReply, IdentityChanged, Refusal, Unreachable } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { isAddress } from "../text/addresses.ts";
import { nameProblem } from "../text/names.ts";
import { recordProblem } from "../protocol/record.ts";
import { MAX_SERVERS } from "../protocol/limits.ts";
import type { ListedServer, Listing } from "../protocol/schema.ts";
import type { GroupTarget } from "../store/user_store.ts";
import { pause } from "../transport/waiting.ts";
import { allPages } from "./pages.ts";
import { RegistryLink, type RegistryMeans } from "./registry_link.ts";
import type { NameDispute, NamesCompared } from "./types.ts";

/** How long the other registries may take when one has answered, ms: a dead one delays nobody. */
const OTHERS = 500;
/** How long registries are asked for their lists, to compare them, ms. */
const COMPARE_WITHIN = 5_000;
/** Most sentences that a person is told about registries. */
const MAX_TOLD = 20;

/** Asks all at once, and does not wait for those that are dead. */
export class Registries {
  /** Each by itself. */
  readonly all: readonly RegistryLink[];
  readonly #warn: (text: string) => void;
  /** What a person was told already. */
  readonly #told = new Set<string>();

  /**
   * @param registries `HOST:PORT` or `HOST:PORT#KEY` of each
   * @param warn told what a person should know of one registry, while the others go on
   */
  constructor(registries: readonly string[], means: RegistryMeans, warn: (text: string) => void) {
    this.all = registries.map((registry) => new RegistryLink(registry, means));
    this.#warn = warn;
  }

  /**
   * Every group of every registry that answers.
   *
   * @throws {Unreachable} none answers; {BadReply} no list that comes to an honest end
   */
  async list(prefix = ""): Promise<Listing[]> {
    const lists = await this.#ask((registry, signal) => listAll(registry, prefix, signal));
    const same = Map.groupBy(
      lists.flat(),
      ({ name, address, record }) => record?.id ?? `${name} ${address}`,
    );
    return [...same.values()].map(merged)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /**
   * The group of a name, id or address; undefined when every registry that answers knows none.
   * Where they disagree the one with the `wanted` id is it. Without one nobody can tell who has a
   * name; who is at an address proves it there, so that no registry keeps anybody from it: what they
   * say of one counts where all that answer say the same.
   *
   * @throws {Unreachable} none answers; {IdentityChanged} one is another than before, and no other
   * answers; {Refusal} `not_found` they disagree
   */
  async resolve(group: string, wanted?: string): Promise<Listing | undefined> {
    const found = await this.#ask(async (registry) => {
      const { group: listing } = await registry.request("resolve", { group }).catch((error) => {
        if (error instanceof Refusal && error.code === "not_found") return { group: undefined };
        throw error;
      });
      if (!listing || isAnswerTo(listing, group)) return listing;
      const { address } = registry;
      this.#tell(`The registry at ${address} answers with another group than "${group}"`);
      return undefined;
    });
    const good = found.flatMap((listing) => listing ? believed(listing) : []);
    const same = good.filter(({ record }) => wanted !== undefined && record?.id === wanted);
    if (same.length > 0) return merged(same);
    const other = good.find(({ record }) => record?.id !== good[0].record?.id);
    if (isAddress(group) && (other || good.length < found.length)) return undefined;
    if (wanted === undefined && other) throw disagreement(group, good[0], other);
    if (good.length === 0) return undefined;
    const { record } = best(good);
    return merged(good.filter((listing) => listing.record?.id === record?.id));
  }

  /**
   * Which groups have which names, at each registry that answers within 5 s, as far as its list goes
   * by then. Never rejects.
   *
   * @param known groups that the user knows
   */
  async compare(known: readonly GroupTarget[]): Promise<NamesCompared> {
    const names = new Map<string, Map<string, string[]>>();
    const signal = AbortSignal.timeout(COMPARE_WITHIN);
    await Promise.all(this.all.map(async (registry) => {
      // Who does not answer is told where each is asked.
      for (const { name, record } of await listAll(registry, "", signal).catch(() => [])) {
        if (!record) continue;
        const keys = names.get(name) ?? new Map<string, string[]>();
        names.set(name, keys);
        keys.set(record.key, [...keys.get(record.key) ?? [], registry.address]);
      }
    }));
    let compared = 0;
    const disputes: NameDispute[] = [];
    for (const [name, keys] of names) {
      const owners = [...keys].map(([key, registries]) => ({
        ...{ key, registries },
        known: known.some((group) => group.name === name && group.key === key),
      }));
      if (owners.flatMap(({ registries }) => registries).length > 1) compared++;
      if (owners.length > 1) disputes.push({ name, owners });
    }
    return { compared, disputes: disputes.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  /** @param question its signal is aborted when nobody waits for its answer any more */
  async #ask<T>(
    question: (registry: RegistryLink, signal: AbortSignal) => Promise<T>,
  ): Promise<T[]> {
    if (this.all.length === 0) {
      throw new Unreachable("", "Cannot ask a registry: none is given, use --registry HOST:PORT");
    }
    const enough = new AbortController();
    const asked = this.all.map((registry) => question(registry, enough.signal));
    const answers: T[] = [];
    const all = Promise.allSettled(asked.map(async (answer) => answers.push(await answer)));
    try {
      await Promise.any(asked);
    } catch (error) {
      const { errors } = error as AggregateError;
      throw errors.find((error) => error instanceof IdentityChanged) ?? errors[0];
    }
    // One that does not answer is passed by in silence; one that is another than before, or answers
    // what it may not, is not.
    for (const answer of asked) {
      answer.catch((error) => {
        if (error instanceof IdentityChanged || error instanceof BadReply) {
          this.#tell(error.message);
        }
      });
    }
    void all.then(() => enough.abort());
    await pause(OTHERS, enough.signal);
    const found = [...answers];
    enough.abort();
    return found;
  }

  #tell(text: string): void {
    if (this.#told.has(text) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(text);
    this.#warn(text);
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((registry) => registry.close()));
  }
}

async function listAll(
  registry: RegistryLink,
  prefix: string,
  signal: AbortSignal,
): Promise<Listing[]> {
  const all: Listing[] = [];
  const pages = allPages({
    what: `the list of the registry at ${registry.address}`,
    wayOut: "ask another one, --registry HOST:PORT, or join groups by their address",
    ask: (after) => registry.request("list", { prefix, after }),
    keys: ({ groups }) => groups.map(({ name }) => name),
    signal,
  });
  // Page by page: each signature takes 0.1 ms of the loop.
  for await (const { groups } of pages) all.push(...groups.flatMap(believed));
  return all;
}

/** Whether this is the group that was asked for, by whatever it was. */
function isAnswerTo({ name, address, record, servers = [] }: Listing, asked: string): boolean {
  return name === asked || address === asked || record?.id === asked ||
    servers.some((server) => server.address === asked);
}

/**
 * What of a listing can be believed, or nothing. A registry is a phone book, not an authority: a
 * record counts by its own signature.
 */
function believed(listing: Listing): [Listing] | [] {
  const { name, address, state, record, servers = [] } = listing;
  if (nameProblem(name) || !isAddress(address)) return [];
  if (!record) return [{ name, address, state }];
  const isSigned = ({ address, record }: ListedServer) =>
    record.name === name && record.address === address &&
    recordProblem(record, Date.now()) === undefined;
  if (!isSigned({ address, state, record })) return [];
  const others = servers.filter((server) =>
    server.record.id === record.id && server.record.server !== undefined && isSigned(server)
  );
  return [{ name, address, state, record, ...(others.length > 0 ? { servers: others } : {}) }];
}

/** The first that is met is pinned: which one, a registry must not choose. */
function disagreement(group: string, ...both: readonly [Listing, Listing]): Refusal {
  const [one, other] = both.map(({ address, record }) =>
    `${record ? `the key ${shortKey(record.key)}` : "no key"} at ${address}`
  );
  return new Refusal(
    "not_found",
    `Cannot tell which group "${group}" is: one registry lists it with ${one}, another with ` +
      `${other}; join it by its address or by an invite`,
  );
}

/** What several registries say of one group, as one: of each server what is best, live ones first. */
function merged(listings: readonly Listing[]): Listing {
  const { name, address, state, record } = best(listings);
  const first = { name, address, state, ...(record ? { record } : {}) };
  if (record?.server === undefined) return first;
  const found: ListedServer[] = [];
  const all = listings.flatMap(({ address, state, record, servers = [] }) =>
    record?.server === undefined ? servers : [{ address, state, record }, ...servers]
  );
  for (const one of all.sort((a, b) => (better(a, b) ? -1 : better(b, a) ? 1 : 0))) {
    const same = ({ address, record }: ListedServer) =>
      address === one.address || record.server === one.record.server;
    if (!found.some(same)) found.push(one);
  }
  found.sort((a, b) =>
    a.state === b.state ? (a.address < b.address ? -1 : 1) : a.state === "live" ? -1 : 1
  );
  const [main, ...servers] = found.slice(0, MAX_SERVERS);
  return { name, ...main, ...(servers.length > 0 ? { servers } : {}) };
}

type Dated = Pick<Listing, "state" | "record">;

function best(listings: readonly Listing[]): Listing {
  return listings.reduce((a, b) => (better(b, a) ? b : a));
}

function better(a: Dated, b: Dated): boolean {
  if (a.state !== b.state) return a.state === "live";
  return (a.record?.version ?? 0) > (b.record?.version ?? 0);
}
