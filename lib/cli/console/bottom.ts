/** What stands at the bottom of a terminal: status rows, and the line being typed. */

import { displayWidth } from "../../text/width.ts";
import { paint, type Style } from "../render.ts";
import {
  addition,
  type Drawing,
  drawingOf,
  lineSequence,
  rowsAbove,
  type Typed,
} from "./drawing.ts";
import type { Terminal } from "./terminal.ts";

export class Bottom {
  readonly #terminal: Pick<Terminal, "write" | "size" | "dumb" | "reflows">;
  readonly #style: Style;
  #drawn: Drawing | undefined;

  constructor(terminal: Pick<Terminal, "write" | "size" | "dumb" | "reflows">, style: Style) {
    this.#terminal = terminal;
    this.#style = style;
  }

  get shown(): boolean {
    return this.#drawn !== undefined;
  }

  /** Shows it, in place of what was there. */
  draw(typed: Typed): void {
    const now = this.#terminal.dumb
      ? dumbDrawing(typed, this.#terminal.size.columns)
      : drawingOf(typed, this.#terminal.size);
    const drawn = this.#drawn;
    this.#drawn = now;
    const more = drawn && addition(drawn, now);
    if (more === "") return;
    if (more !== undefined) return this.#terminal.write(more);
    if (this.#terminal.dumb) return this.#terminal.write(drawn ? over(drawn, now) : now.rows[0]);
    const above = now.status.map((row) => paint(this.#style, "gray", row) + "\n").join("");
    this.#terminal.write((drawn ? this.#erasing(drawn) : "") + above + lineSequence(now));
  }

  /** Takes it off the screen: the cursor is where it began, on a dumb terminal below it. */
  hide(): void {
    const drawn = this.#drawn;
    if (!drawn) return;
    this.#drawn = undefined;
    this.#terminal.write(this.#terminal.dumb ? "\n" : this.#erasing(drawn));
  }

  /** It is not on the screen any more. */
  forget(): void {
    this.#drawn = undefined;
  }

  #erasing(drawn: Drawing): string {
    const { size: { columns }, reflows } = this.#terminal;
    const up = rowsAbove(drawn, columns, reflows);
    return `${up > 0 ? `\x1b[${up}A` : ""}\r\x1b[J`;
  }
}

/** One row, however long, with the cursor at its end. */
function dumbDrawing({ label, text }: Typed, columns: number): Drawing {
  const row = (label + text).replace(/\t/g, " ");
  return { columns, status: [], rows: [row], row: 0, column: displayWidth(row) };
}

/** Without going back over anything but the row that the cursor is in. */
function over({ rows: [before] }: Drawing, { columns, rows: [now] }: Drawing): string {
  const [width, room] = [displayWidth(now), displayWidth(before)];
  if (Math.max(width, room) >= columns) return `\n${now}`;
  return `\r${now}${" ".repeat(Math.max(0, room - width))}\r${now}`;
}
