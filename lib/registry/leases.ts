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

/** The leases of one registry. */
export class Leases {
  readonly #leases = new Map<string, Kept>();
  readonly #sorted = new SortedList();
  readonly #byId = new Map<string, Lease>();
  /** Those with a key at an address: one whose group died may be listed where another is. */
  readonly #byAddress = new Map<string, Recency<Lease>>();
  /** Those with a key, in the order of their renewals. */
  readonly #renewed = new Recency<Lease>();
  readonly #keyless = new Map<string, Lease>();
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

  /** Those with a prefix that come after a name, in the order of names. */
  *after(prefix: string, name: string): Generator<Lease, void, undefined> {
    for (const found of this.#sorted.after(name, prefix)) yield this.#leases.get(found)!.lease;
  }

  /** Takes the place of the one of its name. One without a key needs a free address. */
  set(lease: Lease): void {
    const { name, address, origin, record } = lease;
    const before = this.#leases.get(name);
    if (before) this.#unlink(before);
    else this.#sorted.add(name);
    this.#ofOrigin.set(origin, this.ofOrigin(origin) + 1);
    if (!record) {
      this.#leases.set(name, { lease });
      this.#keyless.set(address, lease);
      return;
    }
    let there = this.#byAddress.get(address);
    if (!there) this.#byAddress.set(address, there = new Recency());
    const among = { all: this.#renewed.add(lease), there: there.add(lease) };
    this.#leases.set(name, { lease, among });
    this.#byId.set(record.id, lease);
  }

  /** One that is held, with a key, was renewed. */
  renew(name: string, now: number): void {
    const { lease, among } = this.#leases.get(name)!;
    lease.seen = now;
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
  #unlink({ lease: { address, origin, record }, among }: Kept): void {
    const left = this.ofOrigin(origin) - 1;
    if (left > 0) this.#ofOrigin.set(origin, left);
    else this.#ofOrigin.delete(origin);
    if (!record || !among) {
      this.#keyless.delete(address);
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
