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

/** Entries of a group that wait to be written. */
interface Waiting {
  /** Of a batch each. */
  readonly parts: (readonly GroupEntry[])[];
  entries: number;
  size: number;
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
    if (waiting && waiting.parts[0]?.[0].epoch !== entries[0].epoch) waiting = undefined;
    if (!waiting) this.#waiting.set(group, waiting = { parts: [], entries: 0, size: 0 });
    waiting.parts.push(entries);
    waiting.entries += entries.length;
    waiting.size += sizeOf(entries);
    // Of what would not be kept for long nothing is written.
    for (
      let [first] = waiting.parts;
      isTooMuch(waiting, first, this.#most);
      [first] = waiting.parts
    ) {
      waiting.parts.shift();
      waiting.entries -= first.length;
      waiting.size -= sizeOf(first);
    }
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
      const some: GroupEntry[] = [];
      while (waiting.parts.length > 0 && some.length < STEP) some.push(...waiting.parts.shift()!);
      if (waiting.parts.length === 0) this.#waiting.delete(group);
      waiting.entries -= some.length;
      waiting.size -= sizeOf(some);
      if (some.length > 0) this.#do((kept) => kept.put(group, some));
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

/** Whether the first of what waits is not among the newest that are kept. */
function isTooMuch({ entries, size }: Waiting, first: readonly GroupEntry[], most: number) {
  return entries - first.length >= most || size - sizeOf(first) > MOST_OF_GROUP;
}

function sizeOf(entries: readonly GroupEntry[]): number {
  let size = entries.length * AROUND;
  for (const { text } of entries) size += text?.length ?? 0;
  return size;
}
