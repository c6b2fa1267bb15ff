/**
 * Which groups live where, and which key took which name. Pure: no clock, no I/O.
 *
 * A lease is soft state: it is quiet after 5 s without renewal and gone after 30 s. A name is
 * kept: it belongs to the first key that took it. A group of dialect 002 has no key, never
 * renews, and holds its lease until another takes its address.
 */

import { Refusal } from "../errors.ts";
import { GONE_AFTER, MAX_FRAME, QUIET_AFTER, RECORD_LIFE } from "../protocol/limits.ts";
import { recordProblem } from "../protocol/record.ts";
import type { GroupRecord, Listing } from "../protocol/schema.ts";

interface Lease {
  readonly name: string;
  readonly address: string;
  readonly record?: GroupRecord;
  /** Time of the last renewal, ms. */
  seen: number;
  /** For a lease without a key: whether a connection could be made lately. */
  reachable: boolean;
}

/** Bounds of what strangers can make a registry keep. */
export interface RegistryLimits {
  /** Leases in all; default 100,000. */
  readonly leases?: number;
  /** Names of one key; default 64. */
  readonly namesPerKey?: number;
  /** Leases at addresses of one host; default 16,384. */
  readonly perHost?: number;
  /** Names in all, those of groups that are gone included; default 1,000,000. */
  readonly names?: number;
  /** Leases without a key; default 1,000. */
  readonly keyless?: number;
}

/** Where a page of listings stops growing, bytes of JSON; leaves room for the envelope. */
const LIST_BYTES = MAX_FRAME - 4_096;

/** How much the clocks of a group's machine and of the registry's may differ, ms. */
const CLOCK_SLACK = 300_000;

/** See the head of this file. */
export class RegistryState {
  readonly #limits: Required<RegistryLimits>;
  readonly #leases = new Map<string, Lease>();
  readonly #owners = new Map<string, string>();
  readonly #namesOfKey = new Map<string, number>();
  readonly #leasesOfHost = new Map<string, number>();
  /** Highest version seen of each name, so that an old record never comes back. */
  readonly #versions = new Map<string, number>();
  #sorted: string[] | undefined;

