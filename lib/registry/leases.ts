/** The leases of a registry, with an index for each question. Pure; knows no rules. */

import { GONE_AFTER } from "../protocol/limits.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import { SortedList } from "../structures/sorted.ts";
import { type Entry, Recency } from "../structures/recency.ts";

/** Where a group lives, for a while. */
export interface Lease {
  readonly name: string;
  readonly address: string;
  /** Who took it: an IP, as `networkOf` counts. */
  readonly origin: string;
  /** Absent for a group of dialect 002. */
  readonly record?: GroupRecord;
  /** Whether dialects are spoken there. */
  plain: boolean;
  /** Time of the last renewal, ms. */
  seen: number;
  /** Without a key: whether connections to it are tried. */
  readonly probed: boolean;
  /** Without a key: whether a connection could be made lately. */
  reachable: boolean;
}

interface Kept {
  readonly lease: Lease;
  /** Its places among all with a key, and among those at its address. */
  readonly among?: { readonly all: Entry<Lease>; readonly there: Entry<Lease> };
}

const UNMOVED = { begun: [], ended: [] };

/** The leases of one registry. */
export class Leases {
  readonly #leases = new Map<string, Kept>();
  readonly #sorted = new SortedList();
  /** Of those names the ones where dialects are spoken. */
  readonly #plain = new SortedList();
  readonly #byId = new Map<string, Lease>();
  /** Those with a key at an address: one whose group died may be listed where another is. */
  readonly #byAddress = new Map<string, Recency<Lease>>();
  /** Those with a key, in the order of their renewals. */
  readonly #renewed = new Recency<Lease>();
  readonly #keyless = new Map<string, Lease>();
  /** Names whose lease without a key began, ended, or is another since this was looked at. */
  #moved = new Set<string>();
  readonly #ofOrigin = new Map<string, number>();

  get size(): number {
    return this.#leases.size;
  }

  get(name: string): Lease | undefined {
    return this.#leases.get(name)?.lease;
  }

  byId(id: string): Lease | undefined {
    return this.#byId.get(id);
  }

  /** Of those with a key at an address, the one renewed last. */
  newestAt(address: string): Lease | undefined {
    return this.#byAddress.get(address)?.newest;
  }

  /** The one without a key at an address. */
  keylessAt(address: string): Lease | undefined {
    return this.#keyless.get(address);
  }

  /** All without a key, by address. */
  get keyless(): ReadonlyMap<string, Lease> {
    return this.#keyless;
  }

  /** How many one origin has taken. */
  ofOrigin(origin: string): number {
    return this.#ofOrigin.get(origin) ?? 0;
  }

  /** Those with a prefix that come after a name, in the order of names; all, or where dialects are spoken. */
  *after(prefix: string, name: string, plain: boolean): Generator<Lease, void, undefined> {
    const names = plain ? this.#plain : this.#sorted;
    for (const found of names.after(name, prefix)) yield this.#leases.get(found)!.lease;
  }

  /** Leases without a key that began, or are others, and names of those that ended, since the last call. */
  moved(): { readonly begun: readonly Lease[]; readonly ended: readonly string[] } {
    if (this.#moved.size === 0) return UNMOVED;
    const [begun, ended]: [Lease[], string[]] = [[], []];
    for (const name of this.#moved) {
      const lease = this.get(name);
      if (lease && !lease.record) begun.push(lease);
      else ended.push(name);
    }
    this.#moved = new Set();
    return { begun, ended };
  }

  /** Takes the place of the one of its name. One without a key needs a free address. */
  set(lease: Lease): void {
    const { name, address, origin, record, plain } = lease;
    const before = this.#leases.get(name);
    if (before) this.#unlink(before);
    else this.#sorted.add(name);
    this.#ofOrigin.set(origin, this.ofOrigin(origin) + 1);
    if (plain) this.#plain.add(name);
    if (!record) {
      this.#leases.set(name, { lease });
      this.#keyless.set(address, lease);
      this.#moved.add(name);
      return;
    }
    let there = this.#byAddress.get(address);
    if (!there) this.#byAddress.set(address, there = new Recency());
    const among = { all: this.#renewed.add(lease), there: there.add(lease) };
    this.#leases.set(name, { lease, among });
    this.#byId.set(record.id, lease);
  }

  /** One that is held was renewed. */
  renew(name: string, now: number, plain: boolean): void {
    const { lease, among } = this.#leases.get(name)!;
    lease.seen = now;
    if (plain && !lease.plain) {
      lease.plain = true;
      this.#plain.add(name);
    }
    if (!among) return;
    this.#renewed.touch(among.all);
    this.#byAddress.get(lease.address)!.touch(among.there);
  }

  delete(name: string): void {
    const kept = this.#leases.get(name);
    if (!kept) return;
    this.#unlink(kept);
    this.#leases.delete(name);
    this.#sorted.delete(name);
  }

  /** Takes it out of all but the names. */
  #unlink({ lease: { name, address, origin, record, plain }, among }: Kept): void {
    if (plain) this.#plain.delete(name);
    const left = this.ofOrigin(origin) - 1;
    if (left > 0) this.#ofOrigin.set(origin, left);
    else this.#ofOrigin.delete(origin);
    if (!record || !among) {
      this.#keyless.delete(address);
      this.#moved.add(name);
      return;
    }
    this.#byId.delete(record.id);
    this.#renewed.delete(among.all);
    const there = this.#byAddress.get(address)!;
    there.delete(among.there);
    if (!there.newest) this.#byAddress.delete(address);
  }

  /** Drops those that nobody renewed for 30 s, longest ago first, at most so many. */
  sweep(now: number, most: number): void {
    for (let i = 0; i < most; i++) {
      const oldest = this.#renewed.oldest;
      if (!oldest || !isGone(oldest, now)) return;
      this.delete(oldest.name);
    }
  }
}

/** True if nobody renewed it for 30 s; one without a key stays. */
export function isGone({ record, seen }: Lease, now: number): boolean {
  return record !== undefined && now - seen > GONE_AFTER;
}
