/** The rows of a history around where one is, of which a pager shows a screen. Pure. */

import { cutRows, foldedRows } from "../../text/width.ts";

/** Entries that are held; what is farthest from the screen goes first. */
export const HELD = 2_000;

/** What takes rows. */
interface Placed {
  readonly seq: number;
}

interface Row<E> {
  readonly text: string;
  readonly entry: E;
}

export class PageView<E extends Placed> {
  /** Makes lines of an entry, of the width of the terminal where they can be broken. */
  readonly #linesOf: (entry: E) => string;
  #entries: E[] = [];
  #rows: Row<E>[] = [];
  #columns = 80;
  #height = 24;
  #top = 0;
  /** The row that was found last, or from which the search goes on. */
  #found = 0;

  constructor(linesOf: (entry: E) => string) {
    this.#linesOf = linesOf;
  }

  get first(): E | undefined {
    return this.#entries[0];
  }

  get last(): E | undefined {
    return this.#entries.at(-1);
  }

  /** The rows on the screen, with how they stand to all. */
  get visible(): readonly Row<E>[] {
    return this.#rows.slice(this.#top, this.#top + this.#height);
  }

  /** Rows above the screen. */
  get above(): number {
    return this.#top;
  }

  /** Rows below the screen. */
  get below(): number {
    return Math.max(0, this.#rows.length - this.#top - this.#height);
  }

  /** Another size: the entry that stands at the top stays there, at the end the last one at the end. */
  resize(columns: number, height: number): void {
    if (columns === this.#columns && height === this.#height) return;
    const atEnd = this.below === 0;
    const entry = this.#rows[this.#top]?.entry;
    [this.#columns, this.#height] = [columns, height];
    this.#rows = this.#entries.flatMap((entry) => this.#rowsOf(entry));
    if (atEnd) this.toEnd();
    else this.#goTo(this.#rows.findIndex((row) => row.entry === entry));
  }

  /** Forgets all. */
  clear(): void {
    [this.#entries, this.#rows, this.#top] = [[], [], 0];
  }

  /** Entries before the first; the screen does not move. */
  addOlder(entries: readonly E[]): void {
    const { first } = this;
    const older = entries.filter(({ seq }) => first === undefined || seq < first.seq);
    const rows = older.flatMap((entry) => this.#rowsOf(entry));
    this.#entries = [...older, ...this.#entries];
    this.#rows = [...rows, ...this.#rows];
    this.#top += rows.length;
    this.#found += rows.length;
    const kept = this.#entries.slice(0, HELD);
    // Never what is on the screen.
    const end = this.visible.at(-1)?.entry.seq ?? 0;
    this.#entries = [...kept, ...this.#entries.slice(HELD).filter(({ seq }) => seq <= end)];
    const last = this.last?.seq ?? 0;
    this.#rows = this.#rows.filter(({ entry }) => entry.seq <= last);
  }

  /** Entries behind the last; a screen that stands at the end goes on with them. */
  addNewer(entries: readonly E[], follow = false): void {
    const { last } = this;
    const newer = entries.filter(({ seq }) => last === undefined || seq > last.seq);
    const atEnd = this.below === 0;
    this.#entries.push(...newer);
    for (const entry of newer) this.#rows.push(...this.#rowsOf(entry));
    if (follow && atEnd) this.toEnd();
    const begin = this.visible[0]?.entry.seq ?? 0;
    const over = this.#entries.slice(0, Math.max(0, this.#entries.length - HELD))
      .filter(({ seq }) => seq < begin).length;
    this.#entries.splice(0, over);
    const first = this.first?.seq ?? 0;
    const gone = this.#rows.findIndex(({ entry }) => entry.seq >= first);
    if (gone <= 0) return;
    this.#rows.splice(0, gone);
    this.#top = Math.max(0, this.#top - gone);
    this.#found -= gone;
  }

  /** Goes down by so many rows, up where it is negative; false when nothing moved. */
  scroll(rows: number): boolean {
    const before = this.#top;
    this.#goTo(before + rows);
    return this.#top !== before;
  }

  toStart(): void {
    this.#goTo(0);
  }

  toEnd(): void {
    this.#goTo(this.#rows.length);
  }

  /** A search begins below the screen. */
  searchFromHere(): void {
    this.#found = this.#top + this.#height;
  }

  /**
   * Goes to the next row that holds the words, in any case, below (1) or above (-1) the one that was
   * found last; false when none of those that are held does.
   */
  find(words: string, step: 1 | -1): boolean {
    const wanted = words.toLowerCase();
    const from = Math.max(-1, Math.min(this.#found, this.#rows.length));
    for (let at = from + step; at >= 0 && at < this.#rows.length; at += step) {
      if (!withoutColour(this.#rows[at].text).toLowerCase().includes(wanted)) continue;
      this.#found = at;
      const shown = at >= this.#top && at < this.#top + this.#height;
      if (!shown) this.#goTo(at - (this.#height >> 1));
      return true;
    }
    return false;
  }

  #goTo(top: number): void {
    this.#top = Math.max(0, Math.min(top, this.#rows.length - this.#height));
  }

  #rowsOf(entry: E): Row<E>[] {
    return this.#linesOf(entry).split("\n").flatMap((line) => foldedRows(line, this.#columns))
      .flatMap((row) => cutRows(row, this.#columns))
      .map((text) => ({ text, entry }));
  }
}

// deno-lint-ignore no-control-regex -- colours are such
const COLOUR = /\x1b\[[\d;]*m/g;

/** A row without its colours. */
export function withoutColour(row: string): string {
  return row.replace(COLOUR, "");
}

/** A row in which the words stand out, in any case. */
export function marked(row: string, words: string): string {
  const plain = withoutColour(row);
  if (words === "" || !plain.toLowerCase().includes(words.toLowerCase())) return row;
  const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  return plain.replace(pattern, (found) => `\x1b[7m${found}\x1b[27m`);
}
