/** What a terminal shows of what a program writes to it. */

import { displayWidth } from "../../lib/text/width.ts";

/** A cell: a character with what stands on it; empty behind a wide one. */
type Row = string[];

/**
 * A terminal of so many columns and rows that does what our programs ask of one: cursor, erasing,
 * wrapping at the last column, scrolling. Colours change nothing. Whatever else it is asked for is
 * kept in {@linkcode strange}, and does nothing.
 */
export class ScreenModel {
  /** Control sequences that no prompt of ours writes. */
  readonly strange: string[] = [];
  /** Rows that scrolled away, and the ones on the screen. */
  #rows: Row[] = [[]];
  /** Rows that go on in the next one. */
  readonly #wrapped = new WeakSet<Row>();
  #columns: number;
  #height: number;
  /** What stood there before a program took the whole screen. */
  #before: { rows: Row[]; row: number; column: number } | undefined;
  #row = 0;
  /** The column of the cursor; the width of the screen while the last row is full. */
  #column = 0;
  #rest = "";

  constructor(columns: number, height: number) {
    this.#columns = columns;
    this.#height = height;
  }

  /** All that is to be seen, also by scrolling back, without spaces at the ends of rows. */
  get text(): string {
    return this.#rows.map(textOf).join("\n").trimEnd();
  }

  /** The row that the cursor is in. */
  get line(): string {
    return textOf(this.#rows[this.#row] ?? []);
  }

  /** Where the cursor is in its row. */
  get column(): number {
    return this.#column;
  }

  /** True while a program has the whole screen, which is as it was when it gives it back. */
  get isWhole(): boolean {
    return this.#before !== undefined;
  }

  /** Another size: at another width what was wrapped is wrapped anew, and the cursor stays in its text. */
  resize(columns: number, height: number): void {
    if (columns !== this.#columns) this.#wrapAnew(columns);
    [this.#columns, this.#height] = [columns, height];
  }

  #wrapAnew(columns: number): void {
    const rows: Row[] = [];
    let [line, offset]: [Row, number | undefined] = [[], undefined];
    let place: [row: number, column: number] = [0, 0];
    for (const [i, row] of this.#rows.entries()) {
      if (i === this.#row) offset = line.length + this.#column;
      line = [...line, ...row];
      if (this.#wrapped.has(row) && i < this.#rows.length - 1) continue;
      const begin = rows.length;
      do {
        const cut = line[columns] === "" ? columns - 1 : columns;
        const part = line.splice(0, cut);
        if (line.length > 0) this.#wrapped.add(part);
        rows.push(part);
      } while (line.length > 0);
      if (offset !== undefined) {
        let at = begin;
        for (; offset > columns && at < rows.length - 1; at++) offset -= rows[at].length;
        place = [at, Math.min(offset, columns)];
      }
      [line, offset] = [[], undefined];
    }
    this.#rows = rows;
    [this.#row, this.#column] = place;
  }

  write(said: string): void {
    const text = this.#rest + said;
    let at = 0;
    while (at < text.length) {
      const length = this.#take(text.slice(at, at + 4_096));
      if (length === 0) break; // The rest of it comes later.
      at += length;
    }
    this.#rest = text.slice(at);
  }

  /** Does what stands first; how long that was, 0 when its end is missing. */
  #take(text: string): number {
    if (text[0] === "\x1b") {
      // deno-lint-ignore no-control-regex -- this is what a terminal reads
      const csi = /^\x1b\[([0-9;?]*)([@-~])/.exec(text);
      if (csi) this.#obey(csi[0], csi[1] === "" ? undefined : csi[1], csi[2]);
      // deno-lint-ignore no-control-regex -- as above
      else if (/^\x1b(\[[0-9;?]*)?$/.test(text)) return 0;
      else this.strange.push(text.slice(0, 2));
      return csi?.[0].length ?? 2;
    }
    const character = String.fromCodePoint(text.codePointAt(0)!);
    if (character === "\r") this.#column = 0;
    else if (character === "\n") this.#down();
    else if (character === "\t") this.#tab();
    else if (character === "\b") this.#column = Math.max(0, this.#column - 1);
    else if (/\p{Cc}/u.test(character)) this.strange.push(character);
    else this.#put(character);
    return character.length;
  }

  #put(character: string): void {
    const width = displayWidth(character);
    const row = () => this.#rows[this.#row] ??= [];
    if (width === 0) {
      row()[Math.max(0, this.#column - 1)] += character;
      return;
    }
    if (this.#column + width > this.#columns) {
      this.#wrapped.add(row());
      this.#column = 0;
      this.#down();
    }
    while (row().length < this.#column) row().push(" ");
    row().splice(this.#column, width, character, ...Array(width - 1).fill(""));
    this.#column += width;
  }

  #tab(): void {
    this.#column = Math.min(this.#columns - 1, (this.#column >> 3) + 1 << 3);
  }

  #down(): void {
    this.#row++;
    this.#rows[this.#row] ??= [];
  }

  #obey(sequence: string, given: string | undefined, what: string): void {
    const count = Number(given ?? 1);
    const top = Math.max(0, this.#rows.length - this.#height);
    const column = Math.min(this.#column, this.#columns - 1);
    if (what === "A") this.#row = Math.max(top, this.#row - count);
    else if (what === "B") this.#row = Math.min(this.#rows.length - 1, this.#row + count);
    else if (what === "C") this.#column = Math.min(this.#columns - 1, column + count);
    else if (what === "D") this.#column = Math.max(0, column - count);
    else if (what === "H" && given === undefined) [this.#row, this.#column] = [top, 0];
    else if (what === "h" && given === "?1049") this.#takeAll();
    else if (what === "l" && given === "?1049") this.#giveBack();
    else if (/[hl]/.test(what) && given === "?25") return; // The cursor, seen or not.
    else if (what === "G") this.#column = Math.min(this.#columns, Math.max(1, count)) - 1;
    else if (what === "K" && given === "2") this.#rows[this.#row]?.splice(0);
    else if (what === "K" && (given ?? "0") === "0") this.#eraseRight();
    else if (what === "J" && (given ?? "0") === "0") {
      this.#eraseRight();
      this.#rows.splice(this.#row + 1);
    } else if (what !== "m") this.strange.push(sequence);
  }

  #eraseRight(): void {
    const row = this.#rows[this.#row] ??= [];
    row.splice(this.#column);
    this.#wrapped.delete(row);
  }

  #takeAll(): void {
    this.#before ??= { rows: this.#rows, row: this.#row, column: this.#column };
    [this.#rows, this.#row, this.#column] = [[[]], 0, 0];
  }

  #giveBack(): void {
    if (!this.#before) return;
    const { rows, row, column } = this.#before;
    [this.#rows, this.#row, this.#column] = [rows, row, column];
    this.#before = undefined;
  }
}

function textOf(row: Row): string {
  return row.join("").trimEnd();
}
