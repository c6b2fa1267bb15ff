/** The groups a user knows, as its folder keeps them, and how far the user has seen each. */

import { Refusal } from "../errors.ts";
import { isAddress } from "../text/addresses.ts";
import { normalName } from "../text/names.ts";
import type { GroupTarget, StoredGroup, UserStore } from "../store/user_store.ts";

/** How long a cursor may wait to be kept, ms. */
const DELAY = 50;

/** What a person names a group by: an address as it is, a name or an id in its one spelling. */
export function toWanted(target: string): string {
  return isAddress(target) ? target : normalName(target);
}

/** How far a group was seen, and the epoch of that entry. */
type Cursor = Pick<StoredGroup, "epoch" | "cursor">;

/** Read from the folder again after each change: other programs may share it. */
export class KnownGroups {
  readonly #store: UserStore;
  #all: StoredGroup[];
  /** By group id: moved often, put on disk a moment later. */
  readonly #moved = new Map<string, Cursor>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(store: UserStore) {
    this.#store = store;
    this.#all = store.groups();
  }

  /** By name. */
  get all(): readonly StoredGroup[] {
    return this.#all;
  }

  get joined(): readonly StoredGroup[] {
    return this.#all.filter(({ joined }) => joined);
  }

  get(id: string): StoredGroup | undefined {
    return this.#all.find((group) => group.id === id);
  }

  /** The joined group of a name, address or id. @throws {Refusal} `not_member` */
  member(target: string): StoredGroup {
    const exact = this.joined.find(({ name }) => name === target);
    if (exact) return exact;
    const wanted = toWanted(target);
    const group = this.joined.find(({ id, name, address }) => [name, address, id].includes(wanted));
    if (group) return group;
    throw new Refusal("not_member", `Cannot do that in "${wanted}": join it first`);
  }

  /** Where a group is now; whether it is joined stays as it was. */
  learn(target: GroupTarget): void {
    const known = this.get(target.id);
    const key = target.key || (known?.key ?? "");
    this.#save({ ...target, key, joined: known?.joined ?? false, role: known?.role ?? "" });
  }

  /** We are a member, since some moment of this epoch. */
  enter(target: GroupTarget, role: string, epoch: string): void {
    this.#save({ ...target, joined: true, role });
    this.#store.moveCursor(target.id, epoch, 0);
    this.#reload();
  }

  /** We are no member any more. */
  leave(target: GroupTarget): void {
    this.#save({ ...target, joined: false, role: "" });
  }

  /** What lets the next handshake come before those of strangers. */
  admitted(id: string, ticket: string): void {
    const known = this.get(id);
    if (!known || known.ticket === ticket) return;
    try {
      this.#store.keepTicket(id, ticket);
      this.#reload();
    } catch {
      // No room, or held too long: the next program comes as a stranger, and this one goes on.
    }
  }

  forget(id: string): void {
    this.#store.forget(id);
    this.#reload();
  }

  /** Where the cursor of a group is, on disk or not. */
  cursor(group: StoredGroup): Cursor {
    return this.#moved.get(group.id) ?? group;
  }

  /** Moves a cursor forward, by default in its epoch; another one begins again. */
  seen(group: StoredGroup, seq: number, epoch?: string): void {
    const now = this.cursor(group);
    const next = { epoch: epoch ?? now.epoch, cursor: seq };
    if (next.epoch === now.epoch && seq <= now.cursor) return;
    this.#moved.set(group.id, next);
    this.#timer ??= setTimeout(() => this.#later(), DELAY);
  }

  #save(group: Parameters<UserStore["save"]>[0]): void {
    this.#store.save(group);
    this.#reload();
  }

  #reload(): void {
    this.#keepCursors();
    this.#all = this.#store.groups();
  }

  #later(): void {
    try {
      this.#reload();
    } catch {
      // What cannot be read now is told by whoever needs it, and not by a timer.
    }
  }

  #keepCursors(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [id, { epoch, cursor }] of this.#moved) {
      try {
        this.#store.moveCursor(id, epoch, cursor);
      } catch {
        // No room, or held too long: the next start shows some entries again.
      }
    }
    this.#moved.clear();
  }

  /** Puts the cursors on disk, and closes the folder. */
  close(): void {
    this.#keepCursors();
    this.#store.close();
  }
}
