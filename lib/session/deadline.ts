/** Time-outs that are about the other side: while this program stands still, nobody is late. */

import { clearTimeout, setTimeout } from "node:timers";

/** Time is counted in steps of this length, ms: one that took longer counts no more. */
const STEP = 500;
/** A last step this late, ms, is followed by another: what came meanwhile is read first. */
const LATE = 50;
/** That many others at most, or a program that is always late would wait for ever. */
const MOST_LATE = 10;

/** Calls `act` once, after `ms` in which this program ran. */
export class Deadline {
  readonly #act: () => void;
  #left: number;
  #late = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(act: () => void, ms: number) {
    this.#act = act;
    this.#left = Math.max(0, ms);
    this.#step();
  }

  /** Nothing is called any more. */
  clear(): void {
    clearTimeout(this.#timer);
  }

  #step(): void {
    const step = Math.min(this.#left, STEP);
    const due = performance.now() + step;
    this.#timer = setTimeout(() => {
      this.#left -= step;
      const late = performance.now() - due > LATE;
      if (this.#left <= 0 && late && this.#late++ < MOST_LATE) this.#left = LATE;
      if (this.#left > 0) this.#step();
      else this.#act();
    }, step);
  }
}
