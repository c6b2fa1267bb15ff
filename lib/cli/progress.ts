/** What long work has come to, on standard error: a line that changes at a terminal, else one now and then. */

import { counted } from "./render.ts";

/** Where it is shown. */
interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Work that is under way. */
export interface SoFar {
  readonly done: number;
  /** What is counted, in the singular. */
  readonly noun: string;
  /** How much of all that is, 0 to 1; undefined where nobody knows. */
  readonly share?: number;
}

/** Work that is done before this, ms, shows nothing. */
const QUIET_FOR = 1_000;
/** Between two drawings at a terminal, and between two lines elsewhere, ms. */
const [REDRAW_EVERY, LINE_EVERY] = [100, 5_000];
/** Columns of a terminal that says none. */
const USUAL = 80;
/** Columns of the bar. */
const BAR = 24;

/** One work at a time. */
export class Progress {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #begun: number | undefined;
  #next = 0;
  #drawn = false;

  /** @param now ms, by a clock that never jumps */
  constructor(stream: ProgressStream, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
  }

  /** May be called as often as one likes. */
  show(soFar: SoFar): void {
    const now = this.#now();
    this.#begun ??= now;
    if (now - this.#begun < QUIET_FOR || now < this.#next) return;
    const text = line(soFar, (now - this.#begun) / 1_000);
    const { isTTY, columns } = this.#stream;
    this.#next = now + (isTTY ? REDRAW_EVERY : LINE_EVERY);
    if (!isTTY) return void this.#stream.write(`* ${text}\n`);
    this.#stream.write(`\r\x1b[K${text.slice(0, (columns || USUAL) - 1)}`);
    this.#drawn = true;
  }

  /** Makes room for what else is written; the next drawing brings it back. */
  clear(): void {
    if (this.#drawn) this.#stream.write("\r\x1b[K");
    this.#drawn = false;
  }

  /** The work is over. */
  end(): void {
    this.clear();
    this.#begun = undefined;
    this.#next = 0;
  }
}

function line({ done, noun, share }: SoFar, seconds: number): string {
  const rate = Math.round(done / seconds).toLocaleString("en-US");
  const many = `${counted(done, noun)}, ${rate} a second`;
  if (share === undefined) return many;
  const part = Math.min(1, Math.max(0, share));
  const full = Math.round(part * BAR);
  return `[${"#".repeat(full)}${"-".repeat(BAR - full)}] ${Math.floor(part * 100)} %, ${many}`;
}
