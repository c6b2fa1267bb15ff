/** Runs a program: signals, closing in reverse order, sentences for errors, the exit code. */

import { once } from "node:events";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { sentence, UsageError } from "../errors.ts";
import { inSeconds } from "../text/counted.ts";
import { hasTerminal, startedIgnoringHangup } from "./hangup.ts";
import { safeLine, safeText } from "../text/filter.ts";

/** Closing takes at most this long, ms; then the process ends without it. */
const CLOSE_WITHIN = 1_800;

/** Exit code of a program that a signal ended before it was done. */
const INTERRUPTED = 130;

type Close = () => Promise<unknown> | void;

/**
 * Runs `work` and ends the process with the code it returns.
 *
 * Ctrl-C, SIGTERM, a closed terminal (unless nohup was to ignore it) and an error that nobody caught
 * abort the signal; whatever `onClose` was given is closed in reverse order, within two seconds; a
 * second Ctrl-C ends at once with 130. A server takes any other SIGHUP for a word to go on in new log
 * files: what `onReopen` was given is called. An error is printed last, as a sentence (with its stack
 * when ZGROUP_DEBUG=1): code 2 for wrong usage, otherwise 1.
 */
export async function main(
  work: (
    signal: AbortSignal,
    onClose: (close: Close) => void,
    onReopen: (reopen: () => void) => void,
  ) => Promise<number>,
  { isServer = false }: { readonly isServer?: boolean } = {},
): Promise<never> {
  const stop = new AbortController();
  const closes: Close[] = [];
  const reopens: (() => void)[] = [];
  const interrupt = () => {
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort();
  };
  // Deno forgets what was ignored with the first signal that is listened to.
  const outlasts = startedIgnoringHangup();
  const hadTerminal = hasTerminal();
  const hangup = () => {
    const isClosed = !isServer || (hadTerminal && !hasTerminal());
    if (isClosed && !outlasts) return interrupt();
    for (const reopen of reopens) reopen();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  if (process.platform !== "win32") process.on("SIGHUP", hangup);

  let code: number | undefined;
  /** Told when all is closed: the terminal may be a program's own until then. */
  let failure: { readonly error: unknown } | undefined;
  const aborted = once(stop.signal, "abort");
  const done = (async () => {
    try {
      code = await work(
        stop.signal,
        (close) => closes.push(close),
        (reopen) => reopens.push(reopen),
      );
    } catch (error) {
      if (stop.signal.aborted) code = INTERRUPTED;
      else failure ??= { error };
    }
  })();
  const ended = (error: unknown) => {
    if (code !== undefined) return;
    failure ??= { error };
    stop.abort();
  };
  process.on("unhandledRejection", ended);
  process.on("uncaughtException", ended);
  await Promise.race([done, aborted]);

  const late = await closeAll(closes);
  if (late) {
    process.stderr.write(`Closing took longer than ${inSeconds(CLOSE_WITHIN)}: ended without it\n`);
  } else if (stop.signal.aborted) {
    await Promise.race([done, pause(100)]);
  }
  process.exitCode = failure ? report(failure.error) : code ?? INTERRUPTED;
  process.exit();
}

/** Closes the last opened first; true when that did not end in time. */
async function closeAll(closes: Close[]): Promise<boolean> {
  const all = (async () => {
    for (let close = closes.pop(); close; close = closes.pop()) {
      try {
        await close();
      } catch (error) {
        report(error);
      }
    }
    return false;
  })();
  return await Promise.race([all, pause(CLOSE_WITHIN).then(() => true)]);
}

/** Says what went wrong on standard error and gives the exit code. */
function report(error: unknown): number {
  if ((error as { code?: unknown })?.code === "EPIPE") return 0;
  // A defect's text may quote a peer.
  const text = wantsStack() && error instanceof Error
    ? safeText(String(error.stack))
    : safeLine(sentence(error));
  process.stderr.write(`FAILED: ${text}\n`);
  return error instanceof UsageError ? 2 : 1;
}

function wantsStack(): boolean {
  try {
    return process.env.ZGROUP_DEBUG === "1";
  } catch {
    return false; // Deno without --allow-env, which is what the error says.
  }
}
