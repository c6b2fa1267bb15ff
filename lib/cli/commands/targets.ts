/** Which group a person means. Pure. */

import { Refusal, UsageError } from "../../errors.ts";
import { parseAddress } from "../../text/addresses.ts";
import { safeLine } from "../../text/filter.ts";
import { either, type Meant, meant } from "../../text/meant.ts";
import { typedName } from "../../text/names.ts";
import type { JoinedGroup } from "../../user/types.ts";
import type { User } from "../../user/user.ts";

/** The groups that a typed word can mean. */
export interface Known {
  /** Names and addresses of groups joined or listed. */
  readonly names: readonly string[];
  /** Names in the order of the last list that was shown, for `join_group 2`. */
  readonly numbered: readonly string[];
}

/** A group as commands hand it on: `id` is what a user is asked with. */
export interface GroupRef {
  readonly id: string;
  readonly name: string;
}

/** Where a group is looked for, and how. */
interface Among {
  readonly joined: readonly JoinedGroup[];
  /** How the name begins is enough: what is done with it harms nobody. */
  readonly loosely?: boolean;
}

/**
 * The group that a word of a command line means; as it was typed where it is none that was joined.
 *
 * @throws {Refusal} `not_member`, with the groups that may have been meant
 */
export function groupNamed(word: string, among: Among): GroupRef {
  return found(word, among) ?? { id: word, name: word };
}

/** The joined group of a name or address. @throws {Refusal} `not_member` there is none */
export function joinedGroup(target: string, among: Among): JoinedGroup {
  const group = found(target, among);
  if (group) return group;
  throw new Refusal("not_member", `You are not a member of "${target}"`);
}

/** A joined group. @throws {Refusal} `not_member`: some may have been meant */
function found(target: string, { joined, loosely = false }: Among): JoinedGroup | undefined {
  const at = joined.find(({ id, address, servers }) =>
    id === target || address === target || servers?.includes(target)
  );
  if (at) return at;
  const group = meant(target, joined, ({ name }) => name);
  if (group.kind === "one" && (group.exact || loosely)) return group.one;
  const hint = didYouMean(
    group,
    ({ name, address }) =>
      joined.filter((other) => other.name === name).length > 1 ? address : typedName(name),
  );
  if (hint === undefined) return undefined;
  throw new Refusal("not_member", `You are not a member of "${target}": ${hint}`);
}

/** The error as it is told: who was banned need not hear that one joins first. */
export function whyOut(
  error: unknown,
  target: string | undefined,
  user: Pick<User, "membership">,
): unknown {
  if (!(error instanceof Refusal) || error.code !== "not_member" || !target) return error;
  try {
    user.membership(target);
  } catch (why) {
    if (why instanceof Refusal && why.code === "banned") return why;
  }
  return error;
}

/** The question after what was not found; undefined where there is nothing to ask. */
export function didYouMean<T>(found: Meant<T>, say: (one: T) => string): string | undefined {
  const all = found.kind === "several"
    ? found.all
    : found.kind === "one"
    ? [found.one]
    : found.near === undefined
    ? []
    : [found.near];
  return all.length === 0 ? undefined : `did you mean ${either(all.map(say))}?`;
}

/** A group, and what was typed after it. */
export interface Taken {
  readonly target: string;
  readonly rest: string;
}

/**
 * Takes a group off the front: in quotes, a known name with its spaces (the longest that fits), a
 * number of the last list, or one word. undefined when nothing is left.
 *
 * @throws {UsageError} a quote without its end
 */
export function takeTarget(typed: string, { names, numbered }: Known): Taken | undefined {
  const text = typed.trim();
  if (text === "") return undefined;
  const quoted = takeQuoted(text);
  if (quoted) return quoted;
  const known = longest(text, names);
  if (known !== undefined) return { target: known, rest: text.slice(known.length).trim() };
  const [word] = text.split(/\s/, 1);
  const rest = text.slice(word.length).trim();
  const listed = /^\d{1,4}$/.test(word) ? numbered[Number(word) - 1] : undefined;
  return { target: listed ?? word, rest };
}

/** The group that comes first in what was typed, if there is one. */
export function targetOf(typed: string, known: Known): string | undefined {
  try {
    return takeTarget(typed, known)?.target;
  } catch {
    return undefined;
  }
}

/**
 * The group of a command that takes nothing else: all that was typed, without quotes.
 *
 * @throws {UsageError} a quote without its end, or words after it; `missing`, where nothing is left
 */
