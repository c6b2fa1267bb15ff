/** What is typed runs beside the line being typed: what it waits for, what runs, how that is stopped. */

/** How a typed line runs: at once, behind what runs, or also before all that is typed after it. */
export type Pace = "at once" | "in turn" | "first";

/** What was typed at one moment, and waits or runs. */
export interface Turn {
  /** Lines of it that were not taken yet. */
  readonly lines: string[];
  /** What it waits for because the current group may be another then. */
  readonly behind?: Turn | undefined;
  readonly pace: Pace;
  /** How it ended. */
  ok?: boolean;
}

interface TurnsOptions {
  /** Takes all lines of a turn; false when something failed. Never rejects. */
  run(turn: Turn): Promise<boolean>;
  /** Another one waits, or runs. */
  changed(): void;
}

/** Runs one after the other what asks a server; the rest goes at once. */
export class Turns {
  readonly #options: TurnsOptions;
  readonly #waiting: Turn[] = [];
  #running: Turn | undefined;

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  /** Whether what is typed now must wait, whatever it is: the current group may be another then. */
  get isMoving(): boolean {
    return this.#mover !== undefined;
  }

  get #mover(): Turn | undefined {
    return [this.#running, ...this.#waiting].findLast((turn) => turn?.pace === "first");
  }

  /** Lines that wait. */
  get waiting(): readonly string[] {
    return this.#waiting.flatMap(({ lines }) => lines);
  }

  take(lines: readonly string[], pace: Pace): void {
    const behind = this.#mover;
    const turn: Turn = { lines: [...lines], behind, pace };
    if (pace === "at once" && !behind) return void this.#options.run(turn);
    this.#waiting.push(turn);
    if (!this.#running) void this.#next();
    this.#options.changed();
  }

  async #next(): Promise<void> {
    for (;;) {
      const turn = this.#running = this.#waiting.shift();
      if (!turn) return this.#options.changed();
      this.#options.changed();
      turn.ok = await this.#options.run(turn);
    }
  }
}

/** What runs for longer than this is told, ms. */
const TOLD_AFTER = 300;

/** A command that runs. */
export interface Running {
  readonly name: string;
  readonly signal: AbortSignal;
  /** A question of it is open, until the second call: it waits for the person. */
  asks(open: boolean): void;
  /** Resolves when it has ended, asks, or takes long: nothing need wait for it then. */
  readonly settled: Promise<void>;
  end(): void;
}

/** The commands that run: the last one may have been called by the one before. */
export class Runs {
  readonly #all: Run[] = [];
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  begin(name: string, outer: AbortSignal): Running {
    const ended = () => void this.#all.splice(this.#all.indexOf(run), 1);
    const run: Run = new Run(name, outer, this.#changed, ended);
    this.#all.push(run);
    return run;
  }

  /** The one that was called last. */
  get last(): Running | undefined {
    return this.#all.at(-1);
  }

  /** Stops it alone; false where nothing runs. */
  stop(): boolean {
    const last = this.#all.at(-1);
    last?.stop();
    return last !== undefined;
  }

  /** `show_groups runs; Ctrl-C stops it`; undefined where nothing takes long. */
  get line(): string | undefined {
    const last = this.#all.at(-1);
    return last?.isLong ? `${last.name} runs; Ctrl-C stops it` : undefined;
  }
}

class Run implements Running {
  readonly name: string;
  readonly signal: AbortSignal;
  isLong = false;
  #settled = Promise.withResolvers<void>();
  readonly #own = new AbortController();
  readonly #changed: () => void;
  readonly #ended: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(name: string, outer: AbortSignal, changed: () => void, ended: () => void) {
    this.name = name;
    this.signal = AbortSignal.any([outer, this.#own.signal]);
    this.#changed = changed;
    this.#ended = ended;
    this.asks(false);
  }

  get settled(): Promise<void> {
    return this.#settled.promise;
  }

  asks(open: boolean): void {
    clearTimeout(this.#timer);
    const wasLong = this.isLong;
    this.isLong = false;
    if (wasLong) this.#changed();
    if (open) return this.#settled.resolve();
    this.#settled = Promise.withResolvers();
    this.#timer = setTimeout(() => {
      this.isLong = true;
      this.#settled.resolve();
      this.#changed();
    }, TOLD_AFTER);
  }

  stop(): void {
    this.#own.abort();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#settled.resolve();
    this.#ended();
    if (this.isLong) this.#changed();
  }
}

/** What the work gives; rejects at once when the signal is aborted, and then lets it go on alone. */
export function unlessStopped<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
