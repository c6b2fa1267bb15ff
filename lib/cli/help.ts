/** Help texts, made from tables. */

import { COMMON, type Given, optionLines, type Options, readArgs } from "./args.ts";
import { UsageError } from "../errors.ts";
import type { Output } from "./output.ts";
import { failed } from "./render.ts";
import { VERSION } from "./version.ts";

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

/** Two columns, the first as wide as its longest. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
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
