/** The registries a user knows: any one suffices, what they say is merged and checked. */

import { Refusal, Unreachable } from "../errors.ts";
import { isAddress, nameProblem } from "../protocol/names.ts";
import { recordProblem } from "../protocol/record.ts";
import type { Listing } from "../protocol/schema.ts";
import type { Requester } from "../transport/requester.ts";
import { pause } from "./backoff.ts";

/** How much the clocks of two machines may differ, ms. */
const CLOCK_SLACK = 300_000;
const TIMEOUT = 3_000;
/** How long the other registries may take when one has answered, ms: a dead one delays nobody. */
const OTHERS = 500;

/** See the head of this file. */
export class Registries {
  readonly #requesters: readonly Requester[];

  constructor(requesters: readonly Requester[]) {
    this.#requesters = requesters;
  }

  /** Each by itself. */
  get all(): readonly Requester[] {
    return this.#requesters;
  }

  /** Every group of every registry that answers. @throws {Unreachable} none answers */
  async list(user: string, prefix = ""): Promise<Listing[]> {
    const lists = await this.#ask((registry) => listAll(registry, user, prefix));
    const merged = new Map<string, Listing>();
    for (const listing of lists.flat().filter(believable)) {
      const key = listing.record?.id ?? `${listing.name} ${listing.address}`;
      const known = merged.get(key);
      if (!known || better(listing, known)) merged.set(key, listing);
    }
    return [...merged.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /**
   * The group of a name, id or address; undefined when every registry that answers knows none.
   *
   * @throws {Unreachable} none answers
   */
  async resolve(group: string): Promise<Listing | undefined> {
    const found = await this.#ask(async (registry) => {
      try {
        return (await registry.request("resolve", { group }, TIMEOUT)).group as Listing;
      } catch (error) {
        if (error instanceof Refusal && error.code === "not_found") return undefined;
        throw error;
      }
    });
    return found
      .filter((listing) => listing !== undefined)
      .filter(believable)
      .reduce<Listing | undefined>((a, b) => (a && !better(b, a) ? a : b), undefined);
  }

  async #ask<T>(question: (registry: Requester) => Promise<T>): Promise<T[]> {
    if (this.#requesters.length === 0) {
      throw new Unreachable("", "Cannot ask a registry: none is given, use --registry HOST:PORT");
    }
    const asked = this.#requesters.map(question);
    const answers: T[] = [];
    const all = Promise.allSettled(asked.map(async (answer) => answers.push(await answer)));
    try {
      await Promise.any(asked);
    } catch (error) {
      throw (error as AggregateError).errors[0];
    }
    const enough = new AbortController();
    void all.then(() => enough.abort());
    await pause(OTHERS, enough.signal);
    return [...answers];
  }

  async close(): Promise<void> {
    await Promise.all(this.#requesters.map((registry) => registry.close()));
  }
}

async function listAll(registry: Requester, user: string, prefix: string): Promise<Listing[]> {
  const all: Listing[] = [];
  for (let after = "";;) {
    const page = await registry.request("list", { user, prefix, after }, TIMEOUT);
    const groups = page.groups as Listing[];
    all.push(...groups);
    if (!page.more || groups.length === 0) return all;
    after = groups[groups.length - 1].name;
  }
}

/** A registry is a phone book, not an authority: a record counts by its own signature. */
function believable({ name, address, record }: Listing): boolean {
  if (typeof name !== "string" || typeof address !== "string") return false;
  if (nameProblem(name) || !isAddress(address)) return false;
  if (!record) return true;
  return record.name === name && record.address === address &&
    recordProblem(record, Date.now() - CLOCK_SLACK) === undefined;
}

function better(a: Listing, b: Listing): boolean {
  if (a.state !== b.state) return a.state === "live";
  return (a.record?.version ?? 0) > (b.record?.version ?? 0);
}
