/** How many columns a text takes on a terminal, and where to break it. */

/** Unicode 16, East Asian Width W and F, and what is drawn as a picture. */
const WIDE =
  /^[\u1100-\u115f\u2329\u232a\u2630-\u2637\u268a-\u268f\u2e80-\u303e\u3041-\u3247\u3250-\u4dff\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1afff}\u{1b000}-\u{1b2ff}\u{1d300}-\u{1d376}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}|^\p{Extended_Pictographic}\ufe0f|^\p{Regional_Indicator}{2}/u;
const PLAIN = /^[\x20-\x7e]*$/;
/** Spaces, and the blank braille cell that looks like one. */
const BREAKS = /([\p{Zs}\t\u2800]+)/u;

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
    const size = displayWidth(part);
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

/** Rows that a line takes on a terminal that wraps it: a wide character is never cut in two. */
export function rowsOf(line: string, columns: number): number {
  let rows = 1;
  let column = 0;
  for (const { segment } of segments(line)) {
    const size = displayWidth(segment);
    if (column + size > columns) {
      rows++;
      column = 0;
    }
    column += size;
  }
  // readline puts the cursor on a new row when the last one is full.
  return column === columns ? rows + 1 : rows;
}
