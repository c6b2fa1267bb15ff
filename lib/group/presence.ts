/** Who proved a key on which connections. Bounded: of one user so many. */

import type { Session } from "../session/server.ts";
import { PRESENT_FOR } from "../protocol/limits.ts";

/** Connections of one user; the oldest is cut for another. */
const MAX_CONNECTIONS = 64;

/** The proved connections of one group, by user. */
export class Presence {
  readonly #byUser = new Map<string, readonly Session[]>();

  /** From now on the session is its actor's. */
  add(user: string, session: Session): void {
    const own = this.of(user);
    if (own.includes(session)) return;
    this.#byUser.set(user, [...own, session]);
    if (own.length >= MAX_CONNECTIONS) own[0].cut("its user has too many connections");
  }

  /** The session is over. */
  remove(user: string, session: Session): void {
    const left = this.of(user).filter((one) => one !== session);
    if (left.length > 0) this.#byUser.set(user, left);
    else this.#byUser.delete(user);
  }

  /** The user's connections, the oldest first; another list after each change. */
  of(user: string): readonly Session[] {
    return this.#byUser.get(user) ?? [];
  }

  /** True if the user was heard lately; `now` is ms by `performance.now()`. */
  here(user: string, now: number = performance.now()): boolean {
    return this.of(user).some((session) => now - session.heard <= PRESENT_FOR);
  }
}
