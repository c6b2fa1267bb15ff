/** Which servers a group has, and who is present where. */

import { Buffer } from "node:buffer";
import type { ReadBatch } from "../log/log.ts";
import { LIVE_BYTES, MAX_SERVERS } from "../protocol/limits.ts";
import { MAX_MEET } from "../protocol/schema.ts";

/** The servers of one group, as one of them knows them. */
export class Servers {
  /** `HOST:PORT` by which others reach this one. */
  readonly own: string;
  #others: readonly string[] = [];

  constructor(own: string) {
    this.own = own;
  }

  /** This one first; at most {@linkcode MAX_SERVERS}. */
  get all(): readonly string[] {
    return [this.own, ...this.#others];
  }

  /** All that there are, this one among them or not. */
  learn(servers: Iterable<string>): void {
    const others = new Set(servers);
    others.delete(this.own);
    this.#others = [...others].slice(0, MAX_SERVERS - 1);
  }
}

/** A server that hears what is new. */
interface Listener {
  /** Sends JSON, in order; who takes no more is cut, and reads the log when it is back. */
  push(json: string): boolean;
}

/**
 * What is new, told to the group's other servers over their sessions, which are sealed for each alone:
 * whoever has the key of the members' feed cannot speak for the holder.
 */
export class News {
  readonly #epoch: string;
  readonly #listeners = new Set<Listener>();

  constructor(epoch: string) {
    this.#epoch = epoch;
  }

  /** How many servers hear it. */
  get size(): number {
    return this.#listeners.size;
  }

  add(listener: Listener): void {
    this.#listeners.add(listener);
  }

  delete(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** The batches of one commit. */
  entries(batches: readonly ReadBatch[]): void {
    if (this.#listeners.size === 0) return;
    for (let at = 0; at < batches.length;) {
      const texts: string[] = [];
      const { first } = batches[at];
      let bytes = 0;
      do {
        texts.push(batches[at].json);
        bytes += Buffer.byteLength(batches[at].json);
      } while (++at < batches.length && bytes < LIVE_BYTES);
      this.#tell(`"from":${first},"batches":[${texts.join(",")}]`);
    }
  }

  /** How far the log goes: that the holder is there. */
  head(head: number): void {
    this.#tell(`"head":${head}`);
  }

  typing(user: string, name: string): void {
    this.#tell(`"typing":${JSON.stringify({ user, name })}`);
  }

  #tell(what: string): void {
    if (this.#listeners.size === 0) return;
    const json = `{"push":"news","epoch":"${this.#epoch}",${what}}`;
    for (const listener of this.#listeners) listener.push(json);
  }
}

/** Who came to a server and who left it since it was told last. */
export interface Comings {
  readonly came: readonly string[];
  readonly left: readonly string[];
}

/** Tells another server who is here: differences, some at a time. */
export class Telling {
  readonly #told = new Set<string>();

  /** What is to be told next; it counts as told. */
  next(here: ReadonlySet<string>): Comings {
    const came: string[] = [];
    const left: string[] = [];
    for (const user of here) {
      if (came.length < MAX_MEET && !this.#told.has(user)) came.push(user);
    }
    for (const user of this.#told) {
      if (left.length < MAX_MEET && !here.has(user)) left.push(user);
    }
    for (const user of came) this.#told.add(user);
    for (const user of left) this.#told.delete(user);
    return { came, left };
  }
}

/** Changes a set of users by what another server told. */
export function hear(users: Set<string>, { came, left }: Comings): void {
  for (const user of came) users.add(user);
  for (const user of left) users.delete(user);
}
