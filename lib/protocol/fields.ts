/** Fields of requests and replies: what each must be. */

import * as v from "valibot";
import { isKey, isMid, isSignature, isUserId, isUuid, midTime } from "../identity/ids.ts";
import { isAddress } from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { isPlainName, nameProblem } from "../text/names.ts";
import { MAX_MESSAGES, MAX_TEXT, MID_SPAN } from "./limits.ts";

/** A message as it travels: its id and its text. */
export type Message = readonly [mid: string, text: string];

export const id = v.pipe(v.string(), v.check(isUuid, "expected a UUID in lower case"));
export const key = v.pipe(v.string(), v.check(isKey, "expected a key, 43 characters of base64url"));
export const sig = v.pipe(
  v.string(),
  v.check(isSignature, "expected a signature, 86 characters of base64url"),
);
export const mid = v.pipe(
  v.string(),
  v.check(isMid, "expected a mid, a version 7 UUID in lower case"),
);
export const token = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{16,64}$/, "expected a token"));
/** Id of an invite: SHA-256 of its token, which does not let anybody in. */
export const inviteId = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, "expected an invite's id, 64 hex digits"),
);
export const address = v.pipe(v.string(), v.check(isAddress, "expected HOST:PORT or ipc:///PATH"));
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** ms since 1970, of any clock. */
export const time = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** ms since 1970, as far as a date goes: it is shown. */
export const date = v.pipe(time, v.maxValue(8.64e15));
/** Id of a user. */
export const user = v.pipe(
  v.string(),
  v.check(isUserId, "expected a user's id, a UUID or ~ and what is claimed"),
);
export const name = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const problem = nameProblem(dataset.value);
    if (problem) addIssue({ message: `not usable as a name: ${problem}` });
  }),
);
/** What a server says that somebody is called. */
export const called = v.pipe(
  v.string(),
  v.check(isPlainName, "expected a name of one line, without controls"),
);
export const access = v.picklist(["open", "private"]);
export const role = v.picklist(["admin", "member", "reader"]);
/** A ticket: 52 bytes, base64url. */
export const ticket = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{70}$/, "expected a ticket"));

/** A string of at most so many UTF-16 units. */
export function text(most: number) {
  return v.pipe(v.string(), v.maxLength(most));
}

/** A list of at most so many. */
export function listOf<T extends v.GenericSchema>(item: T, most: number) {
  return v.pipe(v.array(item), v.maxLength(most));
}

/** Why a list of messages cannot be accepted; undefined when it can. */
export function messagesProblem(list: unknown): string | undefined {
  if (!Array.isArray(list)) return "expected an array of [mid, text]";
  if (list.length < 1 || list.length > MAX_MESSAGES) {
    return `expected 1 to ${MAX_MESSAGES} messages, got ${list.length}`;
  }
  let before = "";
  for (const [i, message] of list.entries()) {
    if (!Array.isArray(message) || message.length !== 2) return `${i}: expected [mid, text]`;
    const [mid, text] = message;
    if (typeof mid !== "string" || !isMid(mid)) {
      return `${i}: expected a mid, a version 7 UUID in lower case`;
    }
    if (mid <= before) return `${i}: expected a mid greater than the one before`;
    if (typeof text !== "string" || !text.isWellFormed()) {
      return `${i}: expected text that is valid Unicode`;
    }
    if (textBytes(text) > MAX_TEXT) return `${i}: expected a text of at most ${MAX_TEXT} bytes`;
    before = mid;
  }
  if (midTime(before) - midTime(list[0][0]) > MID_SPAN) {
    return `expected mids that lie at most ${MID_SPAN} ms apart`;
  }
  return undefined;
}

const encoder = new TextEncoder();

/** UTF-8 length, counted only where it could matter. */
function textBytes(text: string): number {
  return text.length * 3 <= MAX_TEXT ? text.length : encoder.encode(text).length;
}

// Checked by one loop and not by a schema for each of 256 pairs: this is the hot path.
export const messages = v.pipe(
  v.custom<Message[]>(() => true),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    const problem = messagesProblem(dataset.value);
    if (problem) addIssue({ message: problem });
  }),
);

/** What is wrong with a field, for people, in one line that is not long. */
export function problemOf(
  { type, message, expected, received, input }: v.BaseIssue<unknown>,
): string {
  if (input === undefined) return "it is missing";
  const own = type === "check" || type === "raw_check" || type === "regex";
  const got = typeof input === "string" ? received : received.toLowerCase();
  return said(own ? message : `expected ${expected?.toLowerCase()}, got ${got}`);
}

/** A peer's own words, or a sentence that quotes them, as one line that is not long. */
export function said(text: string, most = 256): string {
  return safeLine(text.length > most ? `${text.slice(0, most)}…` : text);
}
