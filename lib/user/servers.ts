/**
 * The servers of one group: where it is asked, and where else it can be. A group of one server has
 * one address, and this has nothing to choose. Pure, but for chance.
 */

import { MAX_SERVERS } from "../protocol/limits.ts";
import type { GroupTarget } from "../store/user_store.ts";
import { isIpc } from "../text/addresses.ts";

/** Where a group is. */
type Places = Pick<GroupTarget, "address" | "servers">;

/** One of some, each as likely as the others. */
export function anyOf<T>(all: readonly T[]): T {
  return all[Math.floor(Math.random() * all.length)];
}

/** The same group at any of its servers: so its users spread over them. */
export function atAny<T extends Places>(target: T): T {
  const { address, servers = [] } = target;
  const all = [address, ...servers];
  const chosen = anyOf(all);
  return { ...target, address: chosen, servers: all.filter((other) => other !== chosen) };
}

/** Goes from one to another, each once, until one answers. */
export class Servers {
  /** Where it is asked now. */
  address: string;
  #others: readonly string[];
  /** Since {@linkcode again}. */
  readonly #tried = new Set<string>();
  /** Since the group said where it is. */
  readonly #failed = new Set<string>();
  /** Where another one answered, since it did itself. */
  readonly #strangers = new Set<string>();

  constructor({ address, servers = [] }: Places) {
    this.address = address;
    this.#others = servers;
  }

  /** Where else it can be. */
  get others(): readonly string[] {
    return this.#others;
  }

  /** There is somewhere else to go. */
  get several(): boolean {
    return this.#others.length > 0;
  }

  /** Somebody else answers where it is asked now. */
  meet(): void {
    this.#strangers.add(this.address);
  }

  /** Where somebody else answers now: others were met wherever else it can be. */
  get isLost(): boolean {
    return this.#others.every((address) => this.#strangers.has(address));
  }

  /** Goes to another one that was not tried, at random; false where none is left. */
  next(): boolean {
    this.#tried.add(this.address);
    this.#failed.add(this.address);
    return this.#goTo(this.#others);
  }

  #goTo(others: readonly string[]): boolean {
    const left = others.filter((address) => !this.#tried.has(address));
    if (left.length === 0) return false;
    const former = this.address;
    this.address = anyOf(left);
    this.#others = this.#without([former, ...this.#others]);
    return true;
  }

  /** Each can be tried again: one answers, or all were tried and time has passed. */
  again(): void {
    this.#tried.clear();
  }

  /**
   * The group itself says where it is, here among others. Of those that it leaves out the ones are
   * forgotten that failed; one that says nothing may be the last of them for a while, and none is.
   */
  told(servers: readonly string[]): void {
    this.#strangers.clear();
    const isKept = (address: string) => servers.length === 0 || !this.#failed.has(address);
    const own = servers.filter((address) => !isIpc(address));
    this.#others = this.#without([...own, ...this.#others.filter(isKept)]);
    this.#failed.clear();
  }

  /**
   * A registry says where it is: goes there when that is new. The only server of a group takes the
   * place of the one that was known; of several each is one more.
   *
   * @returns whether there was somewhere to go
   */
  found({ address, servers = [] }: Places): boolean {
    if (servers.length === 0 && this.#others.length === 0) {
      const isNew = address !== this.address;
      this.address = address;
      return isNew;
    }
    this.#tried.add(this.address);
    this.#others = this.#without([address, ...servers, ...this.#others]);
    return this.#goTo([address]) || this.#goTo(servers);
  }

  /** Each once, the first ones, without the one that is asked. */
  #without(addresses: readonly string[]): readonly string[] {
    const others = new Set(addresses);
    others.delete(this.address);
    return [...others].slice(0, MAX_SERVERS);
  }
}
