/** Names of groups and users: what is usable, and the one spelling of each. */

import { UsageError } from "../errors.ts";
import { isUuid } from "../identity/ids.ts";
import { looksLikeAddress } from "./addresses.ts";
import { safeLine } from "./filter.ts";

/** Longest group or user name, in Unicode code points. */
export const MAX_NAME = 64;

/** Longest name that is believed, UTF-16 units. */
const MAX_SAID = 256;

/**
 * What no name may hold: line breaks, controls, surrogates, format and bidi characters, what is
 * drawn as nothing, and marks in such number that they reach into other lines.
 */
const NOT_IN_NAMES =
  /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Default_Ignorable_Code_Point}]|\p{M}{9}/u;

/**
 * Why a group or user name is not usable, or undefined when it is: 1 to 64 code points, NFC, no
 * outer spaces, no controls, no bidi or invisible characters, and not the shape of an address.
 */
export function nameProblem(name: string): string | undefined {
  if (name.length === 0) return "it is empty";
  if (name.length > 2 * MAX_NAME || [...name].length > MAX_NAME) {
    return `it is longer than ${MAX_NAME} characters`;
  }
  if (NOT_IN_NAMES.test(name)) return "it holds an invisible or control character";
  if (name.trim() !== name) return "it begins or ends with a space";
  if (name.normalize("NFC") !== name) return "it is not in Unicode normal form C";
  if (looksLikeAddress(name)) return "it looks like an address";
  if (isUuid(name)) return "it looks like an id";
  return undefined;
}

/** What is obeyed, or not seen, by every version of Unicode; a name of another one may hold more. */
const NEVER_IN_NAMES = /[\p{Cc}\p{Cs}\p{Cf}\p{Zl}\p{Zp}]/u;

/**
 * True for what a server may say that somebody is called: empty, or of one line. It looked closer, by
 * its own version of Unicode, when the name was taken.
 */
export function isPlainName(name: string): boolean {
  return name.length <= MAX_SAID && !NEVER_IN_NAMES.test(name);
}

/** The one spelling of a name that a person typed: outer spaces off, NFC. */
export function normalName(name: string): string {
  return name.normalize("NFC").trim();
}

/** The one spelling of a name that can be used. @throws {UsageError} it cannot, and why */
export function checkedName(typed: string): string {
  const name = normalName(typed);
  const problem = nameProblem(name);
  if (problem === undefined) return name;
  throw new UsageError(`Cannot use the name "${safeLine(typed)}": ${problem}`);
}

/** A name as it is typed in a command: quoted when it has spaces. */
export function typedName(name: string): string {
  return /^[^\s"']+$/.test(name) ? name : `"${name.replaceAll('"', '\\"')}"`;
}

/** A path or URL as a word of a shell's command line. */
export function shellWord(place: string): string {
  const safe = safeLine(place);
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `"${safe}"`;
}
