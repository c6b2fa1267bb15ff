/** What stands behind an ordinary word of the prompt, so that it is a command and no text. Pure. */

import { isUserId, splitShortId } from "../../identity/ids.ts";
import { isAddress, looksLikeAddress } from "../../text/addresses.ts";
import { meant } from "../../text/meant.ts";
import { parseTime } from "../../text/time.ts";
import { type Known, longest, takeQuoted } from "./targets.ts";

/** What a command takes; see {@linkcode TAKERS}. */
export type Argument =
  | "group"
  | "beginning"
  | "user"
  | "role"
  | "time"
  | "name"
  | "word"
  | "invite"
  | "options"
  | "page"
  | "rest";

/** What arguments can name. */
export interface Around {
  /** What help has a page about. */
  readonly pages: readonly string[];
  readonly known: Known;
  /** Names of members that were seen. */
  readonly members: readonly string[];
}

/** Whether all of this is what a command takes, in this order; each may be left out. */
export function areArguments(typed: string, takes: readonly Argument[], around: Around): boolean {
  let rest = typed;
  for (const argument of takes) {
    if (rest === "") return true;
    rest = TAKERS[argument](rest, around, rest !== typed) ?? rest;
  }
  return rest === "";
}

/** What is left behind an argument of each kind; undefined where there is none. */
const TAKERS: Readonly<
  Record<Argument, (text: string, around: Around, follows: boolean) => string | undefined>
> = {
  /** A known group, also with a slip in it, an address, a number of the last list, or in quotes. */
  group(text, { known: { names, numbered } }) {
    const [first] = text.split(/\s/, 1);
    const found = quoted(text) ?? after(text, longest(text, names));
    if (found !== undefined) return found;
    const isListed = /^\d+$/.test(first) && numbered[Number(first) - 1] !== undefined;
    if (isListed || isAddress(first)) return after(text, first);
    return isMeant(text, names) ? "" : undefined;
  },
  /** A word that a known group begins with, or nearly is. */
  beginning(text, { known: { names } }) {
    const [first] = text.split(/\s/, 1);
    return isMeant(first, names) ? after(text, first) : undefined;
  },
  /** A member that was seen, also by the beginning or with a slip, an id, or in quotes. */
  user(text, { members }) {
    const [first] = text.split(/\s/, 1);
    const isOne = isUserId(first) || splitShortId(first) !== undefined ||
      (first.length > 2 && isMeant(first, members));
    return quoted(text) ?? after(text, longest(text, members) ?? (isOne ? first : undefined));
  },
  role: (text) => after(text, /^(reader|member|admin)(?!\S)/i.exec(text)?.[0]),
  time: (text) =>
    after(text, [/^\S+\s+\S+/, /^\S+/].map((words) => words.exec(text)?.[0]).find(isTime)),
  /** A new name: in quotes, or before an address or options. */
  name: (text) => {
    const last = text.split(/\s+/).at(-1)!;
    const isName = quoted(text) !== undefined || looksLikeAddress(last) || last.startsWith("--");
    return isName ? "" : undefined;
  },
  word: (text) => after(text, text.split(/\s/, 1)[0]),
  /** The first digits of an invite's id. */
  invite: (text) => after(text, /^(all|#?[0-9a-f]{4,64})(?!\S)/i.exec(text)?.[0]),
  options: (text) => text.startsWith("--") ? "" : undefined,
  page: (text, { pages }) =>
    pages.includes(text.toLowerCase().replace(/^\//, "").replaceAll("-", "_")) ? "" : undefined,
  /** Anything, behind another argument. */
  rest: (_, __, follows) => follows ? "" : undefined,
};

/** Whether this is the beginning of one of the names, or has a slip in it. */
function isMeant(text: string, names: readonly string[]): boolean {
  const found = meant(text, names, (name) => name);
  return found.kind === "none" ? found.near !== undefined : text.length > 1;
}

function quoted(text: string): string | undefined {
  try {
    return takeQuoted(text)?.rest;
  } catch {
    return undefined; // A quote without its end.
  }
}

function after(text: string, taken: string | undefined): string | undefined {
  return taken === undefined ? undefined : text.slice(taken.length).trim();
}

function isTime(text: string | undefined): boolean {
  try {
    return text !== undefined && Number.isFinite(parseTime(text));
  } catch {
    return false;
  }
}
