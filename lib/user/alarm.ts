/** What a user is told, loudly, when a group contradicts what it showed before. */

import type { Alarm } from "./types.ts";

const AGAIN = "`leave` and `join` it again to begin anew";

/** The sentences. `seq` as in {@linkcode Alarm}; `head`: where the group says that it ends. */
const TEXTS: Readonly<Record<Alarm["why"], (name: string, seq: number, head: number) => string>> = {
  forked: (name, seq) =>
    `${name}: the history is another one from entry ${seq} on than it was before: the group changed ` +
    `it, or shows you others than it shows the rest; what follows counts as not verified. Compare ` +
    `\`fingerprint\` with other members; ${AGAIN}`,
  rolled_back: (name, seq, head) =>
    `${name} is at ${head}, but you have seen ${seq}: it was put back to an earlier state, or you ` +
    `were shown what it never held; ask its owner to \`restore\` it, or ${AGAIN}`,
  withheld: (name, seq) =>
    `${name} does not show entry ${seq}, which it says that it keeps; what follows cannot be ` +
    `compared with what was before. Compare \`fingerprint\` with other members`,
  corrected: (name, seq) =>
    `${name}: what you were shown from entry ${seq} on is not in its log: it was forged on the way, ` +
    `or shown to you alone; what the log holds follows`,
};

/** Tells of one group, of each kind once in an epoch. */
export class Alarms {
  readonly #tell: (alarm: Alarm) => void;
  #told = { epoch: "", kinds: new Set<Alarm["why"]>() };

  constructor(tell: (alarm: Alarm) => void) {
    this.#tell = tell;
  }

  /** `head`: where the group says that it ends. */
  raise(why: Alarm["why"], name: string, epoch: string, seq: number, head: number): void {
    if (this.#told.epoch !== epoch) this.#told = { epoch, kinds: new Set() };
    // What is corrected comes again: who is shown it must know each time.
    if (this.#told.kinds.has(why) && why !== "corrected") return;
    this.#told.kinds.add(why);
    this.#tell({ why, seq, text: TEXTS[why](name, seq, head) });
  }
}
