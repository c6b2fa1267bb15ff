/** How a terminal calls for attention: its bell, and a notice on the desktop where it can give one. */

import { safeLine } from "../../text/filter.ts";
import { truncate } from "../../text/width.ts";

/** Shortest time between two, ms: whoever floods a group with names rings no more often. */
const EVERY = 2_000;
/** Longest notice, columns. */
const LONGEST = 120;

/** The variables that tell a terminal. */
type Environment = Readonly<Record<string, string | undefined>>;
/** The sequences that put a notice on the desktop: iTerm2's, and rxvt's. */
type Dialect = 9 | 777;

/** At most one every 2 s. */
export class Alerts {
  readonly #dialect: Dialect | undefined;
  readonly #throughTmux: boolean;
  readonly #now: () => number;
  #last = -Infinity;

  constructor(env: Environment, now: () => number = () => performance.now()) {
    this.#dialect = dialectOf(env);
    this.#throughTmux = Boolean(env.TMUX);
    this.#now = now;
  }

  /** What to write to the terminal; undefined so soon after another one. */
  ring(text: string): string | undefined {
    const now = this.#now();
    if (now - this.#last < EVERY) return undefined;
    this.#last = now;
    if (this.#dialect === undefined) return BELL;
    const notice = truncate(safeLine(text), LONGEST);
    const sequence = this.#dialect === 9
      ? `\x1b]9;${notice}${BELL}`
      : `\x1b]777;notify;zgroup;${notice.replaceAll(";", ",")}${BELL}`;
    return BELL + (this.#throughTmux ? passed(sequence) : sequence);
  }
}

const BELL = "\x07";

/** Told to tmux as meant for the terminal around it, which it does where `allow-passthrough` is on. */
function passed(sequence: string): string {
  return `\x1bPtmux;${sequence.replaceAll("\x1b", "\x1b\x1b")}\x1b\\`;
}

/**
 * What a terminal is known to understand; undefined for the bell alone. Inside of tmux only what the
 * variables still tell of the terminal around it counts.
 */
function dialectOf(env: Environment): Dialect | undefined {
  const { TERM = "", TERM_PROGRAM = "", LC_TERMINAL = "", TMUX } = env;
  if (TERM === "dumb" || (!TMUX && /^(screen|tmux)/.test(TERM))) return undefined;
  const inside = env.KITTY_WINDOW_ID || env.WEZTERM_PANE || env.GHOSTTY_RESOURCES_DIR;
  if (TMUX) return inside || LC_TERMINAL === "iTerm2" ? 9 : undefined;
  if (/^(iTerm\.app|WezTerm|ghostty|WarpTerminal)$/.test(TERM_PROGRAM)) return 9;
  if (LC_TERMINAL === "iTerm2" || /^xterm-(kitty|ghostty)$/.test(TERM)) return 9;
  return /^(foot|rxvt-unicode)\b/.test(TERM) ? 777 : undefined;
}
