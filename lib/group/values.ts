/** Small named values of a group, with what pages and counts need kept beside them. Pure. */

import { isUserId } from "../identity/ids.ts";
import { SortedList } from "../structures/sorted.ts";

/** Beginnings of names. Stored: do not change. */
const BAN = "ban:";
const INVITE = "invite:";

/** Bans, mutes, readers, topic and invites, by name. */
export class Values extends Map<string, string> {
  readonly #bans = new SortedList();
  /** By expiry: 16 digits, then the name. */
  readonly #invites = new SortedList();

  constructor(values: Iterable<readonly [string, string]> = []) {
    super();
    for (const [name, text] of values) this.set(name, text);
  }

  override set(name: string, text: string): this {
    this.#unlist(name);
    super.set(name, text);
    if (name.startsWith(BAN)) this.#bans.add(name);
    else if (name.startsWith(INVITE)) this.#invites.add(inviteKey(name, text));
    return this;
  }

  override delete(name: string): boolean {
    this.#unlist(name);
    return super.delete(name);
  }

  #unlist(name: string): void {
    const former = this.get(name);
    if (former === undefined) return;
    if (name.startsWith(BAN)) this.#bans.delete(name);
    else if (name.startsWith(INVITE)) this.#invites.delete(inviteKey(name, former));
  }

  /** At most `most` banned users, with the name each had; what a former version took for an id is none. */
  banned(most: number): { user: string; name: string }[] {
    return this.#bans.page("", most)
      .map((key) => ({ user: key.slice(BAN.length), name: this.get(key)! }))
      .filter(({ user }) => isUserId(user));
  }

  /** Invites, expired ones included. */
  get invites(): number {
    return this.#invites.size;
  }

  /** Names of at most `most` invites that expired at or before `now`, the oldest first. */
  expiredInvites(now: number, most: number): string[] {
    return this.#invites.page("", most)
      .filter((key) => Number(key.slice(0, DIGITS)) <= now)
      .map((key) => key.slice(DIGITS));
  }
}

const DIGITS = 16;

function inviteKey(name: string, text: string): string {
  const { expires } = JSON.parse(text) as { expires: number };
  return String(expires).padStart(DIGITS, "0") + name;
}

/** Name of the value that says that a user is banned. */
export function banKey(user: string): string {
  return BAN + user;
}

/** Name of the value that says that an admin made a user a reader: leaving does not undo it. */
export function readerKey(user: string): string {
  return `reader:${user}`;
}

/** Name of the value that says until when a user is muted, ms; `0`: until it is taken back. */
export function muteKey(user: string): string {
  return `mute:${user}`;
}

/** Name of the value that keeps the invite whose token has this hash. */
export function inviteName(hash: string): string {
  return INVITE + hash;
}
