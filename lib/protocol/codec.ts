/** JSON texts to checked requests, replies, pushes and feed frames, and back. Pure. */

import { Buffer, isAscii } from "node:buffer";
import * as v from "valibot";
import { type Code, CODES, Refusal } from "../errors.ts";
import { problemOf, said } from "./fields.ts";
import { MAGIC, MAX_FRAME } from "./limits.ts";
import {
  FEED,
  type FeedFrame,
  type FeedKey,
  type Ops,
  type Push,
  PUSHES,
  type RequestOf,
  type ServerPush,
} from "./schema.ts";

/** A request that cannot be served, with the id to answer it by (null when it has none). */
export class BadRequest extends Refusal {
  readonly id: number | null;

  constructor(id: number | null, code: Code, message: string) {
    super(code, message);
    this.id = id;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const magic = new TextEncoder().encode(MAGIC);

/** True if the first frame says that the rest is this protocol. */
export function isOurs(frames: readonly Uint8Array[]): boolean {
  const first = frames[0];
  return first !== undefined && first.length === magic.length &&
    first[0] === magic[0] && first[1] === magic[1] && first[2] === magic[2];
}

/**
 * The object of a JSON text in UTF-8.
 *
 * @param items how many it may hold at all levels together
 * @throws {BadRequest} `bad_request` or `too_large`
 */
export function decodeObject(bytes: Uint8Array, items = MAX_ITEMS): Record<string, unknown> {
  if (bytes.length > MAX_FRAME) {
    throw new BadRequest(null, "too_large", "Cannot read the request: it is above 1 MiB");
  }
  let value: unknown;
  try {
    const text = decodeText(bytes);
    if (text.length > SMALL && !isModest(text, items)) throw tooDeep();
    value = JSON.parse(text);
  } catch (error) {
    if (error instanceof BadRequest) throw error;
    throw bad(null, "it is not JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(null, "the JSON is not an object");
  }
  if (!isShallow(value, MAX_DEPTH)) throw tooDeep();
  return value as Record<string, unknown>;
}

/** Deepest nesting and longest list or object that a message may hold. */
const MAX_DEPTH = 8;
const MAX_WIDTH = 1_024;
/** Items at all levels together: of a page of 1,000 entries at most half of it, of a request an eighth. */
const [MAX_ITEMS, MAX_REQUEST_ITEMS] = [32_768, 4_096];
/** What is not longer costs little, whatever it holds, UTF-16 units. */
const SMALL = 4_096;

/** Most texts are ASCII, which is told and read in a tenth of the time. @throws it is not UTF-8 */
function decodeText(bytes: Uint8Array): string {
  if (!isAscii(bytes)) return utf8.decode(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/**
 * Looks at a text before it is parsed: a MiB of brackets or keys takes JSON.parse 25 to 45 ms, a MiB
 * of messages less than one.
 */
function isModest(text: string, items: number): boolean {
  let [depth, found] = [0, 1];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x22) i = closingQuote(text, i + 1);
    else if (unit === 0x2c && ++found > items) return false;
    else if ((unit === 0x5b || unit === 0x7b) && ++depth > MAX_DEPTH) return false;
    else if (unit === 0x5d || unit === 0x7d) depth--;
  }
  return true;
}

/** Where the string that begins at `from` ends; the length of `text` where it does not. */
function closingQuote(text: string, from: number): number {
  for (let i = from; i < text.length;) {
    const quote = text.indexOf('"', i);
    if (quote < 0) break;
    let first = quote;
    while (first > i && text.charCodeAt(first - 1) === 0x5c) first--;
    if ((quote - first) % 2 === 0) return quote;
    i = quote + 1;
  }
  return text.length;
}

function isShallow(value: object, depth: number): boolean {
  if (depth === 0) return false;
  const items = Array.isArray(value) ? value : Object.values(value);
  if (items.length > MAX_WIDTH) return false;
  for (const item of items) {
    if (typeof item === "object" && item !== null && !isShallow(item, depth - 1)) return false;
  }
  return true;
}

/**
 * A request of the table, checked field by field.
 *
 * @throws {BadRequest} `bad_request`, `unknown_op` or `too_large`
 */
export function decodeRequest<T extends Ops>(
  bytes: Uint8Array,
  ops: T,
): RequestOf<T> {
  const object = decodeObject(bytes, MAX_REQUEST_ITEMS);
  const { id, op } = object;
  if (typeof id !== "number" || !Number.isSafeInteger(id) || id < 0) {
    throw bad(null, "id is not a whole number from 0 to 2^53 - 1");
  }
  if (typeof op !== "string") throw bad(id, "op is not a string");
  if (!Object.hasOwn(ops, op)) {
    throw new BadRequest(
      id,
      "unknown_op",
      `Cannot serve the request: unknown op, expected one of ${Object.keys(ops).join(", ")}`,
    );
  }
  const result = v.safeParse(ops[op], object, { abortEarly: true });
  if (!result.success) throw bad(id, tell(result.issues[0], op));
  return Object.assign(result.output as object, { id, op }) as RequestOf<T>;
}

/** Why the fields of a request would be refused by its row of the table; undefined where they are good. */
export function fieldsProblem(row: Ops[string], fields: object): string | undefined {
  const result = v.safeParse(row, fields, { abortEarly: true });
  return result.success ? undefined : tell(result.issues[0]);
}

function tell(issue: v.BaseIssue<unknown>, op?: string): string {
  const path = v.getDotPath(issue) ?? undefined;
  return `${[op, path].filter((part) => part !== undefined).join(" ")}: ${problemOf(issue)}`;
}

function tooDeep(): BadRequest {
  return bad(null, "the JSON is nested too deep or too wide");
}

function bad(id: number | null, what: string): BadRequest {
  return new BadRequest(id, "bad_request", `Cannot read the request: ${what}`);
}

/** A request as JSON text. */
export function encodeRequest(id: number, op: string, fields: object): string {
  return JSON.stringify({ id, op, ...fields });
}

/** A good reply as JSON text; its body may be JSON text already. */
export function encodeOk(id: number, ok: object | string): string {
  return `{"id":${id},"ok":${typeof ok === "string" ? ok : JSON.stringify(ok)}}`;
}

/** A refusal as JSON text. Anything that is not a {@linkcode Refusal} becomes `internal`. */
export function encodeError(id: number | null, error: unknown): string {
  const refusal = error instanceof Refusal
    ? error
    : new Refusal("internal", "Cannot serve the request: the server failed, its log says more");
  const { code, message, retryAfter } = refusal;
  return JSON.stringify({ id, error: { code, message, retry_after: retryAfter } });
}

/** A push as JSON text. */
export function encodePush({ push, ...fields }: Push): string {
  return JSON.stringify({ push, ...fields });
}

/** A reply as a client reads it; what `ok` holds is checked by {@linkcode checkReply}. */
export type Reply =
  | { readonly id: number; readonly ok: Record<string, unknown> }
  | { readonly id: number | null; readonly error: Refusal };

/** Longest message of a refusal that is believed, and longest wait, ms. */
const MAX_MESSAGE = 1_024;
const MAX_RETRY_AFTER = 3_600_000;

/** What a server says in a session. @throws {BadRequest} it is neither a reply nor a known push */
export function decodeSaid(bytes: Uint8Array): Reply | Push | ServerPush {
  const object = decodeObject(bytes);
  return "push" in object ? toPush(object) : toReply(object);
}

/** @throws {BadRequest} if it is not a reply of this protocol */
function toReply({ id, ok, error }: Record<string, unknown>): Reply {
  if (id !== null && typeof id !== "number") throw bad(null, "the reply has no id");
  if (typeof id === "number" && typeof ok === "object" && ok !== null && !Array.isArray(ok)) {
    return { id, ok: ok as Record<string, unknown> };
  }
  if (typeof error !== "object" || error === null) throw bad(id, "it says neither ok nor error");
  const { code, message, retry_after } = error as Record<string, unknown>;
  const known = (CODES as readonly unknown[]).includes(code) ? code as Code : "internal";
  const wait = typeof retry_after === "number" && retry_after >= 0
    ? { retryAfter: Math.min(retry_after, MAX_RETRY_AFTER) }
    : {};
  const text = typeof message === "string" && message.trim() !== ""
    ? said(message, MAX_MESSAGE)
    : `Cannot do that: the server refuses it (${known}) and does not say why`;
  return { id, error: new Refusal(known, text, wait) };
}

/** @throws {BadRequest} if it is not a push of this protocol */
function toPush(object: Record<string, unknown>): Push | ServerPush {
  const { push } = object;
  if (push === "news") return { push, ...checkReply(PUSHES.news, object) };
  if (push !== "feed" || !hasFeedKey(object)) throw bad(null, "the push is not a known one");
  return { push, generation: object.generation, key: object.key };
}

/** True of a push, and of the reply to `subscribe`. */
export function hasFeedKey(value: unknown): value is FeedKey {
  return v.is(PUSHES.feed, value);
}

/**
 * What a reply's `ok` holds, field by field.
 *
 * @throws {BadRequest} with the first field that does not fit
 */
export function checkReply<T extends v.GenericSchema>(schema: T, ok: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, ok, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw bad(null, `${v.getDotPath(issue) ?? "the reply"}: ${problemOf(issue)}`);
}

/** A frame of the live feed. @throws {BadRequest} */
export function decodeFeed(bytes: Uint8Array): FeedFrame {
  return checkReply(FEED, decodeObject(bytes));
}
