/** How far long work is, on standard error: a bar on a terminal, elsewhere a line now and then. */

import process from "node:process";

/** What is needed of standard error. */
interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** What long work has come to. */
export interface SoFar {
  readonly done: number;
  /** 0 where nobody knows. */
  readonly total: number;
  /** In words; asked when it is shown. */
  say(): string;
}

/** Work that is done sooner shows nothing, ms. */
const SHOWN_AFTER = 500;
/** How often the bar moves, and how often a line is written where there is none, ms. */
const [BAR_EVERY, LINE_EVERY] = [100, 10_000];
/** Width of a bar, characters. */
const WIDTH = 30;

/** Shows how far one piece of work is, from its beginning until it is closed. */
export class Progress {
  readonly #screen: Screen;
  readonly #now: () => number;
  #next: number;
  #drawn = false;

  constructor(screen: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
    this.#next = now() + (screen.isTTY ? SHOWN_AFTER : LINE_EVERY);
  }

  /**
   * `done` entries of `total`; 0 of 0 while other work is done first, 0 alone where nobody knows.
   *
   * @param say what is said of it, where that is something else
   */
  tell(done: number, total: number, say: () => string = () => textOf(done, total)): void {
    const now = this.#now();
    if (now < this.#next) return;
    this.#next = now + (this.#screen.isTTY ? BAR_EVERY : LINE_EVERY);
    const text = say();
    if (!this.#screen.isTTY) {
      this.#screen.write(`${text}\n`);
      return;
    }
    const full = total === 0 ? 0 : Math.min(WIDTH, Math.round(done / total * WIDTH));
    const line = total === 0 && done > 0
      ? text
      : `[${"#".repeat(full)}${".".repeat(WIDTH - full)}] ${text}`;
    // Where ^C is shown behind it, it stays one line.
    this.#screen.write(`\r\x1b[K${line.slice(0, (this.#screen.columns || 80) - 3)}`);
    this.#drawn = true;
  }

  /** Takes the bar away, until more is told. Again is harmless. */
  close(): void {
    if (this.#drawn) this.#screen.write("\r\x1b[K");
    this.#drawn = false;
  }
}

function textOf(done: number, total: number): string {
  if (total === 0) return "waits for what was asked before";
  const [is, of] = [done, total].map((count) => count.toLocaleString("en"));
  return `${Math.floor(Math.min(1, done / total) * 100)} %  ${is} of ${of} entries`;
}
