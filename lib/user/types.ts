/** What a {@linkcode User} takes and gives. */

import type { ACTIONS } from "../protocol/batch.ts";

/** Whether a group answers, as far as known. */
export type LinkState = "connecting" | "live" | "unreachable";

/** A group the user is a member of, as far as known. */
export interface JoinedGroup {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** Where else it is, when it has several servers. */
  readonly servers?: readonly string[];
  /** `founder`, `admin`, `member` or `reader`; a later version may know others. */
  readonly role: string;
  readonly state: LinkState;
  /** Entries after the cursor; 0 before the group was reached. */
  readonly unread: number;
  /** Messages in the outbox that this program has in hand, and the group has not acknowledged. */
  readonly waiting: number;
  /** Highest seq the user has seen. */
  readonly cursor: number;
  /** Public key that it proved; empty when it was joined long ago and did not answer since. */
  readonly key: string;
}

/** Who answered when a known group or registry was looked at anew. */
export interface Trusted {
  /** `the group "Lab"`, `the registry at 127.0.0.1:5555`. */
  readonly what: string;
  /** Public key that was known; undefined when there was none. */
  readonly before: string | undefined;
  /** Public key that answers, which is known from now on. */
  readonly now: string;
  readonly changed: boolean;
  /** Of a group: whether this user is a member of the one that answers. */
  readonly member?: boolean;
  /** Messages in the outbox that are for the former one, and for nobody else. */
  readonly unsent?: number;
}

/** A registry, and the public key that it must have. */
export interface RegistryInfo {
  readonly address: string;
  /** Undefined before its first use. */
  readonly key: string | undefined;
  /** True where the key was given with the address; false where it was pinned at the first use. */
  readonly given: boolean;
}

/** A member of a group. */
export interface MemberInfo {
  readonly user: string;
  readonly name: string;
  /** `founder`, `admin`, `member` or `reader`; a later version may know others. */
  readonly role: string;
  /** True if the member was heard within the last 15 s. */
  readonly present: boolean;
  /** Until when an admin has muted the member, ms since 1970; 0: until that is taken back. */
  readonly muted?: number;
}

/** Whom a group does not let back in. */
export interface BannedInfo {
  readonly user: string;
  /** The name at the time of the ban. */
  readonly name: string;
}

/** What is known of a group that is joined. */
export interface JoinOptions {
  /**
   * The group's public key, from who runs it: nobody else is joined, and a group of the same name
   * that is known already stays what it is. `target` is its `IP:PORT` then.
   */
  readonly key?: string;
}

/** How a message is sent. */
export interface SendOptions {
  /**
   * ms until {@linkcode Unreachable}; default 4,500. While a group answers that it cannot take more
   * (a rate, a full disk) the call waits on.
   */
  readonly within?: number;
  /**
   * The message's id, a UUID: what is sent again with the same id and text, by whichever program of
   * this user, is in the log once. One of version 7 is taken as it is, its time at most a day ahead;
   * of another version one of version 7 is made, always the same. By default a new one.
   */
  readonly mid?: string;
}

/** Where a message stands in the group's log. */
export interface Receipt {
  readonly mid: string;
  readonly seq: number;
  /** The group's clock, ms since 1970. */
  readonly at: number;
  /** True when the group had it already, under the same id and with the same text. */
  readonly duplicate: boolean;
}

/** A message of this user that waits in the outbox. */
export interface Unsent {
  /** Name of the group. */
  readonly group: string;
  readonly mid: string;
  readonly text: string;
  /** When it was sent, ms since 1970; absent where an earlier version kept it under another UUID. */
  readonly at?: number;
  /** True where it went out, or may have, and no answer came: the group may have it. */
  readonly tried: boolean;
}

/** How long what waits is tried. */
export interface FlushOptions {
  /** Gives up when nothing was accepted for this long, ms; default 4,500. Infinity: never. */
  readonly within?: number;
  /** Gives up at once. */
  readonly signal?: AbortSignal;
}

/** What became of what waited for one group. */
export interface Flushed {
  /** Name of the group. */
  readonly group: string;
  /** Messages that are in its log now. */
  readonly sent: number;
  /** Messages that it has refused for good. */
  readonly refused: number;
  /** Messages that still wait. */
  readonly waiting: number;
  /** Why they do. */
  readonly reason?: string;
}

/** How a membership ended. */
export interface Left {
  /** False where the group did not answer within 2 s: it is told when it does. */
  readonly told: boolean;
  /** Messages in the outbox for it, which go out only where it is joined again. */
  readonly unsent: number;
}

/** What became of a message of this user. */
export interface OutboxEvent {
  readonly mid: string;
  readonly text: string;
  /** On this disk; in the group's log; refused for good; taken back, see {@linkcode User.unsend}. */
  readonly state: "pending" | "sent" | "failed" | "dropped";
  /** Why it was refused, or is not sent. */
  readonly reason?: string;
}

/** What was checked of a group's history, and its hash. */
export interface Fingerprint {
  /** Random id of the log; fingerprints of different epochs cannot be compared. */
  readonly epoch: string;
  /** Oldest entry that was checked: 1, unless the group keeps no longer. */
  readonly from: number;
  /** Last entry that is covered: the end of the batch that holds the wanted one. */
  readonly seq: number;
  /** Base64url. */
  readonly hash: string;
}

/** What was found about one server. */
export interface ServerFound {
  /** What it is to a person: `registry`, or a group's name. */
  readonly what: string;
  readonly address: string;
  /** True for one of several servers of its group. */
  readonly several?: boolean;
  /** Why it cannot be used; absent when it answered. */
  readonly problem?: string;
  /** With a problem: nobody answers, another one does, or it cannot be asked from here. */
  readonly why?: "silent" | "another" | "unusable";
  /** How long the answer took, ms. */
  readonly took: number;
  /** Its clock less ours, ms; 0 when unknown. */
  readonly ahead: number;
  /** The public key that it proved; absent when it did not answer. */
  readonly key?: string;
}

