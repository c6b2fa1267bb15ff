/** Who speaks on which connection: challenges of `hello`, sessions of `prove`. Bounded. */

import { Refusal } from "../errors.ts";
import { randomToken, userId, verifies } from "../identity/keys.ts";
import { PRESENT_FOR } from "../protocol/limits.ts";
import { proofText } from "../protocol/record.ts";
import type { Peer } from "../transport/transport.ts";
import type { Actor } from "./state.ts";

/** A proved user on one connection. */
export interface Session {
  readonly token: string;
  readonly actor: Actor;
  readonly peer: Peer;
  /** Time of the last request, ms. */
  seen: number;
}

/** When there are too many, sessions unused for this long are forgotten, ms. */
const IDLE = 60_000;

export interface SessionLimits {
  /** Challenges that wait for their proof; default 4,096, the oldest is forgotten. */
  readonly challenges?: number;
  /** Sessions of one key; default 64, the oldest is forgotten. */
  readonly perKey?: number;
  /** Sessions of one connection; default 8, the oldest is forgotten. */
  readonly perPeer?: number;
  /** Sessions in all; default 100,000. */
  readonly total?: number;
}

/** All sessions of one group. */
export class Sessions {
  readonly #group: string;
  readonly #limits: Required<SessionLimits>;
  readonly #challenges = new Map<string, { nonce: string; key: string; name: string }>();
  readonly #byToken = new Map<string, Session>();
  readonly #byUser = new Map<string, Set<Session>>();
  readonly #byPeer = new Map<string, Set<Session>>();

  constructor(group: string, limits: SessionLimits = {}) {
    this.#group = group;
    this.#limits = { challenges: 4_096, perKey: 64, perPeer: 8, total: 100_000, ...limits };
  }

  /** The nonce that the peer must sign with the key it claims. */
  challenge(peer: Peer, key: string, name: string): string {
    this.#challenges.delete(peer.id);
    if (this.#challenges.size >= this.#limits.challenges) {
      this.#challenges.delete(this.#challenges.keys().next().value!);
    }
    const nonce = randomToken(32);
    this.#challenges.set(peer.id, { nonce, key, name });
    return nonce;
  }

  /** A session for the peer whose signature fits its challenge. @throws {Refusal} `bad_proof`, `busy` */
  prove(peer: Peer, sig: string, now: number): Session {
    const challenge = this.#challenges.get(peer.id);
    this.#challenges.delete(peer.id);
    if (!challenge) throw new Refusal("bad_proof", "Cannot prove: say hello first");
    const { nonce, key, name } = challenge;
    if (!verifies(key, proofText(nonce, this.#group), sig)) {
      throw new Refusal("bad_proof", "Cannot prove: the signature does not fit the key");
    }
    if (this.#byToken.size >= this.#limits.total) this.#sweep(now);
    if (this.#byToken.size >= this.#limits.total) {
      throw new Refusal("busy", "Cannot open a session: the group has too many, try again later", {
        retryAfter: 10_000,
      });
    }
    const user = userId(key);
    const session = { token: randomToken(), actor: { user, name, key }, peer, seen: now };
    this.#endOldest(this.#byUser.get(user), this.#limits.perKey);
    this.#endOldest(this.#byPeer.get(peer.id), this.#limits.perPeer);
    addTo(this.#byUser, user, session);
    addTo(this.#byPeer, peer.id, session);
    this.#byToken.set(session.token, session);
    return session;
  }

  #endOldest(sessions: Set<Session> | undefined, most: number): void {
    if (sessions && sessions.size >= most) this.#end(sessions.values().next().value!);
  }

  /** True if somebody proved a key on the connection. */
  proved(peer: Peer): boolean {
    return this.#byPeer.has(peer.id);
  }

  /** The session of a token, on the connection that proved it. @throws {Refusal} `no_session` */
  use(token: string, peer: Peer, now: number): Session {
    const session = this.#byToken.get(token);
    if (!session || session.peer.id !== peer.id) {
      throw new Refusal("no_session", "Cannot serve the request: say hello and prove first");
    }
    session.seen = now;
    return session;
  }

  /** True if the user sent a request within the last 6 s. */
  present(user: string, now: number): boolean {
    for (const session of this.#byUser.get(user) ?? []) {
      if (now - session.seen <= PRESENT_FOR) return true;
    }
    return false;
  }

  /** Ends every session of a user. */
  endAll(user: string): void {
    for (const session of [...this.#byUser.get(user) ?? []]) this.#end(session);
  }

  get size(): number {
    return this.#byToken.size;
  }

  #end(session: Session): void {
    this.#byToken.delete(session.token);
    removeFrom(this.#byUser, session.actor.user, session);
    removeFrom(this.#byPeer, session.peer.id, session);
  }

  #sweep(now: number): void {
    for (const session of [...this.#byToken.values()]) {
      if (now - session.seen > IDLE) this.#end(session);
    }
  }
}

function addTo(sets: Map<string, Set<Session>>, key: string, session: Session): void {
  const set = sets.get(key);
  if (set) set.add(session);
  else sets.set(key, new Set([session]));
}

function removeFrom(sets: Map<string, Set<Session>>, key: string, session: Session): void {
  const set = sets.get(key);
  set?.delete(session);
  if (set?.size === 0) sets.delete(key);
}
