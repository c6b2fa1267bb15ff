/** Command lines: options, positionals, and one clear sentence for what cannot be used. */

import { parseArgs } from "node:util";
import { UsageError } from "../errors.ts";
import { safeLine } from "../text/filter.ts";
import { nearest } from "../text/nearest.ts";

/** One option of a program: `type` is how it is read, `value` what its value is called in help. */
export interface Option {
  readonly type: "flag" | "text" | "list" | "optional";
  readonly value?: string;
  /** Absent where the text of a command says it. */
  readonly help?: string;
  /** Of one whose value is optional: the next word is its value where it looks so. */
  readonly looks?: RegExp;
}

/** Options by name, without the hyphens. */
export type Options = Readonly<Record<string, Option>>;

/** What was given. */
export interface Given {
  readonly flags: ReadonlySet<string>;
  readonly texts: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

/** Options of every program. */
export const COMMON: Options = {
  home: { type: "text", value: "DIR", help: "folder for all that is kept, else $ZGROUP_HOME" },
  transport: { type: "text", value: "zmtp|libzmq", help: "what brings the bytes; see README" },
  help: { type: "flag", help: "show this text" },
  version: { type: "flag", help: "show the version" },
};

/**
 * Reads a command line. Options may stand anywhere before `--`.
 *
 * @throws {UsageError} for an unknown option, a missing value, a value where none belongs
 */
export function readArgs(argv: readonly string[], options: Options): Given {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: {
      ...Object.fromEntries(
        Object.entries(options).map(([name, { type }]) => [name, {
          type: type === "flag" || type === "optional" ? "boolean" as const : "string" as const,
        }]),
      ),
      h: { type: "boolean" as const },
    },
  });
  const positionals: string[] = [];
  const flags = new Set<string>();
  const texts = new Map<string, string>();
  const lists = new Map<string, string[]>();
  for (const [i, token] of tokens.entries()) {
    if (token.kind === "positional") {
      const before = tokens[i - 1];
      const option = before?.kind === "option" ? options[before.name] : undefined;
      const isValue = before?.kind === "option" && before.value === undefined &&
        option?.looks?.test(token.value);
      if (isValue) texts.set(before.name, token.value);
      else positionals.push(token.value);
    }
    if (token.kind !== "option") continue;
    const { name, rawName, value, inlineValue } = token;
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (name === "h" && rawName === "-h") flags.add("help");
    else if (!option) throw unknownOption(rawName, Object.keys(options));
    else if (option.type === "flag") {
      if (value !== undefined) throw new UsageError(`Cannot use ${rawName}=…: it takes no value`);
      flags.add(name);
    } else if (option.type === "optional") {
      texts.set(name, value ?? "");
    } else {
      if (value === undefined || (!inlineValue && /^-./.test(value))) {
        throw new UsageError(`Cannot use ${rawName}: its value ${option.value} is missing`);
      }
      if (option.type === "list") lists.set(name, [...lists.get(name) ?? [], value]);
      else texts.set(name, value);
    }
  }
  return { flags, texts, lists, positionals };
}

function unknownOption(typed: string, known: string[]): UsageError {
  const near = nearest(typed.replace(/^-+/, ""), known);
  const hint = near ? `, did you mean --${near}?` : ` (a text that begins with - goes after --)`;
  return new UsageError(`Cannot use ${safeLine(typed)}: there is no such option${hint}`);
}

/** The value of an option as `read` understands it; undefined where it was not given. */
export function valueOf<V>(
  { texts }: Pick<Given, "texts">,
  name: string,
  read: (typed: string) => V,
): V | undefined {
  const typed = texts.get(name);
  return typed === undefined ? undefined : read(typed);
}

/** The whole number of an option, at least `least`. @throws {UsageError} */
export function wholeNumber(
  given: Pick<Given, "texts">,
  name: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined {
  return valueOf(given, name, (typed) => {
    const number = /^\d{1,16}$/.test(typed) ? Number(typed) : NaN;
    if (number >= least && number <= most) return number;
    const bounds = most < Number.MAX_SAFE_INTEGER ? `${least} to ${most}` : `of at least ${least}`;
    throw new UsageError(
      `Cannot use --${name} ${safeLine(typed)}: expected a whole number ${bounds}`,
    );
  });
}

/** Two columns, the first as wide as its longest. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}

/** Refuses positionals beyond the first `count`. @throws {UsageError} */
export function atMost(positionals: readonly string[], count: number): void {
  if (positionals.length <= count) return;
  const extra = safeLine(positionals[count]);
  throw new UsageError(
    `Cannot use "${extra}": it is one word too many (a name with spaces needs quotes)`,
  );
}
