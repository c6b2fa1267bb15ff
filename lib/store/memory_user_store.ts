/** A user's things in memory: known groups, cursors, outbox; gone with the process. */

import type { Message } from "../protocol/schema.ts";
import type { FoundStore, Proof, StoredGroup, UserStore } from "./user_store.ts";

/** A store for a user without a folder, or of what one knows: without what waits to be sent. */
export function memoryStore(found?: Pick<FoundStore, "groups" | "pins">): UserStore {
  return new MemoryStore(found);
}

class MemoryStore implements UserStore {
  readonly warnings: readonly string[] = [];
  readonly #known: Map<string, StoredGroup>;
  readonly #pins: Map<string, string>;
  /** Group id → messages in the order in which they came. */
  readonly #outbox = new Map<string, Message[]>();
  /** Group id → mid → when it came, ms since 1970. */
  readonly #since = new Map<string, Map<string, number>>();
  /** Group id → mids of messages that were taken back. */
  readonly #dropped = new Map<string, Set<string>>();
  /** Group id → mids of messages that were not tried. */
  readonly #untried = new Map<string, Set<string>>();

  constructor({ groups, pins }: Pick<FoundStore, "groups" | "pins"> = { groups: [], pins: {} }) {
    this.#known = new Map(groups.map((group) => [group.id, group]));
    this.#pins = new Map(Object.entries(pins));
  }

  groups(): StoredGroup[] {
    return [...this.#known.values()].sort((a, b) => {
      const [one, other] = a.name === b.name ? [a.id, b.id] : [a.name, b.name];
      return one < other ? -1 : 1;
    });
  }

  save(group: Parameters<UserStore["save"]>[0]): void {
    const { epoch = "", cursor = 0, base, tip, ticket = "" } = this.#known.get(group.id) ?? {};
    const { id, name, address, servers = [], key, joined, role } = group;
    const others = servers.length > 0 ? { servers } : {};
    const seen = { epoch, cursor, base, tip };
    this.#known.set(id, { id, name, address, ...others, key, joined, role, ...seen, ticket });
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  keepTicket(id: string, ticket: string): void {
    const group = this.#known.get(id);
    if (group) this.#known.set(id, { ...group, ticket });
  }

  pinned(address: string): string | undefined {
    return this.#pins.get(address);
  }

  pin(address: string, key: string): void {
    this.#pins.set(address, key);
  }

  moveCursor(id: string, epoch: string, seq: number, { base, tip }: Proof = {}): void {
    const group = this.#known.get(id);
    if (!group || (group.epoch === epoch && group.cursor > seq)) return;
    this.#known.set(id, { ...group, epoch, cursor: seq, base, tip });
  }

  enqueue(group: string, messages: readonly Message[], tried = true): void {
    if (!tried) {
      const untried = this.#untried.get(group) ?? new Set();
      this.#untried.set(group, untried);
      for (const [mid] of messages) untried.add(mid);
    }
    const outbox = this.#outbox.get(group) ?? [];
    this.#outbox.set(group, outbox);
    const since = this.#since.get(group) ?? new Map<string, number>();
    this.#since.set(group, since);
    const now = Date.now();
    for (const message of messages) {
      const [mid] = message;
      this.#dropped.get(group)?.delete(mid);
      if (since.has(mid)) continue;
      since.set(mid, now);
      outbox.push(message);
    }
  }

  pending(group: string): Message[] {
    return [...this.#outbox.get(group) ?? []];
  }

  tried(group: string, mids: readonly string[]): void {
    const untried = this.#untried.get(group);
    for (const mid of mids) untried?.delete(mid);
  }

  untried(group: string): ReadonlySet<string> {
    return new Set(this.#untried.get(group));
  }

  kept(group: string, mids: readonly string[]): ReadonlySet<string> {
    const all = new Set(this.#outbox.get(group)?.map(([mid]) => mid));
    return new Set(mids.filter((mid) => all.has(mid)));
  }

  since(group: string): ReadonlyMap<string, number> {
    return new Map(this.#since.get(group));
  }

  drop(group: string, mids: readonly string[]): void {
    this.settle(group, mids);
    this.#dropped.set(group, new Set([...this.#dropped.get(group) ?? [], ...mids]));
  }

  dropped(group: string, mids: readonly string[]): ReadonlySet<string> {
    const dropped = this.#dropped.get(group);
    return new Set(mids.filter((mid) => dropped?.has(mid)));
  }

  settle(group: string, mids: readonly string[]): void {
    this.tried(group, mids);
    const outbox = this.#outbox.get(group);
    if (!outbox) return;
    for (const mid of mids) this.#since.get(group)?.delete(mid);
    // Nearly always those that have waited longest.
    let same = 0;
    while (same < mids.length && outbox[same]?.[0] === mids[same]) same++;
    outbox.splice(0, same);
    if (same === mids.length) return;
    const rest = new Set(mids.slice(same));
    this.#outbox.set(group, outbox.filter(([mid]) => !rest.has(mid)));
  }

  close(): void {}
}
