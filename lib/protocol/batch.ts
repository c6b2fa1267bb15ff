/**
 * Batches as they travel and as they are stored: 1 to 256 consecutive entries of one author.
 *
 * The JSON text of a batch is made once, by {@linkcode encodeBatch}, and used for log, replies
 * and live feed.
 */

import { sha256, userId, verifies } from "../identity/keys.ts";
import type { Message } from "./fields.ts";

/** What an admin can do to a member or to the group; each becomes an entry of that kind. */
export const ACTIONS = [
  "promote",
  "demote",
  "remove",
  "ban",
  "unban",
  "mute",
  "unmute",
  "topic",
] as const;

/** Every kind of entry beside `message`. Stored and on the wire: add, never rename. */
const EVENT_KINDS = ["founded", "join", "leave", "rename", ...ACTIONS] as const;
const EVENTS: ReadonlySet<string> = new Set(EVENT_KINDS);

/** What an entry can be. */
type Kind = "message" | typeof EVENT_KINDS[number];

/** First character of an id that a dialect only claims. */
export const CLAIM = "~";

/** Consecutive entries of one author, kind and moment. */
export interface Batch {
  /** `seq` of the first entry. */
  readonly first: number;
  /** Number of entries. */
  readonly count: number;
  /** The group's clock, ms since 1970. */
  readonly at: number;
  readonly kind: Kind;
  /** User id. */
  readonly author: string;
  /** The author's name when it was written. */
  readonly name: string;
  /** The author's public key; absent for a claimed id of a dialect. */
  readonly key?: string;
  /** Signature of the request that carried the messages; see {@linkcode signedText}. */
  readonly sig?: string;
  /** Where the messages are not the whole signed list: hashes of the whole, and where these begin. */
  readonly part?: { readonly offset: number; readonly hashes: readonly string[] };
  /** For `message`: the messages, `count` of them. */
  readonly messages?: readonly Message[];
  /** For other kinds: what the entry says. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Hash of the history up to here, base64url; set by the log. */
  readonly hash?: string;
}

/** What every entry has. */
interface AnyEntry {
  readonly seq: number;
  /** The group's clock, ms since 1970; never less than that of the entry before. */
  readonly at: number;
  /** User id. */
  readonly author: string;
  /** The author's name when it was written. */
  readonly name: string;
  /** `valid`: signed by the author; `unsigned`: a claimed id of a dialect; `invalid`: forged. */
  readonly signature: "valid" | "unsigned" | "invalid" | "none";
}

/** A message: who wrote what. */
export interface MessageEntry extends AnyEntry {
  readonly kind: "message";
  /** Message id, a version 7 UUID; one author has each once. */
  readonly mid: string;
  readonly text: string;
  readonly body?: undefined;
}

/** An entry that is no message: its `body` says what happened. */
export interface EventEntry<K extends string, B> extends AnyEntry {
  readonly kind: K;
  readonly body: B;
  readonly mid?: undefined;
  readonly text?: undefined;
}

/** Whom an action is about; the name where the group knew it. */
type About = { readonly user: string; readonly name?: string };

/**
 * One record of a group's log, as a reader gets it; `kind` says which.
 *
 * The author of `join`, `leave` and `rename` is who came, went, or has another name; that of an
 * action is the admin, and `body.user` the id of whom it is about. A mute ends at `until`, ms since
 * 1970; 0: when it is taken back. What a later version of a group writes is of the kind `other`, and
 * `what` its own kind.
 */
export type Entry =
  | MessageEntry
  | EventEntry<"founded" | "leave", Readonly<Record<string, unknown>>>
  | EventEntry<"join", { readonly role: string }>
  | EventEntry<"rename", { readonly before: string }>
  | EventEntry<"promote" | "demote", About & { readonly role: string }>
  | EventEntry<"remove" | "ban" | "unban" | "unmute", About>
  | EventEntry<"mute", About & { readonly until: number }>
  | EventEntry<"topic", { readonly topic: string }>
  | (EventEntry<"other", Readonly<Record<string, unknown>>> & { readonly what: string });

