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

/** An alarm about the group of a name. */
export function alarmOf(why: Alarm["why"], name: string, seq: number, head: number): Alarm {
  return { why, seq, text: TEXTS[why](name, seq, head) };
}
