/** Where a prompt shows what it has to say, and asks. */

import type { Style } from "../render.ts";
import type { PageSource } from "./pager.ts";

/** A terminal with a prompt, or a script without one. */
export interface Screen {
  readonly style: Style;
  /** True where a person sits in front of it. */
  readonly live: boolean;
  /** Resolves, where it says when, as soon as more may come. */
  print(text: string): void | Promise<void>;
  /** A sentence that something failed; a script ends with exit code 1 then. */
  fail(text: string): void;
  /** Asks: the next line that is typed, or the lines of a paste; undefined when there is none. */
  ask(question: string): Promise<readonly string[] | undefined>;
  /** Lines directly above the prompt that change: what is pending, who is typing. */
  status(lines: readonly string[]): void;
  /** What stands before the line being typed. */
  prompt(text: string): void;
  /** Rows of the terminal; absent where there is none. */
  readonly rows?: number;
  /** Calls for attention: a bell, or a sequence that nobody sees on the screen. */
  alert?(sequence: string): void;
  /**
   * Shows a history on the whole screen; resolves when the person leaves it. Absent where there is no
   * screen for it.
   */
  page?(source: PageSource): Promise<void>;
}
