/** What a user keeps on disk. The engines are in `lib/log/`; several programs may share one. */

import type { Message } from "../protocol/schema.ts";

/** Where a group is and how to reach it, as far as known. */
export interface GroupTarget {
  /** Group id, UUID; empty until the first contact with a group found by address alone. */
  readonly id: string;
  readonly name: string;
  readonly address: string;
  /** CURVE public key (Z85), or empty for a plain group. */
  readonly curve: string;
  /** `host:port` of the door, or empty. */
  readonly door: string;
  /** The group's identity key, or empty. */
  readonly key: string;
}

/** A group a user knows. */
export interface StoredGroup extends GroupTarget {
  readonly joined: boolean;
  readonly role: string;
  /** Epoch the cursor belongs to; empty before the first read. */
  readonly epoch: string;
  /** Highest seq that the user has seen. */
  readonly cursor: number;
}

/** A user's folder. All calls are synchronous and safe beside other processes. */
export interface UserStore extends Disposable {
  groups(): StoredGroup[];
  /** Adds or replaces where a group is and whether it is joined; keeps its cursor. */
  save(group: GroupTarget & { readonly joined: boolean; readonly role: string }): void;
  forget(id: string): void;
  /** Moves a cursor forward; another epoch starts it again. */
  moveCursor(id: string, epoch: string, seq: number): void;
  /** Keeps messages until they are settled. */
  enqueue(group: string, messages: readonly Message[]): void;
  /** Messages not settled yet, in the order of their mids. */
  pending(group: string): Message[];
  /** Forgets messages that were acknowledged or refused for good. */
  settle(group: string, mids: readonly string[]): void;
  close(): void;
}
