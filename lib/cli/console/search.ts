/** Ctrl-R: looks for a line that was typed before, while the words looked for are typed. Pure. */

export class HistorySearch {
  readonly #lines: readonly string[];
  #words = "";
  /** Where in the lines the one that is found stands; -1 before any. */
  #at = -1;
  #missing = false;

  /** @param lines newest first */
  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  /** The line that is found; the last one that was, where there is none. */
  get found(): string {
    return this.#lines[this.#at] ?? "";
  }

  /** Where in it the words stand. */
  get cursor(): number {
    return Math.max(0, this.found.toLowerCase().indexOf(this.#words.toLowerCase()));
  }

  /** What stands before the line. */
  get label(): string {
    return `(${this.#missing ? "no line with" : "search"} "${this.#words}") `;
  }

  type(text: string): void {
    this.#words += text;
    this.#look(Math.max(0, this.#at), 1);
  }

  backspace(): void {
    this.#words = this.#words.slice(0, -1);
    this.#at = -1;
    this.#missing = false;
    if (this.#words !== "") this.#look(0, 1);
  }

  older(): void {
    this.#look(this.#at + 1, 1);
  }

  newer(): void {
    this.#look(this.#at - 1, -1);
  }

  #look(from: number, step: 1 | -1): void {
    if (this.#words === "") return;
    const words = this.#words.toLowerCase();
    const last = this.#at >= 0 && this.found.toLowerCase().includes(words) ? this.found : undefined;
    for (let at = from; at >= 0 && at < this.#lines.length; at += step) {
      if (!this.#lines[at].toLowerCase().includes(words)) continue;
      if (at !== this.#at && this.#lines[at] === last) continue; // The same line once more.
      [this.#at, this.#missing] = [at, false];
      return;
    }
    this.#missing = true;
  }
}
