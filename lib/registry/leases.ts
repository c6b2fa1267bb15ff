/** The leases of a registry, with an index for each question. Pure; knows no rules. */

import { GONE_AFTER } from "../protocol/limits.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import { SortedList } from "../structures/sorted.ts";
import { type Entry, Recency } from "../structures/recency.ts";

/** Where a group, or one of its servers, lives, for a while. */
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
  /** With a key: whether a connection could be made when it was taken; undefined: not tried. */
  reached?: boolean;
}

/** One that is held here. */
interface Held extends Lease {
  /** With a key: its places among all that have one, and among those at its address. */
  among?: { readonly all: Entry<Held>; readonly there: Entry<Held> };
}

const NONE: readonly Held[] = [];
const UNMOVED = { begun: [], ended: [] };

/** The leases of one registry. */
export class Leases {
  /** By name: those of one group, several where it has several servers, the oldest first. */
  readonly #named = new Map<string, readonly Held[]>();
  readonly #sorted = new SortedList();
  /** Of those names the ones where dialects are spoken. */
  readonly #plain = new SortedList();
  /** Id of a group → its name. */
  readonly #ids = new Map<string, string>();
  /** Those with a key at an address: one whose group died may be listed where another is. */
  readonly #byAddress = new Map<string, Recency<Held>>();
  /** Those with a key, in the order of their renewals. */
  readonly #renewed = new Recency<Held>();
  readonly #keyless = new Map<string, Held>();
  /** Names whose lease without a key began, ended, or is another since this was looked at. */
  #moved = new Set<string>();
  readonly #ofOrigin = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Those of a name, the oldest first: of one group, none where nobody has it. */
  of(name: string): readonly Lease[] {
    return this.#named.get(name) ?? NONE;
  }

  /** Those of the group with this id. */
  ofId(id: string): readonly Lease[] {
    return this.of(this.#ids.get(id) ?? "");
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

  /**
   * Those with a prefix that come after a name, name by name in their order; all, or where dialects
   * are spoken.
   */
  *after(
    prefix: string,
    name: string,
    plain: boolean,
  ): Generator<readonly Lease[], void, undefined> {
    const names = plain ? this.#plain : this.#sorted;
    for (const found of names.after(name, prefix)) {
      const leases = this.of(found);
      yield plain ? leases.filter((lease) => lease.plain) : leases;
    }
  }

  /** Leases without a key that began, or are others, and names of those that ended, since the last call. */
  moved(): { readonly begun: readonly Lease[]; readonly ended: readonly string[] } {
    if (this.#moved.size === 0) return UNMOVED;
    const [begun, ended]: [Lease[], string[]] = [[], []];
    for (const name of this.#moved) {
      const [lease] = this.of(name);
      if (lease && !lease.record) begun.push(lease);
      else ended.push(name);
    }
    this.#moved = new Set();
    return { begun, ended };
  }

  /**
   * Takes the place of the `former` ones of its name. Any others of that name are of other servers of
   * the same group. One without a key needs a free address.
   */
  set(lease: Lease, former: readonly Lease[] = this.of(lease.name)): void {
    const { name, address, origin, record } = lease;
    const others = this.#without(former, name);
    this.#sorted.add(name);
    this.#ofOrigin.set(origin, this.ofOrigin(origin) + 1);
    this.#size++;
    if (!record) {
      this.#hold(name, [lease]);
      this.#keyless.set(address, lease);
      this.#moved.add(name);
      return;
    }
    let there = this.#byAddress.get(address);
    if (!there) this.#byAddress.set(address, there = new Recency());
    const held: Held = { ...lease };
    held.among = { all: this.#renewed.add(held), there: there.add(held) };
    this.#hold(name, [...others, held]);
    this.#ids.set(record.id, name);
  }

  /** One that is held was renewed. */
  renew(lease: Lease, now: number, plain: boolean): void {
    lease.seen = now;
    if (plain && !lease.plain) {
      lease.plain = true;
      this.#plain.add(lease.name);
    }
    const { among } = lease as Held;
    if (!among) return;
    this.#renewed.touch(among.all);
    this.#byAddress.get(lease.address)!.touch(among.there);
  }

  /** Those of a name, all or some of them, end. */
  delete(name: string, former: readonly Lease[] = this.of(name)): void {
    if (former.length === 0) return;
    this.#hold(name, this.#without(former, name));
    if (this.of(name).length === 0) this.#sorted.delete(name);
  }

  /** What is left of a name's; the former are in no index any more. */
  #without(former: readonly Lease[], name: string): readonly Held[] {
    const others = (this.#named.get(name) ?? NONE).filter((lease) => !former.includes(lease));
    for (const lease of former) this.#unlink(lease);
    const [first] = former;
    if (others.length === 0 && first?.record) this.#ids.delete(first.record.id);
    return others;
  }

  #hold(name: string, leases: readonly Held[]): void {
    if (leases.length > 0) this.#named.set(name, leases);
    else this.#named.delete(name);
    if (leases.some(({ plain }) => plain)) this.#plain.add(name);
    else this.#plain.delete(name);
  }

  #unlink(lease: Held): void {
    const { name, address, origin, among } = lease;
    this.#size--;
    const left = this.ofOrigin(origin) - 1;
    if (left > 0) this.#ofOrigin.set(origin, left);
    else this.#ofOrigin.delete(origin);
    if (!among) {
      this.#keyless.delete(address);
      this.#moved.add(name);
      return;
    }
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
      this.delete(oldest.name, [oldest]);
    }
  }
}

/** True if nobody renewed it for 30 s; one without a key stays. */
export function isGone({ record, seen }: Lease, now: number): boolean {
  return record !== undefined && now - seen > GONE_AFTER;
}
