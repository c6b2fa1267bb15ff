/** Small named values of a group, with what pages, counts and look-ups need kept beside them. Pure. */

import { isUserId } from "../identity/ids.ts";
import { SortedList } from "../structures/sorted.ts";
import type { Role } from "./members.ts";

/** Beginnings of names. Stored: do not change. */
const BAN = "ban:";
const INVITE = "invite:";

/** What is kept of an invite. Stored: do not rename. */
export interface Invite {
  readonly uses: number;
  /** ms since 1970; 0 for a revoked one. */
  readonly expires: number;
  readonly role: Role;
  /** User id of its maker. */
  readonly by: string;
  /** When a revoked one would have expired, ms since 1970: until then it is known as revoked. */
  readonly revoked?: number;
}

const NONE: ReadonlySet<string> = new Set();

/** Bans, mutes, readers, admins who left, topic and invites, by name. */
export class Values extends Map<string, string> {
  readonly #bans = new SortedList();
  readonly #invites = new Map<string, Invite>();
  readonly #byMaker = new Map<string, Set<string>>();
  readonly #revoked = new Set<string>();
  /** 16 digits, then the name. */
  readonly #byExpiry = new SortedList();

  constructor(values: Iterable<readonly [string, string]> = []) {
    super();
    for (const [name, text] of values) this.set(name, text);
  }

  override set(name: string, text: string): this {
    this.#unlist(name);
    super.set(name, text);
    if (name.startsWith(BAN)) this.#bans.add(name);
    else if (name.startsWith(INVITE)) this.#list(name, JSON.parse(text));
    return this;
  }

  override delete(name: string): boolean {
    this.#unlist(name);
    return super.delete(name);
  }

  #list(name: string, invite: Invite): void {
    this.#invites.set(name, invite);
    this.#byExpiry.add(expiryKey(name, invite));
    const own = this.#byMaker.get(invite.by) ?? new Set();
    this.#byMaker.set(invite.by, own.add(name));
    if (invite.revoked !== undefined) this.#revoked.add(name);
  }

  #unlist(name: string): void {
    if (name.startsWith(BAN)) this.#bans.delete(name);
    const invite = this.#invites.get(name);
    if (!invite) return;
    this.#invites.delete(name);
    this.#revoked.delete(name);
    this.#byExpiry.delete(expiryKey(name, invite));
    const own = this.#byMaker.get(invite.by)!;
    own.delete(name);
    if (own.size === 0) this.#byMaker.delete(invite.by);
  }

  /** At most `most` banned users, with the name each had; what a former version took for an id is none. */
  banned(most: number): { user: string; name: string }[] {
    return this.#bans.page("", most)
      .map((key) => ({ user: key.slice(BAN.length), name: this.get(key)! }))
      .filter(({ user }) => isUserId(user));
  }

  /** Until when a user is muted, ms since 1970; 0: until it is taken back; undefined who may talk. */
  mutedUntil(user: string, now: number): number | undefined {
    const until = this.get(muteKey(user));
    return until === undefined || (until !== "0" && Number(until) <= now)
      ? undefined
      : Number(until);
  }

  /** The invite that a value of this name keeps. */
  invite(name: string): Invite | undefined {
    return this.#invites.get(name);
  }

  /** Every invite by the hash of its token, in the order of hashes, those after one; also dead ones. */
  *invitesAfter(hash: string): Generator<readonly [hash: string, invite: Invite]> {
    const names = [...this.#invites.keys()].filter((name) => name > inviteName(hash)).sort();
    for (const name of names) yield [name.slice(INVITE.length), this.#invites.get(name)!];
  }

  /** Names of revoked invites; not to be changed meanwhile. */
  get revokedInvites(): ReadonlySet<string> {
    return this.#revoked;
  }

  /** How many invites there are, expired and revoked ones included. */
  get invites(): number {
    return this.#invites.size;
  }

  /** Names of a maker's invites, expired ones included; not to be changed meanwhile. */
  invitesOf(maker: string): ReadonlySet<string> {
    return this.#byMaker.get(maker) ?? NONE;
  }

  /** Names of at most `most` invites whose time was over at or before `now`, the oldest first. */
  expiredInvites(now: number, most: number): string[] {
    const expired: string[] = [];
    for (const key of this.#byExpiry.after("")) {
      if (expired.length === most || Number(key.slice(0, DIGITS)) > now) break;
      expired.push(key.slice(DIGITS));
    }
    return expired;
  }
}

const DIGITS = 16;

function expiryKey(name: string, { expires, revoked = expires }: Invite): string {
  return String(revoked).padStart(DIGITS, "0") + name;
}

/** Name of the value that says that a user is banned. */
export function banKey(user: string): string {
  return BAN + user;
}

/** Name of the value that says that an admin made a user a reader: leaving does not undo it. */
export function readerKey(user: string): string {
  return `reader:${user}`;
}

/** Name of the value that says that a user left as an admin: until it is back it is judged as one. */
export function leftAdminKey(user: string): string {
  return `admin:${user}`;
}

/** Name of the value that says until when a user is muted, ms; `0`: until it is taken back. */
export function muteKey(user: string): string {
  return `mute:${user}`;
}

/** Name of the value that keeps the invite whose token has this hash. */
export function inviteName(hash: string): string {
  return INVITE + hash;
}
