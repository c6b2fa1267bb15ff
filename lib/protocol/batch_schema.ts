/** Whether a value is a batch. One loop and no schema for each of its messages: this is the hot path. */

import { MAX_MESSAGES } from "./limits.ts";
import { isKey, isSignature, isUuid } from "../identity/ids.ts";

/** Longest name, kind and id that a batch may hold, UTF-16 units. */
const [NAME, KIND, ID] = [256, 32, 80];

/** True if every field that a reader looks at has its type and lies within its bounds. */
export function isBatch(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { first, count, at, kind, author, name, key, sig, part, messages, body, hash } =
    value as Record<string, unknown>;
  return isCount(first) && first > 0 && isCount(count) && count > 0 && count <= MAX_MESSAGES &&
    isCount(at) && isText(kind, KIND) && isText(author, ID) && isText(name, NAME) &&
    (key === undefined || (typeof key === "string" && isKey(key))) &&
    (sig === undefined || (typeof sig === "string" && isSignature(sig))) &&
    (hash === undefined || (typeof hash === "string" && isKey(hash))) &&
    (part === undefined || isPart(part)) &&
    (kind === "message"
      ? areMessages(messages, count)
      : messages === undefined && count === 1 && isBody(body));
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown, most: number): value is string {
  return typeof value === "string" && value.length <= most;
}

/** `body.user` is used as an id wherever it stands. */
function isBody(body: unknown): boolean {
  if (body === undefined) return true;
  if (typeof body !== "object" || body === null || Array.isArray(body)) return false;
  const { user } = body as { user?: unknown };
  return user === undefined || (typeof user === "string" && (isUuid(user) || user.length <= ID));
}

function isPart(part: unknown): boolean {
  if (typeof part !== "object" || part === null) return false;
  const { offset, hashes } = part as { offset?: unknown; hashes?: unknown };
  return isCount(offset) && Array.isArray(hashes) && hashes.length <= MAX_MESSAGES &&
    hashes.every((hash) => typeof hash === "string" && hash.length === 64);
}

function areMessages(messages: unknown, count: number): boolean {
  if (!Array.isArray(messages) || messages.length !== count) return false;
  for (const message of messages) {
    if (!Array.isArray(message) || message.length !== 2) return false;
    if (typeof message[0] !== "string" || message[0].length !== 36) return false;
    if (typeof message[1] !== "string") return false;
  }
  return true;
}
