/** Which key has which name, kept for a year after its group was seen last. Pure. */

import { Refusal } from "../errors.ts";
import { CLOCK_SLACK } from "../protocol/limits.ts";
import type { TakenName } from "../store/name_store.ts";

const DAY = 86_400_000;
/** How long a name is kept that nobody renews, ms; its date is exact to a day. */
const NAME_LIFE = 366 * DAY;
/**
 * For how long the date must have been steady before a name is freed by it, ms: after a start the
 * groups renew first, and a clock that jumps for a moment frees nothing.
 */
const STEADY = 3_600_000;

interface Taken {
  readonly name: string;
  readonly key: string;
  /** The date it was seen, ms since 1970; moved once a day. */
  seen: number;
  /** Greatest version seen, so that a record never comes back that a later one replaced. */
  version: number;
}

/** The names of one registry. */
export class TakenNames {
  readonly #limits: { readonly names: number; readonly namesPerKey: number };
  /** In the order in which they were seen. */
  readonly #names = new Map<string, Taken>();
  readonly #ofKey = new Map<string, number>();
  readonly #moved = new Set<string>();
  /** The date less the clock when the date was looked at first, and when that was. */
  #offset = NaN;
  #since = 0;

  constructor(limits: { readonly names: number; readonly namesPerKey: number }) {
    this.#limits = limits;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** A name of an earlier run; the one seen longest ago first. */
  restore({ name, key, seen }: TakenName): void {
    if (!this.#names.has(name)) this.#add({ name, key, seen, version: 0 });
  }

  /** Whether a record may be taken. @throws {Refusal} `name_taken`, `stale_record`, `busy` */
  check(name: string, key: string, version: number, date: number): void {
    const taken = this.#names.get(name);
    if (!taken) {
      if (this.#names.size >= this.#limits.names) throw full("names");
      if ((this.#ofKey.get(key) ?? 0) >= this.#limits.namesPerKey) throw full("names of this key");
      return;
    }
    if (taken.key !== key) {
      throw new Refusal("name_taken", `Cannot register "${name}": the name belongs to another key`);
    }
    // A version ahead of the date can only be seen after the clock went back: it holds nobody up.
    if (version <= taken.version && taken.version <= date + CLOCK_SLACK) {
      throw new Refusal("stale_record", `Cannot register "${name}": a newer record was seen`);
    }
  }

  /** The key has the name from now on; true if it is new. {@linkcode check} was asked before. */
  take(name: string, key: string, version: number, date: number): boolean {
    const taken = this.#names.get(name);
    if (!taken) {
      this.#add({ name, key, seen: date, version });
      return true;
    }
    taken.version = version;
    this.see(name, date);
    return false;
  }

  /** Its group was seen. */
  see(name: string, date: number): void {
    const taken = this.#names.get(name);
    if (!taken || Math.abs(date - taken.seen) < DAY) return;
    taken.seen = date;
    this.#names.delete(name);
    this.#names.set(name, taken);
    this.#moved.add(name);
  }

  /** Names whose date moved since the last call, at most so many. */
  moved(most: number): TakenName[] {
    const found: TakenName[] = [];
    for (const name of this.#moved) {
      if (found.length === most) break;
      this.#moved.delete(name);
      const taken = this.#names.get(name);
      if (taken) found.push({ name, key: taken.key, seen: taken.seen });
    }
    return found;
  }

  /**
   * Frees names that were not seen for a year, at most so many, and tells which.
   *
   * @param now a clock that never jumps, ms
   */
  free(now: number, date: number, most: number): string[] {
    if (!(Math.abs(date - now - this.#offset) < STEADY)) {
      this.#offset = date - now;
      this.#since = now;
    }
    if (now - this.#since < STEADY) return [];
    const freed: string[] = [];
    for (const { name, seen } of this.#names.values()) {
      if (date - seen <= NAME_LIFE || freed.length === most) break;
      freed.push(name);
    }
    for (const name of freed) this.delete(name);
    return freed;
  }

  delete(name: string): void {
    const taken = this.#names.get(name);
    if (!taken) return;
    this.#names.delete(name);
    this.#moved.delete(name);
    const left = this.#ofKey.get(taken.key)! - 1;
    if (left > 0) this.#ofKey.set(taken.key, left);
    else this.#ofKey.delete(taken.key);
  }

  #add(taken: Taken): void {
    this.#names.set(taken.name, taken);
    this.#ofKey.set(taken.key, (this.#ofKey.get(taken.key) ?? 0) + 1);
  }
}

/** The refusal of a registry in which there is no room. */
export function full(what: string): Refusal {
  return new Refusal("busy", `Cannot register: the registry holds too many ${what}`, {
    retryAfter: 10_000,
  });
}
