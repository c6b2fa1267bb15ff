/** Who proved a key on which connections. Bounded: of one user so many. */

import { PRESENT_FOR } from "../protocol/limits.ts";
import type { Follower } from "./feed.ts";

/** A connection on which somebody proved a key. */
export interface Connection extends Follower {
  /** Never used again by the same server. */
  readonly id: string;
  /** When it was heard last, ms by `performance.now()`. */
  readonly heard: number;
  /** Ends it. */
  cut(why: string): void;
}

/** Connections of one user; the oldest is cut for another. */
const MAX_CONNECTIONS = 64;

/** The proved connections of one group, by user. */
export class Presence {
  readonly #byUser = new Map<string, readonly Connection[]>();
  readonly #byId = new Map<string, Connection>();
  /** Who is present at other servers of the group, as each of them tells. */
  readonly elsewhere: Set<ReadonlySet<string>> = new Set();

  /** From now on the connection is its user's; again is fine. */
  add(user: string, connection: Connection): void {
    const own = this.of(user);
    if (own.includes(connection)) return;
    this.#byId.set(connection.id, connection);
    this.#byUser.set(user, [...own, connection]);
    if (own.length >= MAX_CONNECTIONS) own[0].cut("its user has too many connections");
  }

  /** The connection is over. */
  remove(user: string, connection: Connection): void {
    this.#byId.delete(connection.id);
    const left = this.of(user).filter((one) => one !== connection);
    if (left.length > 0) this.#byUser.set(user, left);
    else this.#byUser.delete(user);
  }

  /** The connection of an id. */
  at(id: string): Connection | undefined {
    return this.#byId.get(id);
  }

  /** The user's connections, the oldest first; another list after each change. */
  of(user: string): readonly Connection[] {
    return this.#byUser.get(user) ?? [];
  }

  /** True if the user was heard lately, here or elsewhere; `now` is ms by `performance.now()`. */
  here(user: string, now: number = performance.now()): boolean {
    if (isRecent(this.of(user), now)) return true;
    for (const users of this.elsewhere) if (users.has(user)) return true;
    return false;
  }

  /** Who was heard lately by this server; `now` is ms by `performance.now()`. */
  own(now: number = performance.now()): Set<string> {
    const users = new Set<string>();
    for (const [user, connections] of this.#byUser) {
      if (isRecent(connections, now)) users.add(user);
    }
    return users;
  }
}

function isRecent(connections: readonly Connection[], now: number): boolean {
  return connections.some(({ heard }) => now - heard <= PRESENT_FOR);
}
