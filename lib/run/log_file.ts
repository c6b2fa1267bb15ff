/** A file of log lines that never grows without bound, written by several processes at once. */

import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  statSync,
} from "node:fs";

/** How large a file may grow before it is put aside, bytes. */
const SIZE = 4 * 1_048_576;
/** How many are kept beside the one that is written. */
const KEPT = 3;
/** Who puts files aside needs no longer; a lock that is older was left by a killed process, ms. */
const LOCKED_FOR = 10_000;

/** Bounds of a log file. */
export interface LogFileOptions {
  /** Bytes; `Infinity` leaves it to others to put files aside. */
  readonly size?: number;
  readonly kept?: number;
}

/**
 * Lines at the end of `path`. Once that is larger than `size` bytes it becomes `path.1`, what was
 * `path.1` becomes `path.2`, and so on; the oldest of `kept` is removed. So all take at most
 * `size * (kept + 1)` bytes, and one write of each process more.
 */
export class LogFile {
  readonly #path: string;
  readonly #size: number;
  readonly #kept: number;
  #fd: number;

  /** @throws what the system says where the file cannot be opened */
  constructor(path: string, { size = SIZE, kept = KEPT }: LogFileOptions = {}) {
    this.#path = path;
    this.#size = size;
    this.#kept = kept;
    this.#fd = this.#open();
  }

  /** Where the next lines go. Whole lines in one write are never torn by those of another process. */
  get fd(): number {
    try {
      if (fstatSync(this.#fd).size >= this.#size) this.#putAside();
      // Another process may have put it aside.
      if (!sameFile(fstatSync(this.#fd), statSync(this.#path))) this.#reopen();
    } catch {
      this.#tryReopen(); // It was removed.
    }
    return this.#fd;
  }

  /** Goes on in the file that is at the path by now: the one before was moved away, or removed. */
  reopen(): void {
    this.#tryReopen();
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** One process at a time, and only while the file is still the large one. */
  #putAside(): void {
    const lock = `${this.#path}.lock`;
    if (!taken(lock)) return; // Whoever has it does this just now; here its file is still good.
    try {
      if (statSync(this.#path).size < this.#size) return;
      for (let i = this.#kept - 1; i > 0; i--) {
        rename(`${this.#path}.${i}`, `${this.#path}.${i + 1}`);
      }
      rename(this.#path, `${this.#path}.1`);
    } finally {
      rmdirSync(lock);
    }
  }

  #reopen(): void {
    const fd = this.#open();
    closeSync(this.#fd);
    this.#fd = fd;
  }

  #tryReopen(): void {
    try {
      this.#reopen();
    } catch {
      // Its folder is gone, or there are no descriptors: lines go where they went.
    }
  }

  #open(): number {
    return openSync(this.#path, "a", 0o600);
  }
}

type Stats = ReturnType<typeof fstatSync>;

function sameFile(a: Stats, b: Stats): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

/** Takes a lock, a folder, unless another process has it. */
function taken(lock: string): boolean {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCKED_FOR) rmdirSync(lock);
  } catch {
    // There is none.
  }
  try {
    mkdirSync(lock, { mode: 0o700 });
    return true;
  } catch {
    return false;
  }
}

/** Renames what is there; elsewhere than on Unix a file that is open may refuse. */
function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // Then it stays and grows, and is tried again with the next lines.
  }
}
