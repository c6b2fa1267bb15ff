/** What a user is made of. */

import type { SigningKey } from "../identity/keys.ts";
import type { KeptStore } from "../store/kept_store.ts";
import type { UserStore } from "../store/user_store.ts";
import type { Transport } from "../transport/transport.ts";

export interface UserOptions {
  readonly transport: Transport;
  readonly store: UserStore;
  /** Where entries that were read are kept, too; absent: nowhere. */
  readonly kept?: KeptStore | undefined;
  readonly key: SigningKey;
  readonly name: string;
  /** When that was chosen, ms since 1970; another device of this user may choose another one. */
  readonly named?: number | undefined;
  /** Whether there may be another device of this user. */
  readonly shared?: boolean | undefined;
  /** `HOST:PORT` of each registry, or `HOST:PORT#KEY`. */
  readonly registries: readonly string[];
  readonly mid: () => string;
  /** Begins at the server of a group where it was last; otherwise at any of them. */
  readonly stays?: boolean;
  /** Keeps a changed name. */
  renamed?(name: string, named: number): void;
}
