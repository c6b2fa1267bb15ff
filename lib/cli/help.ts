/**
 * What help says: pages that a terminal of 80 columns and 24 rows shows as a whole, made from the
 * tables of commands and of options. Pure.
 */

import { UsageError } from "../errors.ts";
import { safeLine } from "../text/filter.ts";
import { nearest } from "../text/nearest.ts";
import { displayWidth, wrap } from "../text/width.ts";
import type { Option, Options } from "./args.ts";

/** Widest line of a page, columns. */
export const PAGE_COLUMNS = 80;
/** Most lines of a page: one row stays for what is typed next. */
export const PAGE_ROWS = 23;

/** Families of commands in the order of help, and what each is about. */
export const FAMILIES = {
  talk: "send, read and look back",
  groups: "find, make, enter and leave groups",
  people: "who is there, and what admins do",
  files: "what is kept on your devices",
  program: "this program, and who you are",
} as const;

/** What a command is about. */
export type Family = keyof typeof FAMILIES;

/** One way to call something. */
export interface Usage {
  /** Name, words and options. */
  readonly usage: string;
  /** A line that does something as it stands. */
  readonly example: string;
  /** Where it differs from what is said of it elsewhere. */
  readonly help?: string;
}

/** A command, as it is called in one place. */
export interface Entry extends Usage {
  readonly family: Family;
  /** Every name that is understood here, the one that help shows first. */
  readonly names: readonly string[];
  readonly help: string;
  /** Its own. */
  readonly options: Options;
}

/** Where help is asked for. */
export interface Place {
  readonly entries: readonly Entry[];
  /** Stands before a usage, such as `user.ts `. */
  readonly program: string;
  /** Stands before an example, such as `deno run -A user.ts `. */
  readonly run: string;
  /** What is said under an entry. */
  readonly more?: string;
}

/** A page about a word, which is a family or a command. @throws {UsageError} it is neither */
export function pageAbout(typed: string, place: Place): string[] {
  const word = typed.replace(/^\//, "").toLowerCase().replaceAll("_", "-");
  const found = entryOf(word, place);
  if (found && !Object.hasOwn(FAMILIES, word)) return commandPage(found, place);
  if (Object.hasOwn(FAMILIES, word)) {
    const page = familyPage(word as Family, place);
    if (page.length > 0) return page;
  }
  const known = [
    ...Object.keys(FAMILIES),
    ...place.entries.flatMap(({ names }) => names.map(bare)),
  ];
  const near = nearest(word, known);
  const hint = near ? `did you mean ${near}?` : "help alone shows what there is";
  throw new UsageError(
    `Cannot show help on "${safeLine(typed)}": there is no such command, ${hint}`,
  );
}

function entryOf(word: string, { entries }: Place): Entry | undefined {
  return entries.find(({ names }) => names.some((name) => bare(name) === word));
}

function bare(name: string): string {
  return name.replace(/^\//, "").replaceAll("_", "-");
}

/** A row for each family that has commands here, with their names. */
export function familyRows(entries: readonly Entry[]): string[] {
  return families(entries).flatMap(([family, own]) =>
    entryRows([[family, own.map(({ names }) => names[0]).join(" ")]], 9)
  );
}

function families(entries: readonly Entry[]): [Family, readonly Entry[]][] {
  return (Object.keys(FAMILIES) as Family[])
    .map((family): [Family, readonly Entry[]] => [
      family,
      entries.filter((entry) => entry.family === family),
    ])
    .filter(([, own]) => own.length > 0);
}

/** What the commands of a family do; empty where it has none. */
export function familyPage(family: Family, { entries, program }: Place): string[] {
  const own = entries.filter((entry) => entry.family === family);
  if (own.length === 0) return [];
  return [
    `${family}: ${FAMILIES[family]}`,
    "",
    ...entryRows(own.map(({ usage, help }) => [usage, help])),
    "",
    `${program}help COMMAND shows one of them, with an example.`,
  ];
}

/** Usage, what it does, its options and an example. */
export function commandPage(
  { names: [, ...others], usage, help, example, options }: Omit<Entry, "family">,
  { program, run, more }: Omit<Place, "entries">,
): string[] {
  return [
    ...folded(`Usage: ${program}${usage}`, 7),
    ...(others.length > 0 ? [`Also:  ${others.join(", ")}`] : []),
    "",
    ...folded(`${help[0].toUpperCase()}${help.slice(1)}.`, 0),
    ...(Object.keys(options).length > 0 ? ["", "Options:", ...optionRows(options)] : []),
    "",
    ...folded(`Example: ${run}${example}`, 9),
    ...(more === undefined ? [] : [more]),
  ];
}

/** A line in rows of a page, all but the first one `indent` columns in. */
function folded(line: string, indent: number): string[] {
  return wrap(line, PAGE_COLUMNS, 0, indent)
    .map((row, i) => (" ".repeat(i === 0 ? 0 : indent) + row).trimEnd());
}

/** A page of options; `about` is what they are about. */
export function pageOfOptions(about: string, options: Options): string[] {
  return [`Options about the ${about}`, "", ...optionRows(options)];
}

/** Options as rows: how each is given, and what it says. */
export function optionRows(options: Options): string[] {
  return entryRows(
    Object.entries(options).flatMap(([name, option]) =>
      option.help === undefined ? [] : [[optionUsage(name, option), helpOf(option)] as const]
    ),
  );
}

function optionUsage(name: string, { value }: Option): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

function helpOf({ type, help = "" }: Option): string {
  return type === "list" ? `${help} (may be repeated)` : help;
}

/** Widest left column; what is longer stands on a row of its own. */
const LEFT = 30;

/** Two columns that stay within {@linkcode PAGE_COLUMNS}; the right one is wrapped. */
export function entryRows(rows: readonly (readonly [string, string])[], width?: number): string[] {
  const widths = rows.map(([left]) => displayWidth(left));
  const column = width ?? Math.max(0, ...widths.filter((one) => one <= LEFT));
  const indent = column + 4;
  return rows.flatMap(([left, right], i) => {
    const texts = wrap(right, PAGE_COLUMNS, indent, indent);
    const [first, ...rest] = texts.map((text) => " ".repeat(indent) + text.trimEnd());
    if (widths[i] <= column) return [`  ${left.padEnd(column)}  ${first.trimStart()}`, ...rest];
    return [...folded(`  ${left}`, 4), first, ...rest];
  });
}
