/** What every fault program is made of: its size, its random numbers, its figures, its verdict. */

import process from "node:process";
import { parseArgs } from "node:util";
import { Folder } from "../../support/folder.ts";
import { randomFrom } from "../../support/random.ts";

/** Violations that are printed in full. */
const SHOWN = 20;

/** Exit code of a program that could not show its fault here. */
export const SKIPPED = 77;

/** A fault cannot be shown on this machine; the message says what is missing. */
export class Skipped extends Error {}

/** One run of a fault program. */
export class Fault {
  /** True for the size that is run by hand. */
  readonly full: boolean;
  readonly minutes: number | undefined;
  /** How large a crowd is wanted. */
  readonly members: number | undefined;
  /** True where others use the machine: bounds in time and memory are told, not judged. */
  readonly shared: boolean;
  readonly seed: number;
  /** A folder that goes away at the end. */
  readonly folder: string;
  readonly #figures = new Map<string, string | number>();
  readonly #violations = new Map<string, number>();
  readonly #closes: (() => unknown)[] = [];
  readonly #temporary = new Folder();
  readonly #random: () => number;
  readonly #begin: number = performance.now();

  constructor(argv: readonly string[]) {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        full: { type: "boolean", default: false },
        minutes: { type: "string" },
        members: { type: "string" },
        shared: { type: "boolean", default: false },
        seed: { type: "string" },
      },
    });
    this.folder = this.#temporary.path;
    this.full = values.full;
    this.minutes = values.minutes === undefined ? undefined : Number(values.minutes);
    this.members = values.members === undefined ? undefined : Number(values.members);
    this.shared = values.shared;
    this.seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
    this.#random = randomFrom(this.seed);
  }

  /** `small` in a small run, `full` in a full one. */
  size(small: number, full: number): number {
    return this.full ? full : small;
  }

  /** Whether the minutes that were asked for are over; never where none were. */
  get isOver(): boolean {
    return performance.now() - this.#begin > (this.minutes ?? Infinity) * 60_000;
  }

  /** A random number, at least `from` and below `to`; the same ones for the same seed. */
  random(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }

  /** A random whole number, at least `from` and below `to`. */
  int(from: number, to: number): number {
    return Math.floor(this.random(from, to));
  }

  /** Something counted or measured, for the program's line. */
  figure(name: string, value: string | number): void {
    this.#figures.set(name, typeof value === "number" ? Math.round(value * 10) / 10 : value);
  }

  /** Adds to a counted figure. */
  count(name: string, by = 1): void {
    this.#figures.set(name, (Number(this.#figures.get(name)) || 0) + by);
  }

  /** What must hold. */
  expect(holds: boolean, violation: string): void {
    if (!holds) this.#violations.set(violation, (this.#violations.get(violation) ?? 0) + 1);
  }

  /** Whether all that must hold did, so far. */
  get holds(): boolean {
    return this.#violations.size === 0;
  }

  /** A bound in time or memory that must hold, on a machine that nobody else uses. */
  bound(holds: boolean, violation: string): void {
    if (!this.shared) this.expect(holds, violation);
    else if (!holds) console.log(`beyond its bound: ${violation}`);
  }

  /** Called at the end, the last one first, whatever happens. */
  onClose(close: () => unknown): void {
    this.#closes.push(close);
  }

  /** Closes all; prints the figures and what was violated; the exit code. */
  async finish(error: unknown): Promise<number> {
    for (const close of this.#closes.reverse()) {
      try {
        await close();
      } catch (failed) {
        this.expect(false, `closing failed: ${failed}`);
      }
    }
    this.#temporary.remove();
    if (error instanceof Skipped) {
      console.log(`skipped: ${error.message}`);
      if (this.#violations.size === 0) return SKIPPED;
      error = undefined;
    }
    if (error) this.expect(false, (error as Error).stack ?? String(error));
    console.log([...this.#figures].map(([name, value]) => `${name}=${value}`).join(" "));
    const violations = [...this.#violations];
    for (const [text, times] of violations.slice(0, SHOWN)) {
      console.log(`VIOLATION: ${text}${times > 1 ? ` (${times} times)` : ""}`);
    }
    if (violations.length > SHOWN) console.log(`… ${violations.length - SHOWN} more`);
    if (violations.length > 0) console.log(`again with --seed ${this.seed}`);
    return violations.length === 0 ? 0 : 1;
  }
}

/**
 * Runs a fault program; the process ends with 0, 1 when something was violated or it was stopped, or
 * {@linkcode SKIPPED}.
 * One that is stopped says what it found up to then, and leaves nothing behind.
 */
export async function fault(run: (fault: Fault) => Promise<void>): Promise<never> {
  const one = new Fault(process.argv.slice(2));
  let ended: Promise<number> | undefined;
  const end = (error?: unknown) => ended ??= one.finish(error);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => void end().then(() => process.exit(1)));
  }
  let error: unknown;
  try {
    await run(one);
  } catch (thrown) {
    error = thrown;
  }
  process.exit(await end(error));
}
