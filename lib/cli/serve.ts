/** How a server's program runs: its log, what it tells who started it, and how it waits for its end. */

import { sentence, UsageError } from "../errors.ts";
import { type Level, LEVELS } from "../structures/logger.ts";
import { safeLine } from "../text/filter.ts";
import { type Given, type Options, wholeNumber } from "./args.ts";
import { jsonLine, type LogOptions, type LogSink } from "./program.ts";
import type { OpenLog, Run, Running } from "./program.ts";
import { failed } from "./render.ts";
import type { Output } from "./streams.ts";

/** What the page of help with {@linkcode LOG_OPTIONS} is about. */
export const OUTPUT_PAGE = "output: what a server says of itself, and where";

/** Options of a server's log. */
export const LOG_OPTIONS: Options = {
  "log-level": {
    type: "text",
    value: "LEVEL",
    help: "error, warn, info (default: who comes and goes), or debug: also a line a request",
  },
  quiet: { type: "flag", help: "log warnings only, as --log-level warn" },
  "log-json": { type: "flag", help: "print and log nothing but JSON objects, one a line" },
  "log-file": { type: "text", value: "FILE", help: "log to a file, which SIGHUP opens anew" },
  "log-size": {
    type: "text",
    value: "MIB",
    help: "put the file aside when it is so large, default 16; 3 are kept; 0 never does",
  },
};

/**
 * Runs a server until Ctrl-C (exit code 0) or until it stops by itself (1 when its log failed).
 * Everything opened is handed to `run.onClose`. With `--log-json` whatever is printed is a line of
 * its log, also why it does not start.
 */
export async function serve(
  given: Given,
  openLog: OpenLog,
  open: (log: LogSink) => Promise<Running>,
  says: (running: Running) => string,
  output: Output,
  run: Run,
): Promise<number> {
  const options = logOptions(given);
  const log = opened(openLog, options);
  run.onClose(() => log.close());
  run.onReopen?.(() => {
    log.reopen?.();
    log.info("SIGHUP: goes on; what it logs to is opened anew");
  });
  try {
    const running = await open(log);
    run.onClose(() => running.close());
    const text = says(running);
    const { address, name } = running;
    await output.print(options.json ? jsonLine("info", text, { address, group: name }) : text);
    if (options.file !== undefined) log.info(text, { address, group: name });
    const ended = await endOf(running, run.signal);
    if (ended) throw ended;
    return 0;
  } catch (error) {
    if (run.signal.aborted || !(options.json || options.file)) throw error;
    log.error?.(sentence(error));
    // Who reads standard output reads the log there, if there is no file.
    if (options.file !== undefined) {
      const text = options.json ? jsonLine("error", sentence(error)) : failed(error);
      await output.complain(text);
    }
    return error instanceof UsageError ? 2 : 1;
  }
}

/** What options say of a server's log. @throws {UsageError} */
function logOptions(given: Given): LogOptions {
  const { flags, texts } = given;
  const level = texts.get("log-level") ?? (flags.has("quiet") ? "warn" : "info");
  if (!isLevel(level)) {
    const levels = `${LEVELS.slice(0, -1).join(", ")} or ${LEVELS.at(-1)}`;
    throw new UsageError(`Cannot use --log-level ${safeLine(level)}: expected ${levels}`);
  }
  const json = flags.has("log-json");
  const file = texts.get("log-file");
  const size = wholeNumber(given, "log-size", 0, 1_048_576) ?? 16;
  if (file !== undefined) {
    return { level, json, file, size: size === 0 ? Infinity : size * 1_048_576 };
  }
  if (texts.has("log-size")) {
    throw new UsageError("Cannot use --log-size: it is for --log-file FILE, add that");
  }
  return { level, json };
}

function isLevel(text: string): text is Level {
  return (LEVELS as readonly string[]).includes(text);
}

/** @throws {UsageError} its file cannot be written */
function opened(openLog: OpenLog, options: LogOptions): LogSink {
  try {
    return openLog(options);
  } catch (cause) {
    // As the system says it, without what it was asked.
    const why = sentence(cause).replace(/, open .*/s, "");
    throw new UsageError(
      `Cannot log to ${safeLine(options.file ?? "")}: ${why}; choose another --log-file`,
      { cause },
    );
  }
}

/** Undefined at Ctrl-C; the error that the server stopped with, if one did. */
function endOf({ stopped }: Running, signal: AbortSignal): Promise<Error | undefined> {
  const interrupted = Promise.withResolvers<undefined>();
  if (signal.aborted) interrupted.resolve(undefined);
  signal.addEventListener("abort", () => interrupted.resolve(undefined), { once: true });
  const ended = stopped.catch((error: unknown) => new Error(sentence(error)));
  return Promise.race([interrupted.promise, ended]);
}
