/** What a user is made of. */

import type { SigningKey } from "../identity/keys.ts";
import type { UserStore } from "../store/user_store.ts";
import type { Transport } from "../transport/transport.ts";

export interface UserOptions {
  readonly transport: Transport;
  readonly store: UserStore;
  readonly key: SigningKey;
  readonly name: string;
  /** `HOST:PORT` of each registry, or `HOST:PORT#KEY`. */
  readonly registries: readonly string[];
  readonly mid: () => string;
  /** Begins at the server of a group where it was last; otherwise at any of them. */
  readonly stays?: boolean;
  /** Keeps a changed name. */
  renamed?(name: string): void;
}