export function wholeTarget(typed: string, known: Known, missing: string): string {
  const taken = takeTarget(typed, known);
  if (!taken) throw new UsageError(missing);
  if (taken.rest === "") return taken.target;
  if (takeQuoted(typed.trim())) {
    throw new UsageError(`Cannot use "${safeLine(taken.rest)}": it is more than one group`);
  }
  return typed.trim();
}

/**
 * `NAME [IP:PORT]` of a new group; the name may stand in quotes.
 *
 * @throws {UsageError} without quotes it ends with a number, which may have been meant as an address
 */
export function takeNameAndAddress(typed: string): { name: string; address?: string } {
  const text = typed.trim();
  const quoted = takeQuoted(text);
  if (quoted) {
    return { name: quoted.target, ...(quoted.rest === "" ? {} : { address: quoted.rest }) };
  }
  const [, name, last] = /^(.*\S)\s+(\S+)$/s.exec(text) ?? [];
  if (last !== undefined && parseAddress(last)) return { name, address: last };
  if (last === undefined || !/^[\d.:]+$/.test(last)) return { name: text };
  throw new UsageError(
    `Cannot create "${safeLine(text)}": ${last} is no address, expected IP:PORT such as ` +
      `127.0.0.1:5560; where it belongs to the name, put that in quotes: "${safeLine(text)}"`,
  );
}

/**
 * Flags that stand behind everything else, of these and no others.
 *
 * @throws {UsageError} an option that is none of them, or something behind it
 */
export function takeFlags(
  typed: string,
  known: readonly string[],
): { readonly rest: string; readonly flags: ReadonlySet<string> } {
  const text = typed.trim();
  const name = text.length - (takeQuoted(text)?.rest.length ?? text.length);
  const at = text.slice(name).search(/(^|\s)--[a-z]/i);
  if (at < 0) return { rest: text, flags: new Set() };
  const flags = new Set<string>();
  for (const word of splitWords(text.slice(name + at))) {
    const flag = word.replace(/^--/, "");
    if (flag === word || !known.includes(flag)) {
      const all = known.map((one) => `--${one}`).join(" and ");
      throw new UsageError(`Cannot use ${safeLine(word)} there: expected ${all}, or nothing`);
    }
    flags.add(flag);
  }
  return { rest: text.slice(0, name + at).trim(), flags };
}

/** Text in quotes at the front. @throws {UsageError} its end is missing */
export function takeQuoted(text: string): Taken | undefined {
  const quote = text[0];
  if (quote !== '"' && quote !== "'") return undefined;
  let target = "";
  for (let i = 1; i < text.length; i++) {
    if (text[i] === quote) return { target, rest: text.slice(i + 1).trim() };
    if (text[i] === "\\" && (text[i + 1] === quote || text[i + 1] === "\\")) i++;
    target += text[i];
  }
  throw new UsageError(`Cannot read ${safeLine(text)}: the closing ${quote} is missing`);
}

/** Words, those in quotes whole. @throws {UsageError} a quote without its end */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (let rest = text.trim(); rest !== "";) {
    const quoted = takeQuoted(rest);
    const word = quoted?.target ?? rest.split(/\s/, 1)[0];
    words.push(word);
    rest = quoted ? quoted.rest : rest.slice(word.length).trim();
  }
  return words;
}

/** As {@linkcode wholeTarget}, where the user is a member. @throws {Refusal}; {UsageError} */
export function wholeJoined(
  typed: string,
  { known, joined }: Pick<Among, "joined"> & { readonly known: Known },
  missing: string,
  { loosely = false } = {},
): JoinedGroup {
  return joinedGroup(wholeTarget(typed, known, missing), { joined, loosely });
}

/** The longest of several names that a text begins with, in any case. */
export function longest(text: string, names: readonly string[]): string | undefined {
  const fits = (name: string) =>
    text.slice(0, name.length).toLowerCase() === name.toLowerCase() &&
    (text.length === name.length || /\s/.test(text[name.length]));
  const exact = (name: string) => text.startsWith(name) ? 1 : 0;
  return names.filter(fits).sort((a, b) => b.length - a.length || exact(b) - exact(a))[0];
}

/** What somebody who was put out of a group is told, by the code of the refusal. */
export const PUT_OUT: Readonly<Record<string, string>> = {
  not_member: "you are no member any more",
  banned: "you are banned from it",
};
