/** What a user keeps; several programs may share one store. */

import type { Checkpoint } from "../protocol/chain.ts";
import type { Message } from "../protocol/schema.ts";
import type { Known } from "./known_file.ts";

/** Where a group is and who it must be, as far as known. */
export interface GroupTarget {
  /** Group id, UUID; empty until the first contact with a group found by address alone. */
  readonly id: string;
  readonly name: string;
  /** Where it is met. */
  readonly address: string;
  /** Where else, when it has several servers; at most 16. */
  readonly servers?: readonly string[];
  /** The group's identity key; empty where only the id is known, which is made from it. */
  readonly key: string;
}

/** What proves later that a log goes on from where it was seen: ends of batches, `base` first. */
export interface Proof {
  /** The group vouched for it, in its log or by its hash. */
  readonly base?: Checkpoint;
  /** As it came live; the same as `base` where nothing came since. */
  readonly tip?: Checkpoint;
}

/** In place of a role: the membership ended here, and the group is still to be told. */
export const LEAVING = "leaving";
/** In place of a role: the group has banned this user. */
export const BANNED = "banned";

/** A group a user knows. */
export interface StoredGroup extends GroupTarget, Proof {
  readonly joined: boolean;
  /** As the group said last; empty, {@linkcode LEAVING} or {@linkcode BANNED} where it is not joined. */
  readonly role: string;
  /** Epoch the cursor belongs to; empty before the first read. */
  readonly epoch: string;
  /** Highest seq that the user has seen. */
  readonly cursor: number;
  /** What lets the next handshake come before those of strangers, base64url, or empty. */
  readonly ticket: string;
}

/** A user's folder. All calls are synchronous and safe beside other processes. */
export interface UserStore {
  /** What was found missing when it was opened and can be gone on without: sentences. */
  readonly warnings: readonly string[];
  groups(): StoredGroup[];
  /** Adds or replaces where a group is and whether it is joined; keeps its cursor and its ticket. */
  save(group: GroupTarget & { readonly joined: boolean; readonly role: string }): void;
  forget(id: string): void;
  /** Keeps the ticket of a known group. */
  keepTicket(id: string, ticket: string): void;
  /** The key of a registry by its address, as it had it at its first use. */
  pinned(address: string): string | undefined;
  pin(address: string, key: string): void;
  /** Moves a cursor forward, or keeps it with another proof; another epoch starts it again. */
  moveCursor(id: string, epoch: string, seq: number, proof?: Proof): void;
  /** Keeps messages until they are settled. `tried`, the default: the group may have them. */
  enqueue(group: string, messages: readonly Message[], tried?: boolean): void;
  /** The group may have these messages from now on. */
  tried(group: string, mids: readonly string[]): void;
  /** Those of a group's messages that it cannot have. */
  untried(group: string): ReadonlySet<string>;
  /** Those of these messages that are kept. */
  kept(group: string, mids: readonly string[]): ReadonlySet<string>;
  /** Messages not settled yet, in the order in which they came. */
  pending(group: string): Message[];
  /** When those came, ms since 1970, by mid; without those of which nobody knows. */
  since(group: string): ReadonlyMap<string, number>;
  /** Forgets messages that were acknowledged or refused for good. */
  settle(group: string, mids: readonly string[]): void;
  /** The same of messages that were taken back, which is remembered until they are sent again. */
  drop(group: string, mids: readonly string[]): void;
  /** Those of these messages that were taken back, by whichever program. */
  dropped(group: string, mids: readonly string[]): ReadonlySet<string>;
  close(): void;
}

/** What was found in a user's folder. */
export interface FoundStore extends Known {
  readonly groups: readonly StoredGroup[];
  /** Messages that wait, by group id. */
  readonly outbox: ReadonlyMap<string, readonly Message[]>;
  /** What is missing all the same: sentences. */
  readonly warnings: readonly string[];
}
