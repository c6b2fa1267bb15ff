/**
 * What the three programs have in common: version, help, arguments, how a server waits for its end,
 * and the types of what composition hands in.
 */

import { sentence, UsageError } from "../errors.ts";
import type { User } from "../user/user.ts";
import { COMMON, type Given, optionLines, type Options, readArgs } from "./args.ts";
import { failed } from "./render.ts";
import type { Output } from "./streams.ts";

/** The version that `--version` shows; a test compares it with deno.json. */
export const VERSION = "0.1.0";

/** What a program says of itself. */
export interface About {
  readonly program: string;
  readonly usage: readonly string[];
  readonly text: readonly string[];
  readonly options: Options;
  readonly examples: readonly string[];
}

/** The whole help text of a program. */
export function helpText({ usage, text, options, examples }: About): string {
  return [
    ...usage.map((line, i) => `${i === 0 ? "Usage: " : "       "}${line}`),
    "",
    ...text,
    "",
    "Options:",
    ...optionLines({ ...options, ...COMMON }),
    "",
    "Examples:",
    ...examples.map((line) => `  ${line}`),
  ].join("\n");
}

/**
 * Reads a program's arguments and runs it; `--help` and `--version` answer and end with 0, wrong
 * usage is one sentence on standard error and ends with 2.
 */
export async function withArgs(
  argv: readonly string[],
  about: About,
  output: Output,
  run: (given: Given) => Promise<number>,
): Promise<number> {
  try {
    const given = readArgs(argv, { ...about.options, ...COMMON });
    if (given.flags.has("help")) {
      await output.print(helpText(about));
      return 0;
    }
    if (given.flags.has("version")) {
      await output.print(`zgroup ${VERSION}`);
      return 0;
    }
    return await run(given);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    await output.complain(failed(error));
    await output.complain(`See ${about.program} --help`);
    return 2;
  }
}

/**
 * Runs a server until Ctrl-C (exit code 0) or until it stops by itself (1 when its log failed).
 * Everything opened is handed to `run.onClose`.
 */
export async function serve(
  log: LogSink,
  open: () => Promise<Running>,
  says: (running: Running) => string,
  output: Output,
  { signal, onClose }: Run,
): Promise<number> {
  onClose(() => log.close());
  const running = await open();
  onClose(() => running.close());
  await output.print(says(running));
  const interrupted = new Promise<"interrupted">((resolve) => {
    if (signal.aborted) resolve("interrupted");
    signal.addEventListener("abort", () => resolve("interrupted"), { once: true });
  });
  const stopped = running.stopped.catch((error: unknown) => new Error(sentence(error)));
  const ended = await Promise.race([interrupted, stopped]);
  if (!(ended instanceof Error)) return 0;
  await output.complain(failed(ended));
  return 1;
}

/** What `run/main.ts` gives a program: a signal that Ctrl-C aborts, and the list of what to close. */
export interface Run {
  readonly signal: AbortSignal;
  readonly onClose: (close: () => Promise<unknown> | void) => void;
}

/** Where a server's log lines go. */
export interface LogSink {
  info(text: string, fields?: object): void;
  warn(text: string, fields?: object): void;
  /** Writes what is collected. */
  close(): Promise<void>;
}

/** A server that runs in this process. */
export interface Running {
  readonly address: string;
  readonly name?: string;
  /** Public key that it proves. */
  readonly key: string;
  /** Settles when the server stops by itself; with an error when its log failed. */
  readonly stopped: Promise<Error | undefined>;
  close(): Promise<void>;
}

/** Opens a sink that writes to standard output or a file. */
export type OpenLog = (options: { quiet?: boolean; json?: boolean; file?: string }) => LogSink;

/** Opens this home's user. */
export type OpenUser = (
  options: { home: string; registries: string[]; name?: string; transport?: string },
) => Promise<User>;

/** Starts a registry. */
export type OpenRegistry = (
  options: { home: string; host: string; port: number; transport?: string; log: LogSink },
) => Promise<Running>;

/** What a group is started with. */
export interface GroupOptions {
  home: string;
  name: string;
  address: string;
  registries: string[];
  data?: string;
  memory?: boolean;
  plain?: boolean;
  private?: boolean;
  unlisted?: boolean;
  rate?: number;
  keep?: number;
  keepFor?: number;
  memoryLimit?: number;
  advertise?: string;
  transport?: string;
  log: LogSink;
}

/** Starts a group. */
export type OpenGroup = (options: GroupOptions) => Promise<Running>;
