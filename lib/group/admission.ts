/**
 * Which CURVE keys may connect. To the commands: those of members, and those that came through the
 * door lately. To the live feed: members alone. To the door: any, but only so many a second from
 * one address. Everyone else is cut at the handshake, before a frame is read.
 */

import { Buckets, HANDSHAKE_BURST, HANDSHAKES } from "./rate.ts";
import type { GroupState } from "./state.ts";

/** Keys of non-members kept; the oldest is forgotten and must knock again. */
const MAX_GUESTS = 50_000;

/** See the head of this file. */
export class Admission {
  readonly #state: GroupState;
  readonly #founderKey: string;
  /** CURVE key → user id. */
  readonly #guests = new Map<string, string>();
  readonly #handshakes = new Buckets(HANDSHAKES, HANDSHAKE_BURST);
  #members = new Map<string, string>();

  constructor(state: GroupState, founderKey = "") {
    this.#state = state;
    this.#founderKey = founderKey;
    this.refresh();
  }

  /** Takes the members' keys from the state. */
  refresh(): void {
    this.#members = new Map();
    for (const { user, curve } of this.#state.members.values()) {
      if (curve) this.#members.set(curve, user);
    }
  }

  /** Lets a key in until it is forgotten or put out. */
  let(curve: string, user: string): void {
    this.#guests.delete(curve);
    if (this.#guests.size >= MAX_GUESTS) {
      this.#guests.delete(this.#guests.keys().next().value!);
    }
    this.#guests.set(curve, user);
  }

  /** Puts out every key of a user. */
  out(user: string): void {
    for (const [curve, owner] of this.#guests) if (owner === user) this.#guests.delete(curve);
    this.refresh();
  }

  /** Who is no member must knock again. */
  forgetGuests(): void {
    this.#guests.clear();
  }

  /** Asked for each handshake at the commands. */
  admits(curve: string): boolean {
    return this.#members.has(curve) || this.#guests.has(curve) || curve === this.#founderKey;
  }

  /** Asked for each handshake at the live feed. */
  admitsToFeed(curve: string): boolean {
    return this.#members.has(curve) || this.#state.members.has(this.#guests.get(curve) ?? "");
  }

  /** Asked for each handshake at the door. */
  admitsToDoor(address: string, now: number): boolean {
    return this.#handshakes.take(address, 1, now) === 0;
  }
}
