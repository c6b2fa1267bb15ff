/** What a typed line is: a command, or text for the current group; and what Tab makes of it. Pure. */

import { nearest } from "../../text/nearest.ts";
import { typedName } from "../render.ts";
import { completeMention, type Mentionable } from "./mentions.ts";

/** What the parser needs of a command. */
export interface Names {
  /** Understood anywhere. */
  readonly names: readonly string[];
  /** Understood after `/`, and bare while there is no current group. */
  readonly short?: readonly string[];
  /** Ordinary words: with more words behind them than this they are a text. */
  readonly most?: number;
}

/** A line, understood. */
export type Line<C extends Names> =
  | { readonly kind: "empty" }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "command"; readonly command: C; readonly word: string; readonly rest: string }
  | { readonly kind: "unknown"; readonly word: string; readonly near?: string };

/** What surrounds the line. */
export interface Setting {
  /** There is a group that plain text goes to. */
  readonly current: boolean;
  /** True for a name or address of a group joined or listed. */
  readonly isGroup: (name: string) => boolean;
}

/**
 * Understands one line. `-` and `_` are alike in a command, `/` may stand before it. A line that
 * begins with a space is always text.
 */
export function readLine<C extends Names>(
  typed: string,
  commands: readonly C[],
  { current, isGroup }: Setting,
): Line<C> {
  if (typed.trim() === "") return { kind: "empty" };
  if (/^\s/.test(typed) && current) return { kind: "text", text: typed.trim() };
  const [, slash, word, rest] = /^(\/?)(\S*)\s*(.*)$/s.exec(typed.trim())!;
  const name = word.toLowerCase().replaceAll("-", "_");
  const command = commands.find((command) => {
    if (command.names.includes(name)) {
      const words = rest.split(/\s+/).filter(Boolean).length;
      return slash || !current || words <= (command.most ?? Infinity) || isGroup(rest);
    }
    return command.short?.includes(name) && (slash || !current || isGroup(rest));
  });
  if (command) return { kind: "command", command, word: slash + word, rest: rest.trim() };
  if (slash || !current || name.includes("_")) {
    const near = nearest(name, commands.flatMap(({ names, short = [] }) => [...names, ...short]));
    const isText = current && !slash && near === undefined;
    if (!isText) return { kind: "unknown", word: slash + word, ...(near ? { near } : {}) };
  }
  return { kind: "text", text: typed.trimEnd() };
}

/** What can be completed. */
export interface Completable {
  readonly commands: readonly string[];
  readonly groups: readonly string[];
  readonly members: readonly Mentionable[];
}

/**
 * Tab: the completions of a line and the part they replace, as `node:readline` wants them. The first
 * word is a command (or a member's name); what follows a command is a group.
 */
export function completions(
  line: string,
  { commands, groups, members }: Completable,
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
  if (afterCommand && commands.includes(afterCommand[1].replaceAll("-", "_"))) {
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