  constructor(limits: RegistryLimits = {}) {
    this.#limits = {
      leases: 100_000,
      namesPerKey: 64,
      perHost: 16_384,
      names: 1_000_000,
      keyless: 1_000,
      ...limits,
    };
  }

  /** A name that a key took in an earlier run. */
  restore(name: string, key: string): void {
    if (this.#owners.has(name)) return;
    this.#owners.set(name, key);
    this.#namesOfKey.set(key, (this.#namesOfKey.get(key) ?? 0) + 1);
  }

  /**
   * Takes or renews a lease.
   *
   * @param now a clock that never jumps, the same for all methods, ms: leases are measured by it
   * @param date the date by which records expire, ms since 1970
   * @returns `renewed`, `moved` (known name, another record), or `taken` (the name is new)
   * @throws {Refusal} `bad_signature`, `stale_record`, `name_taken`, `busy`
   */
  register(record: GroupRecord, now: number, date: number = now): "renewed" | "moved" | "taken" {
    const { name, key, version } = record;
    const held = this.#leases.get(name);
    if (held?.record?.sig === record.sig && record.expires > date) {
      // The signature covers everything and was checked when the lease was taken.
      if (sameRecord(held.record, record)) {
        held.seen = now;
        return "renewed";
      }
    }
    this.#check(record, date);
    const owner = this.#owners.get(name);
    if (owner !== undefined && owner !== key) {
      throw new Refusal("name_taken", `Cannot register "${name}": the name belongs to another key`);
    }
    if (version <= (this.#versions.get(name) ?? 0) && held?.record?.sig !== record.sig) {
      throw new Refusal("stale_record", `Cannot register "${name}": a newer record was seen`);
    }
    if (!held && this.#leases.size >= this.#limits.leases) throw full("groups");
    this.#checkHost(record.address, held);
    if (owner === undefined) {
      if (this.#owners.size >= this.#limits.names) throw full("names");
      const names = this.#namesOfKey.get(key) ?? 0;
      if (names >= this.#limits.namesPerKey) throw full("names of this key");
    }
    this.restore(name, key);
    this.#versions.set(name, version);
    this.#freeAddress(record.address, name);
    this.#set({ name, address: record.address, record, seen: now, reachable: true });
    return owner === undefined ? "taken" : "moved";
  }

  #checkHost(address: string, held: Lease | undefined): void {
    const host = hostOf(address);
    if (held && hostOf(held.address) === host) return;
    if ((this.#leasesOfHost.get(host) ?? 0) >= this.#limits.perHost) {
      throw full("groups at this address");
    }
  }

  #check(record: GroupRecord, now: number): void {
    const problem = recordProblem(record, now - CLOCK_SLACK);
    if (problem) {
      const code = problem.startsWith("it has expired") ? "stale_record" : "bad_signature";
      throw new Refusal(code, `Cannot register "${record.name}": ${problem}`);
    }
    if (record.expires > now + RECORD_LIFE + CLOCK_SLACK) {
      throw new Refusal(
        "stale_record",
        `Cannot register "${record.name}": its expiry is too far ahead; are both clocks right?`,
      );
    }
  }

  /**
   * Takes a lease without a key (dialect 002).
   *
   * @throws {Refusal} `name_taken`, `address_taken`, `busy`
   */
  registerKeyless(name: string, address: string, now: number): void {
    const held = this.#leases.get(name);
    const other = held && held.address !== address && held.reachable;
    if (this.#owners.has(name) || other) {
      throw new Refusal("name_taken", `Cannot register "${name}": the name is taken`);
    }
    for (const lease of this.#leases.values()) {
      if (lease.address === address && lease.record && this.#stateOf(lease, now) === "live") {
        throw new Refusal("address_taken", `Cannot register "${name}": ${address} is taken`);
      }
    }
    if (!held && this.keyless().length >= this.#limits.keyless) throw full("groups without a key");
    this.#checkHost(address, held);
    this.#freeAddress(address, name);
    this.#set({ name, address, seen: now, reachable: true });
  }

  /** Takes a lease back; what is not held is fine. The signature was checked by the caller. */
  unregister(id: string, version: number): GroupRecord | undefined {
    for (const { name, record } of this.#leases.values()) {
      if (record?.id !== id || version < record.version) continue;
      this.#delete(name);
      return record;
    }
    return undefined;
  }

  /** The record a group holds now. */
  recordOf(id: string): GroupRecord | undefined {
    for (const { record } of this.#leases.values()) if (record?.id === id) return record;
    return undefined;
  }

  /**
   * Listings with the prefix, after a name, in the order of their UTF-16 text: at most `limit`, and
   * no more than fit into one frame.
   */
  list(
    { prefix, after, limit }: { prefix: string; after: string; limit: number },
    now: number,
  ): { groups: Listing[]; more: boolean } {
    this.sweep(now);
    this.#sorted ??= [...this.#leases.keys()].sort();
    const names = this.#sorted;
    const groups: Listing[] = [];
    let bytes = 0;
    let i = after >= prefix && after !== "" ? above(names, after) : atOrAbove(names, prefix);
    for (; i < names.length && names[i].startsWith(prefix); i++) {
      const listing = this.#listing(this.#leases.get(names[i])!, now);
      bytes += listingBytes(listing);
      if (groups.length === limit || bytes > LIST_BYTES) return { groups, more: true };
      groups.push(listing);
    }
    return { groups, more: false };
  }

  /** The group of a name, an id, or an address. */
  resolve(group: string, now: number): Listing | undefined {
    this.sweep(now);
    const byName = this.#leases.get(group);
    if (byName) return this.#listing(byName, now);
    let newest: Lease | undefined;
    for (const lease of this.#leases.values()) {
      if (lease.record?.id === group) return this.#listing(lease, now);
      if (lease.address !== group || lease.seen < (newest?.seen ?? 0)) continue;
      newest = lease; // A group that died may still be listed at an address another has taken.
    }
    return newest && this.#listing(newest, now);
  }

  /** Leases without a key, whose reachability must be probed. */
  keyless(): { name: string; address: string }[] {
    return [...this.#leases.values()].filter(({ record }) => !record);
  }

  /** What a probe found. */
  probed(name: string, address: string, reachable: boolean): void {
    const lease = this.#leases.get(name);
    if (lease && !lease.record && lease.address === address) lease.reachable = reachable;
  }

  /** Drops leases that nobody renewed for 30 s. */
  sweep(now: number): void {
    for (const { name, record, seen } of this.#leases.values()) {
      if (record && now - seen > GONE_AFTER) this.#delete(name);
    }
  }

  get size(): number {
    return this.#leases.size;
  }

  #listing(lease: Lease, now: number): Listing {
    const { name, address, record } = lease;
    return { name, address, state: this.#stateOf(lease, now), ...(record ? { record } : {}) };
  }

  #stateOf({ record, seen, reachable }: Lease, now: number): "live" | "quiet" {
    if (!record) return reachable ? "live" : "quiet";
    return now - seen > QUIET_AFTER ? "quiet" : "live";
  }

  /** A lease without a key ends when another group takes its address. */
  #freeAddress(address: string, name: string): void {
    for (const lease of this.keyless()) {
      if (lease.address === address && lease.name !== name) this.#delete(lease.name);
    }
  }

  #set(lease: Lease): void {
    const before = this.#leases.get(lease.name);
    if (before) this.#count(before, -1);
    else this.#sorted = undefined;
    this.#count(lease, 1);
    this.#leases.set(lease.name, lease);
  }

  #delete(name: string): void {
    const lease = this.#leases.get(name);
    if (!lease) return;
    this.#leases.delete(name);
    this.#count(lease, -1);
    this.#sorted = undefined;
  }

  #count({ address }: Lease, change: number): void {
    const host = hostOf(address);
    const count = (this.#leasesOfHost.get(host) ?? 0) + change;
    if (count > 0) this.#leasesOfHost.set(host, count);
    else this.#leasesOfHost.delete(host);
  }
}

/** An upper bound of a listing's JSON: a UTF-16 unit of a name takes at most three bytes. */
function listingBytes({ name, address, record }: Listing): number {
  const own = 64 + 3 * name.length + address.length;
  if (!record) return own;
  return own + 512 + 3 * name.length + address.length + record.live.length + record.door.length;
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(":")).toLowerCase();
}

function sameRecord(a: GroupRecord, b: GroupRecord): boolean {
  return (Object.keys(a) as (keyof GroupRecord)[]).every((field) => a[field] === b[field]);
}

function full(what: string): Refusal {
  return new Refusal("busy", `Cannot register: the registry holds too many ${what}`, {
    retryAfter: 10_000,
  });
}

/** Index of the first name >= text. */
function atOrAbove(names: readonly string[], text: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle] < text) low = middle + 1;
    else high = middle;
  }
  return low;
}

function above(names: readonly string[], text: string): number {
  const i = atOrAbove(names, text);
  return names[i] === text ? i + 1 : i;
}
