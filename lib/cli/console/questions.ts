/** What commands ask the person, one question after the other. */

import type { Editor } from "./editor.ts";

type Answer = string[] | undefined;

/** A question takes the place of the prompt; a line that was begun before is put aside meanwhile. */
export class Questions {
  /** The one that is shown. */
  open: string | undefined;
  readonly #editor: Editor;
  readonly #changed: () => void;
  #asking: ((answer: Answer) => void) | undefined;
  /** Ends with the last one that was asked. */
  #answered: Promise<unknown> = Promise.resolve();
  /** The line that was begun before. */
  #begun = "";
  /** What was typed behind an answer while that was on its way: it answers the next question. */
  #ahead = "";
  #closed = false;

  constructor(editor: Editor, changed: () => void) {
    this.#editor = editor;
    this.#changed = changed;
  }

  /** Whether the one that is shown can be answered so: `(y/N)?` takes a `y` or `n` alone. */
  takes(lines: readonly string[]): boolean {
    if (!/\(y\/N\)\?\s*$/.test(this.open ?? "")) return true;
    return lines.length === 1 && /^\s*(y(es)?|no?)?\s*$/i.test(lines[0]);
  }

  /** The next line, or the lines of a paste; undefined where the person gives none. */
  ask(question: string): Promise<Answer> {
    const answer = this.#answered.then(async () => {
      if (this.#closed) return undefined;
      const { text } = this.#editor;
      const isAhead = text === this.#ahead;
      if (!isAhead) this.#begun = text;
      this.#show(question, isAhead ? text : "");
      const answer = await new Promise<Answer>((give) => this.#asking = give);
      this.#ahead = this.#editor.text;
      const line = this.#ahead || this.#begun;
      if (line === this.#begun) this.#begun = "";
      this.#show(undefined, line);
      return answer;
    });
    this.#answered = answer;
    return answer;
  }

  answer(answer: Answer): void {
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.(answer);
  }

  close(): void {
    this.#closed = true;
    this.answer(undefined);
  }

  #show(question: string | undefined, line: string): void {
    this.open = question;
    if (line !== this.#editor.text) this.#editor.set(line);
    this.#changed();
  }
}
