/** What a user is called. Another device of the same user may change it: its groups tell. */

import type { GroupEntry } from "../protocol/batch.ts";
import { checkedName, nameProblem } from "../text/names.ts";

interface OwnNameOptions {
  readonly id: string;
  readonly name: string;
  /** When it was chosen, ms since 1970. */
  readonly named?: number | undefined;
  /** There may be another device; otherwise no group is believed that tells of one. */
  readonly shared?: boolean | undefined;
  /** Keeps a changed name. */
  renamed?(name: string, named: number): void;
  /** Groups are told the name anew with the next request. */
  changed(): void;
  warn(text: string): void;
}

/** Of two choices the later one counts. */
export class OwnName {
  readonly #options: OwnNameOptions;
  #name: string;
  #named: number;

  constructor(options: OwnNameOptions) {
    this.#options = options;
    this.#name = options.name;
    this.#named = options.named ?? 0;
  }

  get current(): string {
    return this.#name;
  }

  /** @throws {UsageError} it is not usable; {FolderUnusable}, {DiskFull} it cannot be kept */
  choose(name: string): void {
    this.#set(checkedName(name), Date.now());
  }

  /** Entries of one batch were read, which may say that we chose another name elsewhere. */
  readonly read = ([{ kind, author, name, at }]: readonly GroupEntry[]): void => {
    const { id, shared } = this.#options;
    if (kind !== "rename" || author !== id || !shared || nameProblem(name) !== undefined) return;
    if (at <= this.#named || name === this.#name) return;
    try {
      this.#set(name, at);
    } catch {
      return; // It cannot be kept: the next program hears it again.
    }
    this.#options.warn(`you are ${name} now: so another program of yours chose`);
  };

  #set(name: string, named: number): void {
    this.#options.renamed?.(name, named);
    this.#name = name;
    this.#named = named;
    this.#options.changed();
  }
}
