/**
 * Which groups live where, and which key took which name. Pure: no clock, no I/O. What a request
 * costs does not grow with the leases held; a list costs its page.
 *
 * A lease is soft state: it is quiet after 5 s without renewal and gone after 30 s. A group of
 * several servers has one for each, side by side. A name is kept: it belongs to the first key that
 * took it. A group of dialect 002 has no key, never
 * renews, and holds its lease until another takes its address, across restarts.
 */

import { Refusal } from "../errors.ts";
import { GONE_AFTER, MAX_FRAME, MAX_SERVERS, QUIET_AFTER } from "../protocol/limits.ts";
import { dateProblem, recordSignatureProblem } from "../protocol/record.ts";
import type { GroupRecord, Listing } from "../protocol/schema.ts";
import { isAt, networkOf } from "../text/addresses.ts";
import { isGone, type Lease, Leases } from "./leases.ts";
import type { KeylessPlace, TakenName } from "../store/name_store.ts";
import { full, TakenNames } from "./taken_names.ts";

/** Bounds of what strangers can make a registry keep. */
export interface RegistryLimits {
  /** Leases in all; default 100,000. */
  readonly leases?: number;
  /** Names of one key; default 64. */
  readonly namesPerKey?: number;
  /** Leases taken by one IP; default 16,384. */
  readonly perIp?: number;
  /** Names in all, those of groups that are gone included; default 1,000,000. */
  readonly names?: number;
  /** Leases without a key; default 1,000. */
  readonly keyless?: number;
}

/** Where a page of listings stops growing, bytes of JSON; leaves room for the envelope. */
const LIST_BYTES = MAX_FRAME - 4_096;
/** Most leases dropped by one request, and most names freed at once. */
const AT_ONCE = 1_000;

/** The state of one registry. */
export class RegistryState {
  readonly #limits: Required<RegistryLimits>;
  readonly #names: TakenNames;
  readonly #leases = new Leases();

