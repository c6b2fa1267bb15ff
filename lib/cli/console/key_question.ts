/** A question that one key answers, where no prompt is open. */

import { folded, type Style } from "../render.ts";
import type { Key } from "./keys.ts";
import { Terminal } from "./terminal.ts";

interface KeyQuestionOptions<Answer> {
  readonly style: Style;
  /** What each key means, letters in any case; others mean nothing. */
  readonly keys: ReadonlyMap<string, Answer>;
  /** The answer when there are no more keys. */
  readonly end: Answer;
  readonly signal: AbortSignal;
}

/**
 * Asks the person at this process's terminal; what the key means that was pressed. Keys that come
 * before the question mean nothing. Undefined where it turns out that there is none.
 */
export async function askKey<Answer>(
  question: Promise<string | undefined>,
  { style, keys, end, signal }: KeyQuestionOptions<Answer>,
): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  let isAsked = false;
  const press = (key: Key) => {
    const names = "name" in key ? [key.name] : [...key.text.toLowerCase()];
    const name = names.find((name) => keys.has(name));
    if (isAsked && name !== undefined) resolve(keys.get(name)!);
  };
  const stop = () => resolve(end);
  const terminal = new Terminal({
    keys: (pressed) => pressed.forEach(press),
    resized: () => {},
    resumed: () => {},
    ended: stop,
  });
  signal.addEventListener("abort", stop, { once: true });
  terminal.open();
  try {
    const text = await question;
    if (text === undefined) return undefined;
    isAsked = true;
    terminal.write(`${folded(text, style, 0)} `);
    const answer = await promise;
    terminal.write("\n");
    return answer;
  } finally {
    signal.removeEventListener("abort", stop);
    terminal.close();
  }
}
