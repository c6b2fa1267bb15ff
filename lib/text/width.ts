/** How many columns a text takes on a terminal, and where to break it. */

import { safeText } from "./filter.ts";

/** Unicode 16, East Asian Width W and F, and what is drawn as a picture. */
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u3247\u3250-\u4dff\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1afff}\u{1b000}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}|^\p{Extended_Pictographic}\ufe0f|^\p{Regional_Indicator}{2}/u;
const PLAIN = /^[\x20-\x7e]*$/;
/** Spaces, and the blank braille cell that looks like one. */
const BREAKS = /([\p{Zs}\t\u2800]+)/u;

/** Colours of our own, which take no columns. */
// deno-lint-ignore no-control-regex -- colours are such
const COLOURS = /(\x1b\[[\d;]*m)/g;

/** Made at its first use: it takes 10 ms. */
let graphemes: Intl.Segmenter | undefined;

function segments(text: string): Intl.Segments {
  graphemes ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return graphemes.segment(text);
}

/** Columns of a text without line breaks. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segments(text)) {
    if (segment === "\t") width += 8 - width % 8;
    else if (/^\p{M}+$/u.test(segment)) continue;
    else width += WIDE.test(segment) ? 2 : 1;
  }
  return width;
}

/** The beginning of a text that fits in `columns`, with `…` where something is left out. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let kept = "";
  let width = 0;
  for (const { segment } of segments(text)) {
    width += displayWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return kept + "…";
}

/**
 * Rows of one line on a terminal of `columns`: the first begins at column `first`, each other at
 * `indent`. A word that is longer than a row stays whole (an address can be copied) and ends its
 * row, so that no text of a message can stand where a line of zgroup begins.
 */
export function wrap(line: string, columns: number, first: number, indent: number): string[] {
  const room = Math.max(columns, indent + 10);
  const rows: string[] = [];
  let row = "";
  let width = first;
  let start = first;
  const next = () => {
    rows.push(row);
    row = "";
    width = start = indent;
  };
  for (const part of line.split(BREAKS)) {
    if (part === "") continue;
    const size = displayWidth(part.replace(COLOURS, ""));
    if (BREAKS.test(part)) {
      if (width + size >= room) next();
      else {
        row += part;
        width += size;
      }
      continue;
    }
    if (width + size > room && width > start) next();
    row += part;
    width += size;
    if (width > room) next();
  }
  if (row !== "" || rows.length === 0) rows.push(row);
  return rows;
}

/** A line as a terminal of some columns shows it. */
export interface Rows {
  readonly rows: readonly string[];
  /** Where the cursor is, from 0. */
  readonly row: number;
  readonly column: number;
}

/**
 * The rows of a line on a terminal that wraps it, and where the cursor is that stands before
 * character `cursor` of it. A wide character is never cut in two, what a terminal would obey is
 * visible, and behind a row that is full there is another one, for the cursor.
 */
export function rowsOf(line: string, columns: number, cursor = line.length): Rows {
  if (PLAIN.test(line)) return plainRows(line, columns, cursor);
  const rows: string[] = [];
  let row = "";
  let [width, at] = [0, 0];
  let place: [row: number, column: number] | undefined;
  const next = () => {
    rows.push(row);
    row = "";
    width = 0;
  };
  for (const { segment } of segments(line)) {
    const shown = segment === "\t" ? " ".repeat(8 - width % 8) : safeText(segment);
    const size = displayWidth(shown);
    // What stands for a tab or an escape goes over the end of a row as any text.
    const parts = shown === segment || width + size <= columns ? [shown] : [...shown];
    if (width + displayWidth(parts[0]) > columns) next();
    if (at >= cursor) place ??= [rows.length, width];
    for (const part of parts) {
      const size = displayWidth(part);
      if (width + size > columns) next();
      row += part;
      width += size;
    }
    if (width === columns) next();
    at += segment.length;
  }
  rows.push(row);
  const [cursorRow, column] = place ?? [rows.length - 1, width];
  return { rows, row: cursorRow, column };
}

/** The same of characters that take one column each, without looking at each. */
function plainRows(line: string, columns: number, cursor: number): Rows {
  const rows: string[] = [];
  for (let at = 0; at <= line.length; at += columns) rows.push(line.slice(at, at + columns));
  return { rows, row: Math.floor(cursor / columns), column: cursor % columns };
}

/** How far a character reaches that a person sees as one, UTF-16; longer ones are cut. */
const GRAPHEME = 64;

/** Where the character before `at` begins. */
export function graphemeStart(text: string, at: number): number {
  const before = text.slice(Math.max(0, at - GRAPHEME), at);
  return at - ([...segments(before)].at(-1)?.segment.length ?? 0);
}

/** Where the character behind `at` ends. */
export function graphemeEnd(text: string, at: number): number {
  const [first] = segments(text.slice(at, at + GRAPHEME));
  return at + (first?.segment.length ?? 0);
}

/**
 * A line with colours, its words in rows of a width: those behind the first stand in 2 more. A line
 * with a word that fits in no row stays as it is.
 */
export function foldedRows(line: string, columns: number): string[] {
  const plain = line.replace(COLOURS, "");
  if (displayWidth(plain) <= columns) return [line];
  const [indent] = /^ */.exec(line)!;
  const deeper = indent.length + 2;
  if (plain.split(BREAKS).some((word) => displayWidth(word) + deeper > columns)) return [line];
  return wrap(line.slice(indent.length), columns, indent.length, deeper)
    .map((row, i) => " ".repeat(i === 0 ? indent.length : deeper) + row);
}

/** Names side by side in columns of one width, as many as fit. */
export function columnsOf(names: readonly string[], columns: number): string[] {
  const width = Math.max(...names.map(displayWidth)) + 2;
  const each = Math.max(1, Math.floor(columns / width));
  return Array.from(
    { length: Math.ceil(names.length / each) },
    (_, row) =>
      names.slice(row * each, (row + 1) * each)
        .map((name) => name + " ".repeat(width - displayWidth(name))).join("").trimEnd(),
  );
}

/** A line with colours in rows that are no wider than `columns`. */
export function cutRows(line: string, columns: number): string[] {
  if (line.length <= columns) {
    if (displayWidth(line) <= columns) return [line];
  }
  const rows: string[] = [];
  let row = "";
  let width = 0;
  for (const part of line.split(COLOURS)) {
    if (part.startsWith("\x1b")) {
      row += part;
      continue;
    }
    for (const { segment } of segments(part)) {
      const shown = segment === "\t" ? " ".repeat(8 - width % 8) : segment;
      const size = displayWidth(shown);
      if (width + size > columns) {
        rows.push(row);
        row = "";
        width = 0;
      }
      row += shown;
      width += size;
    }
  }
  rows.push(row);
  return rows;
}
