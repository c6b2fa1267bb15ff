/** What a person means by a name that is typed in part, or in another case. Pure. */

import { nearest } from "./nearest.ts";

/** What a typed name comes to. */
export type Meant<T> =
  /** `exact`: the whole name was typed, in whatever case. */
  | { readonly kind: "one"; readonly one: T; readonly exact: boolean }
  /** Two or more could be meant. */
  | { readonly kind: "several"; readonly all: readonly T[] }
  /** Nothing begins so; `near` is what may have been meant. */
  | { readonly kind: "none"; readonly near?: T };

/** Finds a name as it was typed, then in any case, then by how it begins. */
export function meant<T>(typed: string, all: readonly T[], nameOf: (one: T) => string): Meant<T> {
  const folded = typed.toLowerCase();
  const lower = all.map((one) => [nameOf(one).toLowerCase(), one] as const);
  const ways = [
    all.filter((one) => nameOf(one) === typed),
    lower.filter(([name]) => name === folded).map(([, one]) => one),
    folded === "" ? [] : lower.filter(([name]) => name.startsWith(folded)).map(([, one]) => one),
  ];
  const way = ways.findIndex((found) => found.length > 0);
  if (way >= 0) {
    const found = ways[way];
    return found.length === 1
      ? { kind: "one", one: found[0], exact: way < 2 }
      : { kind: "several", all: found };
  }
  const near = nearest(folded, lower.map(([name]) => name));
  const one = lower.find(([name]) => name === near)?.[1];
  return { kind: "none", ...(one === undefined ? {} : { near: one }) };
}

/** `alice, alan or albert`, the first few of many. */
export function either(names: readonly string[], most = 8): string {
  const shown = names.slice(0, most);
  if (names.length > most) return `${shown.join(", ")} and ${names.length - most} more`;
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(", ")} or ${shown.at(-1)}`;
}
