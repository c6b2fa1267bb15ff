/** Which key has which name, kept for a year after its group was seen last. Pure. */

import { Refusal } from "../errors.ts";
import { CLOCK_SLACK } from "../protocol/limits.ts";
import type { GroupRecord } from "../protocol/schema.ts";
import type { TakenName } from "../store/name_store.ts";
import { ServerVersions } from "./server_versions.ts";

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
  /**
   * Greatest version seen, so that a record never comes back that a later one replaced. Of servers
   * that are remembered one by one it is said there.
   */
  version: number;
}

/** What of a record is looked at. */
type Claim = Pick<GroupRecord, "name" | "key" | "version" | "server">;

/** The names of one registry. */
export class TakenNames {
  readonly #limits: { readonly names: number; readonly namesPerKey: number };
  /** In the order in which they were seen. */
  readonly #names = new Map<string, Taken>();
  readonly #ofKey = new Map<string, number>();
  readonly #servers = new ServerVersions();
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

  /**
   * Whether a record may be taken.
   *
   * @param beside it names a server, and those of others of its group stay: their clocks do not count
   * @throws {Refusal} `name_taken`, `stale_record`, `busy`
   */
  check({ name, key, version, server }: Claim, beside: boolean, date: number): void {
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
    const own = beside ? this.#servers.get(name, server!) : undefined;
    const seen = own ?? (beside ? taken.version : this.#greatest(taken));
    if (version <= seen && seen <= date + CLOCK_SLACK) {
      throw new Refusal("stale_record", `Cannot register "${name}": a newer record was seen`);
    }
  }

  /** The key has the name from now on; true if it is new. {@linkcode check} was asked before. */
  take({ name, key, version, server }: Claim, beside: boolean, date: number): boolean {
    const held = this.#names.get(name);
    const taken = held ?? this.#add({ name, key, seen: date, version: 0 });
    if (!beside) {
      taken.version = this.#greatest(taken);
      this.#servers.clear(name);
    }
    if (server === undefined) taken.version = version;
    else this.#remember(name, server, version);
    if (held) this.see(name, date);
    return held === undefined;
  }

  #greatest({ name, version }: Taken): number {
    return Math.max(version, this.#servers.greatest(name));
  }

  #remember(name: string, server: string, version: number): void {
    const gone = this.#servers.set(name, server, version);
    const taken = gone && this.#names.get(gone.name);
    if (taken) taken.version = Math.max(taken.version, gone.version);
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
    this.#servers.clear(name);
    const left = this.#ofKey.get(taken.key)! - 1;
    if (left > 0) this.#ofKey.set(taken.key, left);
    else this.#ofKey.delete(taken.key);
  }

  #add(taken: Taken): Taken {
    this.#names.set(taken.name, taken);
    this.#ofKey.set(taken.key, (this.#ofKey.get(taken.key) ?? 0) + 1);
    return taken;
  }
}

/** The refusal of a registry in which there is no room. */
export function full(what: string): Refusal {
  return new Refusal("busy", `Cannot register: the registry holds too many ${what}`, {
    retryAfter: 10_000,
  });
}
