/** What a link is made with: whom it connects, and who is told. */

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
