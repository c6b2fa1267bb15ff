/**
 * What was read, in `messages.db` of a home, written off the way of what is read: entries wait in
 * memory until nothing has come for a second, and go to the disk in small steps.
 */

import { rmSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { FolderUnusable, LogDamaged } from "../errors.ts";
import { openFile } from "../disk/sqlite.ts";
import { damaged, openError } from "../disk/sqlite_errors.ts";
import type { GroupEntry } from "../protocol/batch.ts";
import type { KeptRange, KeptStore } from "./kept_store.ts";
import {
  fileId,
  hasKept,
  KEPT_FILES,
  KeptFile,
  keptPath,
  keptWords,
  setKeptAside,
} from "./sqlite_kept_file.ts";
import type { GroupTarget } from "./user_store.ts";

/** Most that is kept of a group, and that waits of one to be kept, characters of its entries. */
const MOST_OF_GROUP = 16 * 1_048_576;
/** Most that the file grows to, bytes. */
const MOST_OF_FILE = 256 * 1_048_576;
/** Nothing came for this long, or something has waited for that long: it is written, ms. */
const [QUIET, LATEST] = [1_000, 10_000];
/** Entries of one step: about 2 ms. */
const STEP = 250;
/** After what could not be written, nothing is kept for so long, ms. */
const REST = 10_000;
/** What an entry takes beside its text. */
const AROUND = 200;

/**
 * @param most entries of a group; undefined: what is kept can be read, and nothing is added; 0: what
 * is kept is removed
 * @throws {FolderUnusable} it cannot be removed
 */
export function sqliteKeptStore(folder: string, most: number | undefined): KeptStore {
  if (most === 0) removeKept(folder);
  return new SqliteKeptStore(folder, most ?? 0);
}

/** Removes what is kept, and what was set aside. @throws {FolderUnusable} */
function removeKept(folder: string): void {
  try {
    for (const end of KEPT_FILES) {
      rmSync(keptPath(folder) + end, { force: true });
      rmSync(`${keptPath(folder)}.damaged${end}`, { force: true });
    }
  } catch (cause) {
    throw new FolderUnusable(
      `Cannot remove ${keptPath(folder)}: ${(cause as Error).message}; remove it by hand`,
      { cause },
    );
  }
}

/** Why what is kept in a folder cannot be used; undefined where it can, or nothing is. */
export function keptProblem(folder: string): unknown {
  if (!hasKept(folder)) return undefined;
  try {
    const db = openFile(keptPath(folder), { readOnly: true });
    try {
      if (db.pragma("quick_check(1)") === "ok") return undefined;
      return damaged(keptPath(folder), 0, undefined, "", keptWords(folder).wayOut);
    } finally {
      db.close();
    }
  } catch (error) {
    return openError(keptPath(folder), keptWords(folder), error);
  }
}

/** Entries of a group and epoch that wait to be written. */
class Waiting {
  readonly epoch: string;
  /** Of a batch each, and how large it is. */
  #parts: { readonly entries: readonly GroupEntry[]; readonly size: number }[] = [];
  #entries = 0;
  #size = 0;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** Adds those of a batch. At most twice as many wait as are kept, and the oldest go then. */
  add(entries: readonly GroupEntry[], most: number): void {
    const size = sizeOf(entries);
    this.#parts.push({ entries, size });
    this.#entries += entries.length;
    this.#size += size;
    if (this.#entries > 2 * most || this.#size > 2 * MOST_OF_GROUP) this.#cut(most);
  }

  /** Keeps the newest. */
  #cut(most: number): void {
    let [entries, size] = [0, 0];
    const from = this.#parts.findLastIndex((part) => {
      const isEnough = entries >= most || size + part.size > MOST_OF_GROUP;
      if (!isEnough) [entries, size] = [entries + part.entries.length, size + part.size];
      return isEnough;
    });
    this.#parts.splice(0, from + 1);
    [this.#entries, this.#size] = [entries, size];
  }

  /** Takes the oldest of them, the newest `most` of all only; empty when none wait any more. */
  take(most: number): GroupEntry[] {
    if (this.#entries > most) this.#cut(most);
    const some: GroupEntry[] = [];
    let parts = 0;
    while (parts < this.#parts.length && some.length < STEP) {
      some.push(...this.#parts[parts++].entries);
    }
    for (const { entries, size } of this.#parts.splice(0, parts)) {
      this.#entries -= entries.length;
      this.#size -= size;
    }
    return some;
  }
}

class SqliteKeptStore implements KeptStore {
  readonly #folder: string;
  readonly #most: number;
  readonly #waiting = new Map<string, Waiting>();
  #file: { readonly kept: KeptFile; readonly id: number | undefined } | undefined;
  /** Since when something waits, and when something came last, ms. */
  #since = 0;
  #came = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #restsUntil = 0;
  #closed = false;

  constructor(folder: string, most: number) {
    this.#folder = folder;
    this.#most = most;
  }

  keep(group: string, entries: readonly GroupEntry[]): void {
    const now = performance.now();
    if (this.#most === 0 || entries.length === 0 || this.#closed || now < this.#restsUntil) return;
    let waiting = this.#waiting.get(group);
    if (waiting?.epoch !== entries[0].epoch) {
      this.#waiting.set(group, waiting = new Waiting(entries[0].epoch));
    }
    waiting.add(entries, this.#most);
    this.#came = now;
    if (this.#timer !== undefined) return;
    this.#since = now;
    this.#timer = setTimeout(() => void this.#later(), QUIET);
  }

  /** Writes when it has become quiet, or what waits has waited for long. */
  async #later(): Promise<void> {
    const now = performance.now();
    const wait = Math.min(this.#came + QUIET, this.#since + LATEST) - now;
    if (wait > 1) {
      this.#timer = setTimeout(() => void this.#later(), wait);
      return;
    }
    while (this.#step()) await turn();
    this.#timer = undefined;
  }

  /** Writes some of what waits; false when nothing does any more. */
  #step(): boolean {
    for (const [group, waiting] of this.#waiting) {
      const some = waiting.take(this.#most);
      if (some.length === 0) this.#waiting.delete(group);
      else this.#do((kept) => kept.put(group, some));
      return this.#waiting.size > 0;
    }
    return false;
  }

  read(group: Pick<GroupTarget, "id" | "name">, range: KeptRange): GroupEntry[] {
    while (this.#step());
    if (!hasKept(this.#folder)) return [];
    return this.#do((kept) => kept.read(group, range)) ?? [];
  }

  forget(group: string): void {
    this.#waiting.delete(group);
    if (hasKept(this.#folder)) this.#do((kept) => kept.forget(group));
  }

  /** Works on the file; a damaged one is set aside, and everything else that fails is let be. */
  #do<T>(work: (kept: KeptFile) => T): T | undefined {
    for (const isLast of [false, true]) {
      try {
        return work(this.#open());
      } catch (error) {
        const why = openError(keptPath(this.#folder), keptWords(this.#folder), error);
        const isMended = why instanceof LogDamaged && !isLast && this.#setAside();
        if (isMended) continue;
        this.#waiting.clear();
        this.#restsUntil = performance.now() + REST;
        return undefined;
      }
    }
  }

  /** The file of this name now: another program may have set ours aside, or removed it. */
  #open(): KeptFile {
    const id = fileId(this.#folder);
    if (this.#file && (this.#file.id !== id || id === undefined)) this.#shut();
    if (!this.#file) {
      const bounds = { entries: this.#most, bytes: MOST_OF_GROUP, file: MOST_OF_FILE };
      const kept = KeptFile.open(this.#folder, bounds);
      this.#file = { kept, id: fileId(this.#folder) };
    }
    return this.#file.kept;
  }

  #setAside(): boolean {
    const id = this.#file?.id ?? fileId(this.#folder);
    this.#shut();
    try {
      if (fileId(this.#folder) === id) setKeptAside(this.#folder);
      return true;
    } catch {
      return false; // A folder that cannot be written.
    }
  }

  #shut(): void {
    const file = this.#file;
    this.#file = undefined;
    try {
      file?.kept.close();
    } catch {
      // What it held is of no use any more.
    }
  }

  close(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    while (this.#step());
    this.#closed = true;
    this.#shut();
  }
}

function sizeOf(entries: readonly GroupEntry[]): number {
  let size = entries.length * AROUND;
  for (const { text } of entries) size += text?.length ?? 0;
  return size;
}
