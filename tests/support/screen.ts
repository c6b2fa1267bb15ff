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
  readonly #rows: Row[] = [[]];
  readonly #columns: number;
  readonly #height: number;
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
    else if (what === "G") this.#column = Math.min(this.#columns, Math.max(1, count)) - 1;
    else if (what === "K" && given === "2") this.#rows[this.#row]?.splice(0);
    else if (what === "K" && (given ?? "0") === "0") this.#rows[this.#row]?.splice(column);
    else if (what === "J" && (given ?? "0") === "0") {
      this.#rows[this.#row]?.splice(this.#column);
      for (const row of this.#rows.slice(this.#row + 1)) row.splice(0);
    } else if (what !== "m") this.strange.push(sequence);
  }
}

function textOf(row: Row): string {
  return row.join("").trimEnd();
}
