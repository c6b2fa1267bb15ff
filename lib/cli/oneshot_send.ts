/** `send`: one text, standard input as one message, or each line of it as one. */

import { UsageError } from "../errors.ts";
import { COMMAND_WORDS, explainSend } from "./explain.ts";
import { safeJson } from "../text/filter.ts";
import { linesOf, wholeText } from "./input.ts";
import type { Call } from "./oneshot.ts";
import type { Receipt } from "./ports.ts";
import { counted, success } from "./render.ts";

/** Most messages of `--lines` that wait for their receipt. */
const IN_FLIGHT = 1_024;

/** `send G TEXT…`, `send G -`, `send G - --lines`. */
export async function send(call: Call): Promise<void> {
  const { user, words: [group, ...texts], given, json, output, stdin } = call;
  const fromInput = texts.length === 1 && texts[0] === "-";
  if (given.flags.has("lines")) {
    if (!fromInput) {
      throw new UsageError("Cannot use --lines with a text: expected send G - --lines");
    }
    return await sendLines(call);
  }
  const text = fromInput ? await wholeText(stdin) : texts.join(" ");
  if (text.trim() === "") throw new UsageError("Cannot send the message: it is empty");
  const receipt = await user.send(group, text).catch((error: unknown) => {
    throw error instanceof UsageError ? error : withSentence(error, group);
  });
  await output.print(json ? safeJson(receipt) : success(output.style));
}

/**
 * Each line as it comes, each receipt as it comes. Stops at the first line that fails, and says how
 * many were accepted.
 */
async function sendLines({ user, words: [group], json, output, stdin }: Call): Promise<void> {
  let accepted = 0;
  let failure: { error: unknown } | undefined;
  let last: Promise<void> = Promise.resolve();
  const waiting: Promise<void>[] = [];
  const settle = async (receipt: Promise<Receipt>, before: Promise<void>) => {
    await before;
    try {
      const told = await receipt;
      accepted++;
      if (json && !failure) await output.print(safeJson(told));
    } catch (error) {
      failure ??= { error };
    }
  };
  for await (const line of linesOf(stdin)) {
    if (line.trim() === "") continue;
    if (waiting.length >= IN_FLIGHT) await waiting.shift();
    if (failure) break;
    const receipt = user.send(group, line);
    receipt.catch(() => {}); // looked at in its turn
    last = settle(receipt, last);
    waiting.push(last);
  }
  await last;
  if (failure) {
    const { error } = failure;
    throw withSentence(error, group, ` (${counted(accepted, "line")} accepted before)`);
  }
  if (!json) await output.print(success(output.style));
}

function withSentence(cause: unknown, group: string, more = ""): Error {
  return new Error(explainSend(cause, COMMAND_WORDS, group) + more, { cause });
}
