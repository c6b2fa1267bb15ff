/** What the commands of the prompt need from where they are typed. */

import type { Style } from "./render.ts";

/** A terminal with a prompt, or a script without one. */
export interface Screen {
  readonly style: Style;
  /** True where a person sits in front of it. */
  readonly live: boolean;
  print(text: string): void;
  /** A sentence that something failed; a script ends with exit code 1 then. */
  fail(text: string): void;
  /** The next line that is typed, with its own prompt; undefined when there is none. */
  nextLine(prompt: string): Promise<string | undefined>;
  /** Lines directly above the prompt that change: what is pending, who is typing. */
  status(lines: readonly string[]): void;
  /** What stands before the line being typed. */
  prompt(text: string): void;
}
