/** The line being typed and the rows above it, as a terminal is told to draw them. Pure. */

import { displayWidth, rowsOf, truncate } from "../../text/width.ts";
import type { Size } from "./terminal.ts";

export interface Typed {
  /** Rows above the line, without colour; what does not fit is cut. */
  readonly status: readonly string[];
  /** What stands before the line. */
  readonly label: string;
  readonly text: string;
  /** Of the text, UTF-16. */
  readonly cursor: number;
}

export interface Drawing {
  readonly columns: number;
  readonly status: readonly string[];
  /** Rows of the line that are shown: all, or those around the cursor that fit on the screen. */
  readonly rows: readonly string[];
  /** Where in them the cursor is. */
  readonly row: number;
  readonly column: number;
}

/** Which rows are shown, and where the cursor is in them. */
export function drawingOf({ label, text, cursor, ...typed }: Typed, size: Size): Drawing {
  const { columns } = size;
  // Always room for the line.
  const status = typed.status.slice(-Math.max(1, size.rows - 3))
    .map((row) => truncate(row, columns - 1));
  const all = rowsOf(label + text, columns, label.length + cursor);
  const room = Math.max(1, size.rows - 1 - status.length);
  const first = Math.max(0, Math.min(all.row - (room >> 1), all.rows.length - room));
  const { column } = all;
  return {
    columns,
    status,
    rows: all.rows.slice(first, first + room),
    row: all.row - first,
    column,
  };
}

/** What shows the line where the cursor is, at the begin of a row, and puts the cursor in it. */
export function lineSequence({ rows, row, column }: Drawing): string {
  const behind = rows.length - 1 - row;
  // Soft-wrapped, so that a terminal that changes its width can wrap it anew; a terminal goes to the
  // next row only when something is written there.
  const full = rows.length > 1 && rows.at(-1) === "" ? " " : "";
  const atEnd = behind === 0 && full === "" && displayWidth(rows[row]) === column;
  if (atEnd) return rows.join("");
  const up = behind > 0 ? `\x1b[${behind}A` : "";
  return `${rows.join("")}${full}${up}\r${column > 0 ? `\x1b[${column}C` : ""}`;
}

/** What is written more when the second drawing goes on where the first ends; undefined where not. */
export function addition(before: Drawing, after: Drawing): string | undefined {
  const same = before.columns === after.columns &&
    before.status.join("\n") === after.status.join("\n") &&
    before.rows.length === after.rows.length &&
    before.row === before.rows.length - 1 && after.row === before.row &&
    before.rows.slice(0, -1).every((row, i) => row === after.rows[i]);
  const [old, now] = [before.rows.at(-1)!, after.rows.at(-1)!];
  const ends = (row: string, column: number) => displayWidth(row) === column;
  const goesOn = same && now.startsWith(old) && ends(old, before.column) && ends(now, after.column);
  return goesOn ? now.slice(old.length) : undefined;
}

/**
 * Rows from where the drawing begins to the cursor, on a terminal that may have another width by
 * now. Where it is not certain it is the lower number: a row of our own may stay, nobody else's is
 * erased.
 */
export function rowsAbove(drawing: Drawing, columns: number, reflows: boolean): number {
  const { status, rows, row, column } = drawing;
  if (columns === drawing.columns || !reflows) return status.length + row;
  const above = status.reduce(
    (sum, one) => sum + Math.max(1, Math.ceil(displayWidth(one) / columns)),
    0,
  );
  const now = rowsOf(rows.slice(0, row).join("") + beginning(rows[row], column), columns);
  return above + (now.row > 0 && now.column === 0 ? now.row - 1 : now.row);
}

function beginning(row: string, columns: number): string {
  let begin = "";
  for (const character of row) {
    if (displayWidth(begin) >= columns) break;
    begin += character;
  }
  return begin;
}
