/** `send G - --lines`: each line a message, and an exact account of what became of them. */

import { Buffer } from "node:buffer";
import {
  BadReply,
  Closed,
  IdentityChanged,
  Interrupted,
  sentence,
  Unreachable,
  UsageError,
} from "../../errors.ts";
import type { Receipt } from "../../user/types.ts";
import { counted } from "../../text/counted.ts";
import type { Context } from "./command.ts";
import type { GroupRef } from "./targets.ts";

/** Most lines that wait for their receipt. */
const IN_FLIGHT = 1_024;

/** A text line by line. */
export interface Lines {
  readonly lines: AsyncIterable<string>;
  /** How long it is, bytes; undefined where nobody knows. */
  readonly size?: number;
}

/** A line that went out. */
interface Sent {
  readonly line: number;
  /** Where it ends in the input, bytes. */
  readonly end: number;
  readonly answer: Promise<Answer>;
}

type Answer = { readonly receipt: Receipt | undefined } | { readonly error: unknown };

/** What became of the lines that were read. */
class Account {
  /** The group has them on its disk. */
  accepted = 0;
  /** They are in no outbox. */
  refused = 0;
  /** In the outbox, without an answer. */
  kept = 0;
  /** Number of the last line that was sent; empty ones count. */
  last = 0;
  /** The first that the group has not taken. */
  failed: { readonly line: number; readonly error: unknown } | undefined;

  fail(line: number, error: unknown): void {
    this.failed ??= { line, error };
    if (isKept(error)) this.kept++;
    else this.refused++;
  }

  toString(): string {
    const kept = `${this.kept} kept in the outbox, which user.ts flush sends`;
    return [
      `${counted(this.accepted, "line")} accepted`,
      ...(this.refused > 0 ? [`${this.refused} refused`] : []),
      ...(this.kept > 0 ? [kept] : []),
      `nothing after line ${this.last} was sent`,
    ].join("; ");
  }
}

/**
 * Sends each line as it comes, without the empty ones; receipts in the order of the lines. Reads on
 * until the first line fails, and then waits for the answers to those that went out.
 *
 * @throws {Error} what the first line failed with, and the account; {Interrupted} the signal was
 * aborted, with the account; {UsageError} the input cannot be read
 */
export async function* sendLines(
  context: Pick<Context, "send" | "signal" | "progress">,
  group: GroupRef,
  { lines, size = 0 }: Lines,
): AsyncGenerator<Receipt | undefined> {
  const { signal, progress } = context;
  const account = new Account();
  const waiting: Sent[] = [];
  let open = true;
  // One of the two waits at a time: the reader for room, or what is below for a message.
  let wake = () => {};
  const change = () => new Promise<void>((resolve) => wake = resolve);
  const begun = performance.now();
  const say = () => {
    const rate = account.accepted / (performance.now() - begun) * 1_000;
    return `${counted(account.accepted, "line")} accepted, ${Math.round(rate)} a second`;
  };
  const stop = () => {
    open = false;
    wake();
  };
  const reading = (async () => {
    let [line, end] = [0, 0];
    for await (const text of lines) {
      line++;
      end += Buffer.byteLength(text) + 1;
      if (text.trim() === "") continue;
      if (waiting.length >= IN_FLIGHT) await change();
      if (account.failed || signal.aborted) return;
      const answer = context.send(group, text);
      account.last = line;
      waiting.push({
        line,
        end,
        answer: answer.then((receipt) => ({ receipt }), (error: unknown) => ({ error })),
      });
      wake();
    }
  })();
  reading.then(stop, stop); // Looked at in its turn.
  signal.addEventListener("abort", stop, { once: true });
  while (open || waiting.length > 0) {
    if (waiting.length === 0) {
      await change();
      continue;
    }
    const [{ line, end, answer }] = waiting;
    const result = await answer;
    waiting.shift();
    wake();
    if ("error" in result) {
      account.fail(line, result.error);
      continue;
    }
    account.accepted++;
    progress?.({ done: end, total: size, say });
    yield result.receipt;
  }
  if (signal.aborted) throw new Interrupted(`Stopped: ${account}`);
  if (account.failed) {
    const { line, error } = account.failed;
    throw new Error(`${sentence(error)} (line ${line}; ${account})`, { cause: error });
  }
  await reading.catch((error: unknown) => {
    const Kind = error instanceof UsageError ? UsageError : Error;
    throw new Kind(`${sentence(error)} (${account})`, { cause: error });
  });
}

/** Whether a message that failed is in the outbox all the same. */
function isKept(error: unknown): boolean {
  const { cause = error } = error as { cause?: unknown };
  return [Unreachable, IdentityChanged, BadReply, Closed].some((kind) => cause instanceof kind);
}
