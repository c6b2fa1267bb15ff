/** The groups a user knows, as its folder keeps them, and how far the user has seen each. */

import { Refusal } from "../errors.ts";
import { isAddress } from "../text/addresses.ts";
import { checkGiven } from "../text/given.ts";
import { normalName } from "../text/names.ts";
import type { GroupEntry } from "../protocol/batch.ts";
import type { Checkpoint } from "../protocol/chain.ts";
import type { KeptRange, KeptStore } from "../store/kept_store.ts";
import {
  BANNED,
  type GroupTarget,
  LEAVING,
  type Proof,
  type StoredGroup,
  type UserStore,
} from "../store/user_store.ts";

/** How long a cursor may wait to be kept, ms. */
const DELAY = 50;

/** Whether this is an address of the group. */
export function isAt({ address, servers = [] }: GroupTarget, wanted: string): boolean {
  return address === wanted || servers.includes(wanted);
}

/**
 * What a person names a group by: an address as it is, a name or an id in its one spelling.
 *
 * @throws {UsageError} it is no text
 */
export function toWanted(target: string): string {
  checkGiven("Cannot find a group", { target }, { target: "text" });
  return isAddress(target) ? target : normalName(target);
}

/** Proofs of a group that wait for its cursor at most; then every other one is forgotten. */
const MAX_PROOFS = 256;

/** How far a group was seen, the epoch of that entry, and what proves it. */
type Cursor = Pick<StoredGroup, "epoch" | "cursor" | "base" | "tip">;

/** What was checked of a history. */
export interface Checked {
  readonly epoch: string;
  /** Ends of batches, as they were when they were shown. */
  readonly points: readonly Checkpoint[];
}

/** Read from the folder again after each change: other programs may share it. */
export class KnownGroups {
  readonly #store: UserStore;
  readonly #kept: KeptStore | undefined;
  #all: StoredGroup[];
  /** By group id: moved often, put on disk a moment later. */
  readonly #moved = new Map<string, Cursor>();
  /** By group id: what was checked, ascending, for when the cursor gets there. */
  readonly #proofs = new Map<string, { readonly epoch: string; all: Proof[] }>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param kept where entries that were read are kept; absent: nowhere */
  constructor(store: UserStore, kept?: KeptStore) {
    this.#store = store;
    this.#kept = kept;
    this.#all = store.groups();
  }

  /** By name. */
  get all(): readonly StoredGroup[] {
    return this.#all;
  }

  get joined(): readonly StoredGroup[] {
    return this.#all.filter(({ joined }) => joined);
  }

  /** Those that are still to be told that we left. */
  get leaving(): readonly StoredGroup[] {
    return this.#all.filter(({ joined, role }) => !joined && role === LEAVING);
  }

  get(id: string): StoredGroup | undefined {
    return this.#all.find((group) => group.id === id);
  }

