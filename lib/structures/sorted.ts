/**
 * Texts in order, for pages: adding, removing and a page cost the same whether a thousand stand in
 * it or a million. Pure.
 */

/** A run that grows beyond this is cut in two. */
const LONGEST = 512;

/** Texts in the order of their UTF-16 units, each once. */
export class SortedList {
  /** Never empty runs, in order. */
  readonly #runs: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(text: string): void {
    const at = this.#runAt(text);
    const run = this.#runs[at];
    if (!run) {
      this.#runs.push([text]);
      this.#size++;
      return;
    }
    const place = placeIn(run, text);
    if (run[place] === text) return;
    run.splice(place, 0, text);
    this.#size++;
    if (run.length > LONGEST) this.#runs.splice(at + 1, 0, run.splice(LONGEST / 2));
  }

  delete(text: string): void {
    const at = this.#runAt(text);
    const run = this.#runs[at];
    if (!run) return;
    const place = placeIn(run, text);
    if (run[place] !== text) return;
    run.splice(place, 1);
    this.#size--;
    if (run.length === 0) this.#runs.splice(at, 1);
  }

  /** Texts that are greater than `text` and begin with the prefix, ascending; not to be changed meanwhile. */
  *after(text: string, prefix = ""): Generator<string, void, undefined> {
    const first = text > prefix ? text : prefix;
    let at = this.#runAt(first);
    for (let i = placeIn(this.#runs[at] ?? [], first); at < this.#runs.length; at++, i = 0) {
      for (const run = this.#runs[at]; i < run.length; i++) {
        if (!run[i].startsWith(prefix)) return;
        if (run[i] !== text) yield run[i];
      }
    }
  }

  /** At most `most` texts that are greater than `after`, ascending. */
  page(after: string, most: number): string[] {
    const page: string[] = [];
    for (const text of this.after(after)) {
      if (page.length === most) break;
      page.push(text);
    }
    return page;
  }

  /** Index of the run in which a text stands or would stand: the last that begins at or below it. */
  #runAt(text: string): number {
    let low = 0;
    let high = this.#runs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle][0] <= text) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

/** Index of the first text that is not below `text`. */
function placeIn(run: readonly string[], text: string): number {
  let low = 0;
  let high = run.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (run[middle] < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