/** A name that registries give to different groups: each key, and the registries that say so. */
export interface NameDispute {
  readonly name: string;
  readonly owners: readonly {
    /** The group's public key. */
    readonly key: string;
    /** `HOST:PORT` of each. */
    readonly registries: readonly string[];
    /** True for the group that this user knows by the name. */
    readonly known: boolean;
  }[];
}

/** What registries say, compared. */
export interface NamesCompared {
  /** Names that more than one registry lists. */
  readonly compared: number;
  readonly disputes: readonly NameDispute[];
}

/**
 * A group contradicts what it showed before.
 *
 * - `forked`: its history is another one from `seq` on; entries from there on have the signature
 *   `invalid`
 * - `rolled_back`: it ends before `seq`, which was seen
 * - `withheld`: it does not show `seq`, which it says that it keeps
 * - `corrected`: what was shown from `seq` on is not in its log; those that are follow, under the
 *   same seqs
 */
export interface Alarm {
  readonly why: "forked" | "rolled_back" | "withheld" | "corrected";
  readonly seq: number;
  /** A sentence for a person, with the way out. */
  readonly text: string;
}

/** Something that happened beside the entries. `group` is the group's name. */
export type UserEvent =
  | { readonly type: "state"; readonly group: string; readonly state: LinkState }
  | { readonly type: "epoch"; readonly group: string }
  | { readonly type: "typing"; readonly group: string; readonly name: string }
  | { readonly type: "warning"; readonly text: string }
  | ({ readonly type: "alarm"; readonly group: string } & Alarm)
  | ({ readonly type: "outbox"; readonly group: string } & OutboxEvent);

/** Where to begin to follow, and what ends it. */
export interface FollowRange {
  /**
   * `now`: what is not there yet when the first entry is asked for, or when the group first answers
   * after that; `cursor`, the default: behind what {@linkcode User.seen} was told; `start`: the
   * oldest entry. Not beside `after` or `since`.
   */
  readonly from?: "now" | "cursor" | "start";
  /** Entries with `seq` > after. */
  readonly after?: number;
  /** Entries with `at` >= since, ms since 1970; not used beside `after`. */
  readonly since?: number;
  /** The epoch that `after` belongs to: in another one everything is new. */
  readonly epoch?: string;
  readonly signal?: AbortSignal;
}

/** Which entries to read. Times in ms since 1970. */
export interface ReadOptions {
  /** Entries with `at` >= since. */
  readonly since?: number;
  /** Entries with `at` <= until. */
  readonly until?: number;
  /** Entries with `seq` > after. */
  readonly after?: number;
  /** Entries with `seq` < before. */
  readonly before?: number;
  /** At most so many; default all. */
  readonly limit?: number;
  /** The newest of them instead of the oldest, still in ascending order. */
  readonly last?: boolean;
}

/** Terms of an invite. */
export interface InviteTerms {
  /** How many may use it; default 1. */
  readonly uses?: number;
  /** How long it lasts, ms, at most a year; default seven days. */
  readonly for?: number;
  /** The role it gives; default `member`. */
  readonly role?: "admin" | "member" | "reader";
}

/** An invite that was made. */
export interface MadeInvite {
  /** By which it is revoked: SHA-256 of its token, 64 hex digits; the first 8 are enough to show. */
  readonly id: string;
  /** What others join by. */
  readonly link: string;
  /** The same without a registry, for a QR code. */
  readonly short: string;
  /** How many may still use it. */
  readonly uses: number;
  readonly role: "admin" | "member" | "reader";
  /** When it expires, ms since 1970. */
  readonly until: number;
}

/** An invite that still lets somebody in, as admins see it. */
export interface OpenInvite extends Omit<MadeInvite, "link" | "short"> {
  /** User id of who made it, and the name it has now. */
  readonly by: string;
  readonly name: string;
}

/** What an admin does; see PROTOCOL.md, `act`. */
export interface Action {
  readonly action: typeof ACTIONS[number];
  /**
   * A member: the user id, `#1a2b3c4d`, `alice#1a2b3c4d`, or the name in any case; where others have it
   * not, how it begins will do, except to remove and to ban.
   */
  readonly user?: string;
  /** Which role to give; default one step. */
  readonly role?: "admin" | "member" | "reader";
  /** How long a mute lasts, ms. */
  readonly for?: number;
  readonly topic?: string;
}

/** The invites of the groups of one user. */
export interface Invites {
  /**
   * Makes one; `user.invite` gives its link alone. What cannot be an invite is refused before the
   * group makes it.
   *
   * @param terms by default one member within seven days
   * @throws {UsageError} terms that cannot be; {Refusal} `forbidden` the role may not invite, or to a
   * role not below its own, or the share of open invites is used up; `bad_request` others cannot
   * reach the group; {Unreachable}
   */
  make(target: string, terms?: InviteTerms): Promise<MadeInvite>;
  /**
   * Invites of a group that still let somebody in, in the order of their ids.
   *
   * @throws {Refusal} `forbidden` to who is no admin; {Unreachable}; {BadReply}
   */
  open(target: string): Promise<OpenInvite[]>;
  /**
   * Takes an invite back, so that it lets nobody in from then on; who came by it stays. Again is fine.
   *
   * @param invite its id, the first digits of it, or `all`
   * @returns how many were open
   * @throws {Refusal} `forbidden` to who is no admin, `not_found` none that is open begins so;
   * {Unreachable}
   */
  revoke(target: string, invite: string): Promise<number>;
}
