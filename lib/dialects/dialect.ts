/**
 * How strangers speak: a dialect turns their frames into plain requests, and replies into bytes.
 * Pure. Whoever serves one needs no more than this.
 *
 * A dialect has no keys: who its users are is a claim that anyone can make, so it is marked with `~`
 * inside zgroup and never equals the id of a user with a key.
 */

/** What a stranger can ask of a group. `user` is marked as claimed. */
export type GroupAsk =
  | { readonly op: "join" | "leave"; readonly user: string }
  | { readonly op: "send"; readonly user: string; readonly text: string }
  /** The newest messages since a time, ms since 1970. */
  | { readonly op: "history"; readonly user: string; readonly since: number };

/** What a stranger can ask of a registry. */
export type RegistryAsk =
  | { readonly op: "register"; readonly name: string; readonly address: string }
  | { readonly op: "list"; readonly user: string };

/** A message for a reader without paging. */
export interface PlainMessage {
  readonly author: string;
  readonly text: string;
  /** ms since 1970. */
  readonly at: number;
}

/** One dialect. */
export interface Dialect {
  /** True if the frames are to be answered in it, rubbish included. */
  speaks(frames: readonly Uint8Array[]): boolean;
  /** What rubbish and refusals are answered with. */
  readonly failed: string;
  readonly group: {
    /** The request; undefined for rubbish. `now`: ms since 1970, for times of day. */
    decode(frames: readonly Uint8Array[], now: number): GroupAsk | undefined;
    /** The answer to all that is done but a history. */
    readonly done: string;
    history(messages: readonly PlainMessage[]): string;
  };
  readonly registry: {
    decode(frames: readonly Uint8Array[]): RegistryAsk | undefined;
    readonly registered: string;
    list(groups: Iterable<{ readonly name: string; readonly address: string }>): string;
  };
}
