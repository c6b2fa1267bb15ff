/** What a link is made with, and how it is asked. */

import type { Refusal } from "../errors.ts";
import type { SigningKey } from "../identity/keys.ts";
import type { ServerIdentity } from "../session/identity.ts";
import type { GroupTarget } from "../store/user_store.ts";
import type { Transport } from "../transport/transport.ts";
import type { Alarm, LinkState } from "./types.ts";

export interface LinkOptions {
  readonly transport: Transport;
  readonly key: SigningKey;
  readonly name: () => string;
  readonly target: GroupTarget;
  /** For a member: the epoch in which it joined, as far as known. */
  readonly epoch?: string;
  /** From an earlier session. */
  readonly ticket?: string;
  /** The target as it proved to be. @throws {IdentityChanged} it is another group: nothing is sent */
  recognize(target: GroupTarget, identity: ServerIdentity): GroupTarget;
  /** What to do where nothing listens at an address; undefined where nothing more is known. */
  absent(address: string): string | undefined;
  /** Where the group is now, asked when it does not answer; undefined when nobody knows. */
  find(): Promise<GroupTarget | undefined>;
  /** The target changed: it moved, or more of it became known. */
  moved(target: GroupTarget): void;
  /** There is another ticket for the next session. */
  admitted(ticket: string): void;
  changed(state: LinkState): void;
  /** The group contradicts what it showed before. */
  alarm(alarm: Alarm): void;
  /** Somebody else is where one of its servers should be, and is passed by; said each time. */
  warn(text: string): void;
}

/** How one request is asked. */
export interface AskOptions {
  /** Give up after this many ms; default 4,500. Infinity: only when closed. */
  readonly within?: number;
  /** Give up one try after this many ms; default 2,000. The next tries take up to eight times it. */
  readonly each?: number;
  /** Called each time before the request goes out over an open session. */
  readonly asked?: () => void;
  /** Called with each refusal after which the same is asked again. */
  readonly delayed?: (refusal: Refusal) => void;
  /** Rejects with {@linkcode Closed} at once. */
  readonly signal?: AbortSignal;
}