  /** The joined group of a name, address or id. @throws {Refusal} `not_member`, `banned` */
  member(target: string): StoredGroup {
    const group = find(this.joined, target);
    if (group) return group;
    const former = find(this.#all.filter(({ role }) => role === BANNED), target);
    if (former) {
      const why = "you are banned from it, until an admin lifts that";
      throw new Refusal("banned", `Cannot do that in "${former.name}": ${why}`);
    }
    throw new Refusal("not_member", `Cannot do that in "${toWanted(target)}": join it first`);
  }

  /** A known group of a name, address or id, a joined one before others. @throws {Refusal} `not_found` */
  known(target: string): StoredGroup {
    const group = find(this.joined, target) ?? find(this.#all, target);
    if (group) return group;
    throw new Refusal(
      "not_found",
      `Cannot find the group "${toWanted(target)}": it was never joined here`,
    );
  }

  /** Where a group is now, and where else, if that is said; whether it is joined stays as it was. */
  learn(target: GroupTarget): void {
    const known = this.get(target.id);
    const { key = "", joined = false, role = "", servers = [] } = known ?? {};
    const learned = { servers, ...target, key: target.key || key, joined, role };
    const isKnown = known !== undefined && known.name === learned.name && key === learned.key &&
      known.address === learned.address && servers.join() === learned.servers.join();
    if (!isKnown) this.#save(learned);
  }

  /** We are a member, since some moment of this epoch. */
  enter(target: GroupTarget, role: string, epoch: string): void {
    this.#save({ ...target, joined: true, role });
    this.#store.moveCursor(target.id, epoch, 0);
    this.#reload();
  }

  /** We are no member any more, and the group knows it, or is still to be told. */
  leave(target: GroupTarget, told = true): void {
    this.#save({ ...target, joined: false, role: told ? "" : LEAVING });
  }

  /** The group put us out. */
  putOut(target: GroupTarget, { code }: Refusal): void {
    this.#save({ ...target, joined: false, role: code === "banned" ? BANNED : "" });
  }

  /** Entries of one batch were read. */
  keep(id: string, entries: readonly GroupEntry[]): void {
    this.#kept?.keep(id, entries);
  }

  /** What is kept of what was read. */
  kept(group: GroupTarget, range: KeptRange): GroupEntry[] {
    return this.#kept?.read(group, range) ?? [];
  }

  /** What was seen of a group, what proves it and what is kept of it counts no longer. */
  beginAnew({ id }: GroupTarget): void {
    this.#kept?.forget(id);
    this.#moved.delete(id);
    this.#proofs.delete(id);
    this.#store.moveCursor(id, "", 0);
    this.#reload();
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
    this.#kept?.forget(id);
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
    this.#move(group.id, { ...next, ...this.#proofOf(group.id, next) ?? proofIn(next.epoch, now) });
  }

  /** What proves from now on that the log goes on from there; kept when the cursor has got there. */
  checked(group: StoredGroup, epoch: string, proof: Proof): void {
    const { id } = group;
    const { tip } = proof;
    if (!tip) return;
    let proofs = this.#proofs.get(id);
    if (proofs?.epoch !== epoch) this.#proofs.set(id, proofs = { epoch, all: [] });
    while ((proofs.all.at(-1)?.tip?.seq ?? -1) >= tip.seq) proofs.all.pop();
    proofs.all.push(proof);
    if (proofs.all.length > MAX_PROOFS) proofs.all = proofs.all.filter((_, i) => i % 2 === 0);
    const now = this.cursor(group);
    if (epoch !== now.epoch || tip.seq > now.cursor || tip.seq <= (now.tip?.seq ?? -1)) return;
    this.#move(id, { ...now, ...this.#proofOf(id, now) });
  }

  /** What a history that is served now must hold. */
  seenOf(group: StoredGroup): Checked {
    const { epoch, base, tip } = this.cursor(group);
    const proofs = this.#proofs.get(group.id);
    const newest = proofs?.epoch === epoch ? proofs.all.at(-1) : undefined;
    const points = [base, tip, newest?.base, newest?.tip].filter((point) => point !== undefined);
    return { epoch, points };
  }

  /** The newest proof of a place at or below a cursor; those before it are forgotten. */
  #proofOf(id: string, { epoch, cursor }: Cursor): Proof | undefined {
    const proofs = this.#proofs.get(id);
    if (proofs?.epoch !== epoch) return undefined;
    const at = proofs.all.findLastIndex(({ tip }) => tip!.seq <= cursor);
    if (at > 0) proofs.all.splice(0, at);
    return at < 0 ? undefined : proofs.all[0];
  }

  #move(id: string, cursor: Cursor): void {
    this.#moved.set(id, cursor);
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
    for (const [id, { epoch, cursor, base, tip }] of this.#moved) {
      try {
        this.#store.moveCursor(id, epoch, cursor, { base, tip });
      } catch {
        // No room, or held too long: the next start shows some entries again.
      }
    }
    this.#moved.clear();
  }

  /** Puts the cursors on disk, and closes the folder. */
  close(): void {
    this.#keepCursors();
    this.#kept?.close();
    this.#store.close();
  }
}

function find(groups: readonly StoredGroup[], target: string): StoredGroup | undefined {
  const wanted = toWanted(target);
  return groups.find(({ name }) => name === target) ??
    groups.find(({ id, name }) => id === wanted || name === wanted) ??
    groups.find((group) => isAt(group, wanted));
}

/** The proof of a former cursor, where it is of the same epoch: it lies below the next one, too. */
function proofIn(epoch: string, former: Cursor): Proof {
  return epoch === former.epoch ? { base: former.base, tip: former.tip } : {};
}
