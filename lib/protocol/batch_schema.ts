/**
 * What a batch of a peer must be. One loop and no schema for each of its messages: this is the hot
 * path.
 */

import { isKey, isMid, isSignature, isUserId } from "../identity/ids.ts";
import { isPlainName } from "../text/names.ts";
import { MAX_MESSAGES, MAX_TIME } from "./limits.ts";

/** Longest id, role and topic in a body, UTF-16 units. */
const [ID, ROLE, TOPIC] = [80, 32, 256];
/** Kinds of later versions are words, too. */
const KIND = /^[a-z][a-z0-9_]{0,31}$/;
/** What the body of a kind says at least. */
const NEEDED: ReadonlyMap<unknown, readonly string[]> = new Map([
  ["join", ["role"]],
  ["rename", ["before"]],
  ["promote", ["user", "role"]],
  ["demote", ["user", "role"]],
  ["remove", ["user"]],
  ["ban", ["user"]],
  ["unban", ["user"]],
  ["mute", ["user", "until"]],
  ["unmute", ["user"]],
  ["topic", ["topic"]],
]);

/** The first field that a reader looks at and that is not what it must be; undefined when all are. */
export function batchProblem(value: unknown): string | undefined {
  if (!isObject(value)) return "expected a batch";
  const { first, count, at, kind, author, name, key, sig, part, messages, body, hash } = value;
  if (!isCount(first) || first === 0) return "first: expected a whole number above 0";
  if (!isCount(count) || count === 0 || count > MAX_MESSAGES) {
    return `count: expected 1 to ${MAX_MESSAGES}`;
  }
  if (!isCount(at) || at > MAX_TIME) return "at: expected a time, ms since 1970";
  if (typeof kind !== "string" || !KIND.test(kind)) return "kind: expected a word";
  if (typeof author !== "string" || !isUserId(author)) return "author: expected a user's id";
  if (typeof name !== "string" || !isPlainName(name)) {
    return "name: expected a name of one line, without controls";
  }
  if (!isAbsentOr(key, isKey)) return "key: expected a key";
  if (!isAbsentOr(sig, isSignature)) return "sig: expected a signature";
  if (!isAbsentOr(hash, isKey)) return "hash: expected a hash";
  if (part !== undefined && !isPart(part)) return "part: expected an offset and hashes";
  if (kind === "message") {
    return areMessages(messages, count) ? undefined : `messages: expected ${count} of [mid, text]`;
  }
  if (messages !== undefined || count !== 1) return "messages: expected none beside another kind";
  return bodyProblem(kind, body);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isAbsentOr(value: unknown, is: (text: string) => boolean): boolean {
  return value === undefined || (typeof value === "string" && is(value));
}

/**
 * Whatever the kind: these fields mean the same wherever they stand, and must stand where
 * {@linkcode NEEDED} says so. Whom an action is about need not
 * be anybody's id: nothing but the text of a ban has to fit.
 */
function bodyProblem(kind: string, body: unknown = {}): string | undefined {
  if (!isObject(body)) return "body: expected an object";
  const missing = NEEDED.get(kind)?.find((field) => body[field] === undefined);
  if (missing !== undefined) return `body.${missing}: expected in an entry of kind ${kind}`;
  const { user, name, before, role, topic, until } = body;
  if (!isAbsentOr(user, (text) => text.length <= ID)) return "body.user: expected an id";
  if (!isAbsentOr(name, isPlainName)) {
    return "body.name: expected a name of one line, without controls";
  }
  if (!isAbsentOr(before, isPlainName)) {
    return "body.before: expected a name of one line, without controls";
  }
  if (!isAbsentOr(role, (text) => text.length <= ROLE)) return "body.role: expected a role";
  if (!isAbsentOr(topic, (text) => text.length <= TOPIC)) return "body.topic: expected a text";
  if (until !== undefined && !(isCount(until) && until <= MAX_TIME)) {
    return "body.until: expected a time, ms since 1970";
  }
  return undefined;
}

function isPart(part: unknown): boolean {
  if (!isObject(part)) return false;
  const { offset, hashes } = part;
  return isCount(offset) && Array.isArray(hashes) && hashes.length <= MAX_MESSAGES &&
    hashes.every((hash) => typeof hash === "string" && hash.length === 64);
}

function areMessages(messages: unknown, count: number): boolean {
  if (!Array.isArray(messages) || messages.length !== count) return false;
  for (const message of messages) {
    if (!Array.isArray(message) || message.length !== 2) return false;
    if (typeof message[0] !== "string" || !isMid(message[0])) return false;
    if (typeof message[1] !== "string") return false;
  }
  return true;
}