  constructor(limits: RegistryLimits = {}) {
    this.#limits = {
      leases: 100_000,
      namesPerKey: 64,
      perIp: 16_384,
      names: 1_000_000,
      keyless: 1_000,
      ...limits,
    };
    this.#names = new TakenNames(this.#limits);
  }

  /** A name that a key took in an earlier run; the one seen longest ago first. */
  restore(taken: TakenName): void {
    this.#names.restore(taken);
  }

  /** Groups without a key of an earlier run, the oldest first: of too many the oldest are dropped. */
  restorePlaces(places: readonly KeylessPlace[]): void {
    for (const { name, address, origin, probed } of places.slice(-this.#limits.keyless)) {
      const lease = { name, address, origin, plain: true, probed };
      // There until a look says that it is not, and before that for nobody else.
      if (!this.#names.has(name)) this.#leases.set({ ...lease, seen: -Infinity, reachable: true });
    }
    this.#leases.moved(); // They are on disk.
  }

  /** Leases without a key that are to be kept, or forgotten, since the last call. */
  movedPlaces(): { readonly begun: readonly KeylessPlace[]; readonly ended: readonly string[] } {
    return this.#leases.moved();
  }

  /** True if a key has the name. */
  isTaken(name: string): boolean {
    return this.#names.has(name);
  }

  /** True if a group without a key is held there, by this name. */
  isPlace(name: string, address: string): boolean {
    return this.#leases.keylessAt(address)?.name === name;
  }

  /** When the lease was renewed last that this very record has; undefined when there is none. */
  renewedAt(record: GroupRecord): number | undefined {
    return this.#held(record)?.seen;
  }

  /** Whether a connection could be made to where this record was registered; undefined: not tried yet. */
  isReached(record: GroupRecord): boolean | undefined {
    return this.#held(record)?.reached;
  }

  /** What came of the try to connect. */
  reached(record: GroupRecord, reached: boolean): void {
    const lease = this.#held(record);
    if (lease) lease.reached = reached;
  }

  /** The lease of just this record: to register it again only renews it. */
  #held(record: GroupRecord): Lease | undefined {
    return this.#leases.of(record.name).find(({ record: held }) =>
      held?.sig === record.sig && sameRecord(held, record)
    );
  }

  /**
   * Takes or renews a lease.
   *
   * @param ip who asks
   * @param plain the group speaks dialects, too. Nobody signs that: who repeats another's record can
   * say it, and not take it back
   * @param now a clock that never jumps, the same for all methods, ms: leases are measured by it
   * @param date the date by which records expire, ms since 1970
   * @returns `renewed`, `moved` (known name, another record), or `taken` (the name is new)
   * @throws {Refusal} `bad_signature`, `stale_record`, `name_taken`, `busy`
   */
  register(
    record: GroupRecord,
    ip: string,
    now: number,
    date: number = now,
    plain: boolean = false,
  ): "renewed" | "moved" | "taken" {
    const { name, address } = record;
    const same = this.#held(record);
    // The signature covers everything and was checked when the lease was taken; the date may have
    // gone back since, and nobody else believes a record from ahead of it.
    if (same && dateProblem(record, date) === undefined) {
      this.#leases.renew(same, now, plain);
      this.#names.see(name, date);
      return "renewed";
    }
    check(record, date);
    this.sweep(now);
    const held = this.#leases.of(name);
    const beside = record.server !== undefined && held.every((lease) => isSibling(record, lease));
    if (!same) this.#names.check(record, beside, date);
    const former = beside ? this.#replaced(record, held, now) : held;
    if (former.length === 0 && this.#leases.size >= this.#limits.leases) throw full("groups");
    const origin = networkOf(ip);
    this.#checkOrigin(origin, former);
    const taken = this.#names.take(record, beside, date);
    this.#freeAddress(address, name, ip);
    const lease = { name, address, origin, record, plain, seen: now };
    this.#leases.set({ ...lease, probed: false, reachable: true }, former);
    return taken ? "taken" : "moved";
  }

  /** Of the leases of a group the ones that end when this server takes one. @throws {Refusal} `busy` */
  #replaced({ server, address }: GroupRecord, held: readonly Lease[], now: number): Lease[] {
    const former = held.filter((lease) =>
      lease.record?.server === server || lease.address === address
    );
    if (former.length > 0 || held.length < MAX_SERVERS) return former;
    const quiet = held.filter((lease) => this.#stateOf(lease, now) === "quiet");
    if (quiet.length === 0) throw full("servers of this group");
    return [quiet.reduce((a, b) => (b.seen < a.seen ? b : a))];
  }

  /** Takes back what {@linkcode register} took: the name could not be kept. */
  release(name: string): void {
    this.#leases.delete(name);
    this.#names.delete(name);
  }

  #checkOrigin(origin: string, former: readonly Lease[]): void {
    if (former.some((lease) => lease.origin === origin)) return;
    if (this.#leases.ofOrigin(origin) >= this.#limits.perIp) throw full("groups of this IP");
  }

  /**
   * Takes a lease without a key (dialect 002). Connections to it are tried only when it is at the
   * registrant's own IP: a registry knocks nowhere because a stranger said so.
   *
   * @throws {Refusal} `name_taken`, `address_taken`, `busy`
   */
  registerKeyless(name: string, address: string, ip: string, now: number): void {
    const [held] = this.#leases.of(name);
    const elsewhere = held && held.address !== address && this.#stateOf(held, now) === "live";
    if (this.#names.has(name) || elsewhere) {
      throw new Refusal("name_taken", `Cannot register "${name}": the name is taken`);
    }
    const own = isAt(address, ip);
    const there = this.#leases.keylessAt(address);
    const newest = this.#leases.newestAt(address);
    const foreign = !own && there && there.name !== name && there.probed && there.reachable;
    if (foreign || (newest && this.#stateOf(newest, now) === "live")) {
      throw new Refusal("address_taken", `Cannot register "${name}": ${address} is taken`);
    }
    const origin = networkOf(ip);
    this.#checkOrigin(origin, this.#leases.of(name));
    if (!held && !there && this.#leases.keyless.size >= this.#limits.keyless) this.#makeRoom(now);
    this.#freeAddress(address, name, ip);
    const probed = own || (held?.address === address && held.probed);
    const reachable = own || !held?.probed || held.address !== address || held.reachable;
    if (held && held.address === address && held.origin === origin && held.probed === probed) {
      held.reachable = reachable;
      return this.#leases.renew(held, now, true);
    }
    this.#leases.set({ name, address, origin, plain: true, seen: now, probed, reachable });
  }

  /** Of leases without a key the one goes that was quiet longest. @throws {Refusal} `busy` */
  #makeRoom(now: number): void {
    for (const lease of this.#leases.keyless.values()) {
      if (this.#stateOf(lease, now) === "quiet") return this.#leases.delete(lease.name);
    }
    throw full("groups without a key");
  }

  /**
   * Takes the lease of a group, or of one of its servers, back; what is not held is fine. The
   * signature was checked by the caller.
   */
  unregister(id: string, version: number, server?: string): GroupRecord | undefined {
    const lease = this.#leaseOf(id, server);
    if (!lease?.record || version < lease.record.version) return undefined;
    this.#leases.delete(lease.name, [lease]);
    return lease.record;
  }

  /** The record that a group, or one of its servers, holds now. */
  recordOf(id: string, server?: string): GroupRecord | undefined {
    return this.#leaseOf(id, server)?.record;
  }

  #leaseOf(id: string, server: string | undefined): Lease | undefined {
    return this.#leases.ofId(id).find(({ record }) => record?.server === server);
  }

  /**
   * Listings with the prefix, after a name, in the order of their UTF-16 text: at most `limit`, and
   * no more than fit into one frame.
   *
   * @param range with `plain` only those that speak dialects
   */
  list(
    { prefix, after, limit, plain = false }: {
      prefix: string;
      after: string;
      limit: number;
      plain?: boolean;
    },
    now: number,
  ): { groups: Listing[]; more: boolean } {
    this.sweep(now);
    const groups: Listing[] = [];
    let bytes = 0;
    for (const leases of this.#leases.after(prefix, after, plain)) {
      const listing = this.#listing(leases, now);
      if (!listing) continue;
      bytes += listingBytes(listing);
      if (groups.length === limit || bytes > LIST_BYTES) return { groups, more: true };
      groups.push(listing);
    }
    return { groups, more: false };
  }

  /** The group of a name, an id, or an address of any of its servers. */
  resolve(group: string, now: number): Listing | undefined {
    this.sweep(now);
    const named = this.#leases.of(group);
    const found = named.length > 0 ? named : this.#leases.ofId(group);
    if (found.length > 0) return this.#listing(found, now);
    const there = this.#newestAt(group);
    return there && !isGone(there, now)
      ? this.#listing(this.#leases.of(there.name), now)
      : undefined;
  }

  #newestAt(address: string): Lease | undefined {
    const newest = this.#leases.newestAt(address);
    const keyless = this.#leases.keylessAt(address);
    return newest && keyless && keyless.seen > newest.seen ? keyless : newest ?? keyless;
  }

  /** Leases without a key to which connections are to be tried. */
  probes(): { name: string; address: string }[] {
    return [...this.#leases.keyless.values()].filter(({ probed }) => probed);
  }

  /** What a probe found. */
  probed(name: string, address: string, reachable: boolean): void {
    const lease = this.#leases.keylessAt(address);
    if (lease?.name === name && lease.probed) lease.reachable = reachable;
  }

  /** Drops leases that nobody renewed for 30 s, a part of them at each call. */
  sweep(now: number): void {
    this.#leases.sweep(now, AT_ONCE);
  }

  /** Names whose date is to be written, a part of them at each call. */
  movedNames(): TakenName[] {
    return this.#names.moved(AT_ONCE);
  }

  /** Frees names that were not seen for a year, a part of them at each call; tells which. */
  freeNames(now: number, date: number): string[] {
    return this.#names.free(now, date, AT_ONCE);
  }

  get size(): number {
    return this.#leases.size;
  }

  /** Of the leases of one name: first a live one, where there is one, then the others. */
  #listing(leases: readonly Lease[], now: number): Listing | undefined {
    const all = leases.filter((lease) => !isGone(lease, now))
      .map((lease) => ({ lease, state: this.#stateOf(lease, now) }));
    const main = all.find(({ state }) => state === "live") ??
      all.toSorted((a, b) => b.lease.seen - a.lease.seen)[0];
    if (!main) return undefined;
    const { lease: { name, address, record }, state } = main;
    const servers = all.filter((other) => other !== main)
      .map(({ lease: { address, record }, state }) => ({ address, state, record: record! }));
    return {
      ...{ name, address, state },
      ...(record ? { record } : {}),
      ...(servers.length > 0 ? { servers } : {}),
    };
  }

  #stateOf({ record, seen, probed, reachable }: Lease, now: number): "live" | "quiet" {
    if (!record && probed) return reachable ? "live" : "quiet";
    return now - seen > (record ? QUIET_AFTER : GONE_AFTER) ? "quiet" : "live";
  }

  /**
   * A lease without a key ends when another group takes its address; one that is known to be there
   * only for who comes from there.
   */
  #freeAddress(address: string, name: string, ip: string): void {
    const lease = this.#leases.keylessAt(address);
    if (!lease || lease.name === name) return;
    if (lease.probed && lease.reachable && !isAt(address, ip)) return;
    this.#leases.delete(lease.name);
  }
}

/** @throws {Refusal} `bad_signature`, `stale_record` */
function check(record: GroupRecord, date: number): void {
  const untrue = recordSignatureProblem(record);
  const untimely = untrue ? undefined : dateProblem(record, date);
  if (untrue || untimely) {
    const code = untrue ? "bad_signature" : "stale_record";
    throw new Refusal(code, `Cannot register "${record.name}": ${untrue ?? untimely}`);
  }
}

/** Whether a lease is that of one of the servers of a record's group. */
function isSibling({ id }: GroupRecord, { record }: Lease): boolean {
  return record?.server !== undefined && record.id === id;
}

/** An upper bound of a listing's JSON: a UTF-16 unit of a name takes at most three bytes. */
function listingBytes({ name, address, record, servers = [] }: Listing): number {
  const own = 64 + 3 * name.length + address.length;
  const signed = (address: string) => 512 + 3 * name.length + address.length;
  const others = servers.map(({ address }) => 64 + address.length + signed(address));
  return own + (record ? signed(address) : 0) + others.reduce((sum, bytes) => sum + bytes, 0);
}

function sameRecord(a: GroupRecord, b: GroupRecord): boolean {
  return (Object.keys(a) as (keyof GroupRecord)[]).every((field) => a[field] === b[field]);
}