/** An entry, with the group it belongs to. */
export type GroupEntry = Entry & {
  /** Name of the group. */
  readonly group: string;
  /** Random id of the log; another epoch is another history. */
  readonly epoch: string;
};

/** The JSON text of a batch, without its hash. Field order is fixed. */
export function encodeBatch(batch: Batch): string {
  return encodeEntries(batch).json;
}

/** The same, and the JSON text of each message as it stands in it; none for other kinds. */
export function encodeEntries(batch: Batch): { json: string; texts: readonly string[] } {
  const { first, count, at, kind, author, name, key, sig, part, messages, body } = batch;
  const json = JSON.stringify({ first, count, at, kind, author, name, key, sig, part, body });
  if (!messages) return { json, texts: [] };
  const texts = messages.map(messageJson);
  return { json: `${json.slice(0, -1)},"messages":[${texts.join(",")}]}`, texts };
}

/** The same as `JSON.stringify(message)`, which takes longer: a mid has nothing to escape. */
function messageJson([mid, text]: Message): string {
  return `["${mid}",${JSON.stringify(text)}]`;
}

/** Hash of one message: SHA-256 of mid, line feed and text, hex. */
export function messageHash([mid, text]: Message): string {
  return sha256(`${mid}\n${text}`);
}

/** What the author signs: a header, the group id, the author's id and each message's hash. */
export function signedText(group: string, author: string, hashes: readonly string[]): string {
  return `zgroup messages 1\n${group}\n${author}\n${hashes.join("\n")}`;
}

/** The part of a batch that lies in `(after, before)`; the batch itself when all of it does. */
export function cutBatch(batch: Batch, after: number, before: number): Batch {
  const from = Math.max(batch.first, after + 1);
  const to = Math.min(batch.first + batch.count, before);
  if (from === batch.first && to === batch.first + batch.count) return batch;
  const start = from - batch.first;
  const messages = batch.messages?.slice(start, to - batch.first);
  const { hash: _, part, ...rest } = batch;
  return {
    ...rest,
    first: from,
    count: to - from,
    ...(batch.sig && batch.messages
      ? {
        part: {
          offset: (part?.offset ?? 0) + start,
          hashes: part?.hashes ?? batch.messages.map(messageHash),
        },
      }
      : {}),
    ...(messages ? { messages } : {}),
  };
}

/** Whether the batch's messages are what its author signed for this group. */
export function checkSignature(group: string, batch: Batch): Entry["signature"] {
  if (batch.kind !== "message") return "none";
  if (!batch.sig || !batch.key || !batch.messages?.length) {
    // A user with a key signs: who leaves the signature out must not get off more lightly.
    return batch.author.startsWith(CLAIM) ? "unsigned" : "invalid";
  }
  if (userId(batch.key) !== batch.author) return "invalid";
  const own = batch.messages.map(messageHash);
  const { offset, hashes } = batch.part ?? { offset: 0, hashes: own };
  const matches = own.every((hash, i) => hashes[offset + i] === hash);
  return matches && verifies(batch.key, signedText(group, batch.author, hashes), batch.sig)
    ? "valid"
    : "invalid";
}

/**
 * The entries of a batch, in order. Each is made here, once, field by field: a spread of what they
 * have in common takes twice as long.
 *
 * @param signature what {@linkcode checkSignature} found
 * @param group name of the group
 */
export function entriesOf(
  batch: Batch,
  signature: Entry["signature"],
  group: string,
  epoch: string,
): GroupEntry[] {
  const { first, at, author, name, messages, body = {} } = batch;
  if (!messages) {
    const kind = EVENTS.has(batch.kind)
      ? { kind: batch.kind }
      : { kind: "other", what: batch.kind };
    // That the body fits the kind was looked at where it came from, in `batchProblem`.
    return [{ group, epoch, seq: first, at, ...kind, author, name, body, signature } as GroupEntry];
  }
  const kind = "message";
  return messages.map(([mid, text], i) => {
    return { group, epoch, seq: first + i, at, kind, author, name, mid, text, signature };
  });
}
