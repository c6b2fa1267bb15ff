/** What a typed line is: a command, or text for the current group; and what Tab makes of it. Pure. */

import { edits, nearest } from "../../text/nearest.ts";
import { areArguments, type Argument, type Around } from "../commands/arguments.ts";
import { FAMILIES } from "../help.ts";
import { typedName } from "../../text/names.ts";
import { completeMention, type Mentionable } from "./mentions.ts";

/** What the parser needs of a command. */
export interface Names {
  /** Understood anywhere. */
  readonly names: readonly string[];
  /** Understood like the names, also where one of these is an ordinary word. */
  readonly short?: readonly string[];
  /**
   * Behind an ordinary word (a name without `_`): what makes the line this command, in this order,
   * each of which may be left out; default nothing.
   */
  readonly takes?: readonly Argument[];
  /** Behind an ordinary word: at most so many others are asked about, more are a text; default 3. */
  readonly most?: number;
}

/** A line, understood. */
export type Line<C extends Names> =
  | { readonly kind: "empty" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "command"; readonly command: C; readonly word: string; readonly rest: string }
  /** It begins like a command, and may be a text. */
  | { readonly kind: "unsure"; readonly command: C; readonly word: string; readonly text: string }
  /** A command that there is not. */
  | {
    readonly kind: "unknown";
    readonly word: string;
    readonly near?: string;
    readonly text: string;
  };

/** What surrounds the line. */
export interface Setting extends Omit<Around, "pages"> {
  /** There is a group that plain text goes to. */
  readonly current: boolean;
}

/**
 * Understands one line. `-` and `_` are alike in a command, `/` may stand before it. A line that
 * begins with a space is always text. An ordinary word such as `read` begins a command where what
 * follows is what the command takes; where it could be meant so, that is for the person to say.
 */
export function readLine<C extends Names>(
  typed: string,
  commands: readonly C[],
  setting: Setting,
): Line<C> {
  if (typed.trim() === "") return { kind: "empty" };
  const { current } = setting;
  if (/^\s/.test(typed) && current) return { kind: "text", text: typed.trim() };
  const text = typed.trimEnd();
  const [, slash, bare, rest] = /^(\/?)(\S*)\s*(.*)$/s.exec(typed.trim())!;
  const word = slash + bare;
  const name = bare.toLowerCase().replaceAll("-", "_");
  const all = commands.flatMap(namesOf);
  const noText = slash || !current;
  // A lone `q` or `?` is somebody's answer.
  const command = noText || name.length > 1
    ? commands.find((command) => namesOf(command).includes(name))
    : undefined;
  if (command) {
    const around = { ...setting, pages: [...Object.keys(FAMILIES), ...all] };
    const certain = noText || name.includes("_") ||
      areArguments(rest, command.takes ?? [], around);
    if (certain) return { kind: "command", command, word, rest };
    const asked = wordsIn(rest) <= (command.most ?? 3);
    return asked ? { kind: "unsure", command, word, text } : { kind: "text", text };
  }
  if (noText || name.includes("_")) {
    const near = nearest(name, all);
    if (near !== undefined) return { kind: "unknown", word, near, text };
    return noText ? { kind: "unknown", word, text } : { kind: "text", text };
  }
  const near = all.find((one) => isSlip(name, one));
  return near !== undefined && wordsIn(rest) <= 1
    ? { kind: "unknown", word, near, text }
    : { kind: "text", text };
}

/** With `_`. */
function namesOf({ names, short = [] }: Names): string[] {
  return [...names, ...short].map((name) => name.replaceAll("-", "_"));
}

function wordsIn(text: string): number {
  return text.split(/\s+/).filter(Boolean).length;
}

/**
 * Whether a word is a command with a slip of the finger: two letters swapped or, in a longer word, one
 * too many, too few or wrong. Other forms of the word (`removed`) are none.
 */
function isSlip(word: string, command: string): boolean {
  if (word.startsWith(command) || command.startsWith(word) || edits(word, command) !== 1) {
    return false;
  }
  const letters = (text: string) => [...text].sort().join("");
  return word.length >= 6 || (word.length >= 4 && letters(word) === letters(command));
}

/** What can be completed. */
export interface Completable {
  readonly commands: readonly string[];
  /** Other names of commands: they are not completed, and what follows them is. */
  readonly short?: readonly string[];
  readonly groups: readonly string[];
  readonly members: readonly Mentionable[];
}

/**
 * Tab: the completions of a line and the part they replace, as `node:readline` wants them. The first
 * word is a command (or a member's name); what follows a command is a group.
 */
export function completions(
  line: string,
  { commands, short = [], groups, members }: Completable,
): [string[], string] {
  const first = /^(\/?)([\w-]*)$/.exec(line);
  if (first) {
    const [, slash, word] = first;
    const typed = word.replaceAll("-", "_").toLowerCase();
    const found = commands.filter((name) => name.startsWith(typed)).map((name) =>
      `${slash}${name} `
    );
    if (found.length > 0) return [found, line];
  }
  const afterCommand = /^\/?([\w-]+)\s+(.*)$/s.exec(line);
  if (afterCommand && [...commands, ...short].includes(afterCommand[1].replaceAll("-", "_"))) {
    const typed = afterCommand[2];
    const bare = typed.replace(/^["']/, "").toLowerCase();
    const found = groups.filter((name) => name.toLowerCase().startsWith(bare));
    if (found.length > 0) return [found.map(typedName), typed];
  }
  const mention = completeMention(line, members);
  if (mention) return mention;
  const [word] = /\S*$/.exec(line)!;
  if (word === "") return [[], line];
  const names = [...new Set(members.map(({ name }) => name))];
  const found = names.filter((name) => name.toLowerCase().startsWith(word.toLowerCase()));
  return [found.map((name) => name + (line === word ? ": " : " ")), word];
}
