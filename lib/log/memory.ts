// deno-lint-ignore-file require-await -- the interface is asynchronous, this engine is not
/** A log that lives as long as its process: for tests and for groups that want no history on disk. */

import { randomUUID } from "node:crypto";
import { Closed, LogDamaged } from "../errors.ts";
import {
  firstBad,
  hashText,
  linkAfter,
  readable,
  sealAll,
  type SealedBatch,
  START,
} from "./chain.ts";
import type {
  Checked,
  Commit,
  DropLimits,
  Log,
  LogStart,
  MemberRow,
  Place,
  Places,
  Powers,
  ReadBatch,
  ReadRange,
  Watch,
} from "./log.ts";
import { fillPage } from "./page.ts";

/** A log in memory; what it held is gone after `close`. */
export function memoryLog(): Log {
  return new MemoryLog();
}

class MemoryLog implements Log {
  readonly engine = "memory";
  readonly #epoch = randomUUID();
  readonly #batches: SealedBatch[] = [];
  readonly #places = new Map<string, Map<string, Place>>();
  readonly #lastMid = new Map<string, string>();
  readonly #members = new Map<string, MemberRow>();
  readonly #values = new Map<string, string>();
  /** Index of the oldest batch that still has its content. */
  #kept = 0;
  #link = START;
  #closed = false;
  readonly #powers: Partial<Powers> = {
    drop: (limits) => this.#drop(limits),
    verify: (watch) => this.#verify(watch),
  };

  get tail(): number {
    return this.#batches[this.#kept]?.first ?? this.#link.seq + 1;
  }

  async open(): Promise<LogStart> {
    this.#guard();
    return {
      epoch: this.#epoch,
      head: this.#link.seq,
      at: this.#link.at,
      hash: hashText(this.#link.hash),
      tail: this.tail,
      members: [...this.#members.values()],
      values: Object.fromEntries(this.#values),
    };
  }

  async append(expectedHead: number, commit: Commit): Promise<readonly ReadBatch[]> {
    this.#guard();
    const { sealed, link } = sealAll(this.#link, expectedHead, commit.batches);
    for (const batch of commit.batches) this.#note(batch);
    for (const member of commit.members ?? []) this.#members.set(member.user, member);
    for (const user of commit.gone ?? []) this.#members.delete(user);
    for (const [name, value] of Object.entries(commit.values ?? {})) {
      if (value === undefined) this.#values.delete(name);
      else this.#values.set(name, value);
    }
    this.#batches.push(...sealed);
    this.#link = link;
    return sealed.map(readable);
  }

  async read(range: ReadRange): Promise<readonly ReadBatch[]> {
    this.#guard();
    return fillPage(this.#range(range), range).map(readable);
  }

  async find(author: string, mids: readonly string[]): Promise<Places> {
    this.#guard();
    const places = this.#places.get(author);
    const found = new Map<string, Place>();
    for (const mid of mids) {
      const place = places?.get(mid);
      if (place) found.set(mid, place);
    }
    return found;
  }

  async lastMid(author: string): Promise<string | undefined> {
    this.#guard();
    return this.#lastMid.get(author);
  }

  power<Name extends keyof Powers>(name: Name): Powers[Name] | undefined {
    return this.#powers[name];
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #drop({ keepFrom = 0, olderThan = 0 }: DropLimits): Promise<number> {
    this.#guard();
    const kept = Math.max(
      this.#index((batch) => batch.first + batch.count > keepFrom),
      this.#index((batch) => batch.at >= olderThan),
    );
    for (; this.#kept < Math.min(kept, this.#batches.length - 1); this.#kept++) {
      this.#batches[this.#kept] = { ...this.#batches[this.#kept], json: null };
    }
    return this.tail;
  }

  async #verify({ signal, progress }: Watch = {}): Promise<Checked> {
    this.#guard();
    let link = START;
    for (const batch of this.#batches) {
      const bad = firstBad(link, batch);
      if (bad !== undefined) {
        const message = `Cannot trust entry ${bad}: it is not what was written`;
        throw new LogDamaged("memory", bad, message);
      }
      link = linkAfter(batch);
      progress?.(link.seq, this.#link.seq);
      signal?.throwIfAborted();
    }
    return { entries: link.seq, batches: this.#batches.length, head: link.seq };
  }

  #guard() {
    if (this.#closed) throw new Closed("Cannot use the log: it was closed");
  }

  #note({ first, at, author, mids }: Commit["batches"][number]) {
    if (mids.length === 0) return;
    const places = this.#places.get(author) ?? new Map<string, Place>();
    this.#places.set(author, places);
    for (const [i, mid] of mids.entries()) places.set(mid, { seq: first + i, at });
    const newest = mids[mids.length - 1];
    if (newest > (this.#lastMid.get(author) ?? "")) this.#lastMid.set(author, newest);
  }

  *#range(range: ReadRange): Generator<SealedBatch> {
    const { after = 0, before = Infinity, since = 0, until = Infinity, last = false } = range;
    const start = Math.max(
      this.#kept,
      this.#index((batch) => batch.first + batch.count > after + 1),
      this.#index((batch) => batch.at >= since),
    );
    const end = Math.min(
      this.#index((batch) => batch.first >= before),
      this.#index((batch) => batch.at > until),
    );
    if (last) { for (let i = end - 1; i >= start; i--) yield this.#batches[i]; }
    else for (let i = start; i < end; i++) yield this.#batches[i];
  }

  /** Index of the first batch for which `holds` is true; it is true for all later ones. */
  #index(holds: (batch: SealedBatch) => boolean): number {
    let low = 0;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (holds(this.#batches[middle])) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
