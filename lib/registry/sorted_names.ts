/** Names in the order of their UTF-16 text, in pieces, so that a change moves few of them. Pure. */

/** Most names of one piece; a longer one becomes two. */
const PIECE = 512;

/** See the head of this file. */
export class SortedNames {
  /** None is empty. */
  readonly #pieces: string[][] = [];

  /** A name that is not in it yet. */
  add(name: string): void {
    if (this.#pieces.length === 0) {
      this.#pieces.push([name]);
      return;
    }
    const at = this.#pieceOf(name);
    const piece = this.#pieces[at];
    piece.splice(atOrAbove(piece, name), 0, name);
    if (piece.length > PIECE) this.#pieces.splice(at + 1, 0, piece.splice(PIECE / 2));
  }

  delete(name: string): void {
    if (this.#pieces.length === 0) return;
    const at = this.#pieceOf(name);
    const piece = this.#pieces[at];
    const i = atOrAbove(piece, name);
    if (piece[i] !== name) return;
    piece.splice(i, 1);
    if (piece.length === 0) this.#pieces.splice(at, 1);
  }

  /** Those with the prefix that come after a name (empty: from the first). */
  *after(prefix: string, name: string): Generator<string, void, undefined> {
    if (this.#pieces.length === 0) return;
    const first = name > prefix ? name : prefix;
    let at = this.#pieceOf(first);
    let i = atOrAbove(this.#pieces[at], first);
    for (; at < this.#pieces.length; at++, i = 0) {
      const piece = this.#pieces[at];
      for (; i < piece.length; i++) {
        if (!piece[i].startsWith(prefix)) return;
        if (piece[i] !== name) yield piece[i];
      }
    }
  }

  /** The last piece whose first name is not above the text. */
  #pieceOf(text: string): number {
    let low = 0;
    let high = this.#pieces.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle][0] <= text) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Index of the first name >= text. */
function atOrAbove(names: readonly string[], text: string): number {
  let low = 0;
  let high = names.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (names[middle] < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
