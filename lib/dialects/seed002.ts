/**
 * How the programs of seed 002 speak: a REQ envelope with one JSON frame, `{"action": …}`.
 * PROTOCOL.md lists the dialect.
 */

import { CLAIM } from "../protocol/batch.ts";
import { MAX_TEXT } from "../protocol/limits.ts";
import { isNetworkAddress } from "../text/addresses.ts";
import { nameProblem, normalName } from "../text/names.ts";
import type { Dialect, GroupAsk, PlainMessage, RegistryAsk } from "./dialect.ts";
import { formatPython, parseTime } from "../text/time.ts";

const MAX_CLAIM = 64;

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** True if the frames are to be answered in this dialect: one frame, rubbish included. */
export function is002(frames: readonly Uint8Array[]): boolean {
  return frames.length === 1;
}

/** The JSON object of the frame; undefined when it is none. */
function parse(frames: readonly Uint8Array[]): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(utf8.decode(frames[0]));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The request; undefined for anything that must be answered with {@linkcode FAILED}. */
export function decodeRegistry002(
  frames: readonly Uint8Array[],
): RegistryAsk | undefined {
  const object = parse(frames);
  switch (object?.action) {
    case "register": {
      const { group_name, ip_port } = object;
      if (typeof group_name !== "string" || typeof ip_port !== "string") return undefined;
      const name = normalName(group_name);
      if (nameProblem(name) || !isNetworkAddress(ip_port)) return undefined;
      return { op: "register", name, address: ip_port };
    }
    case "get_group_list":
      return { op: "list", user: claimed(object.user_uuid) ?? `${CLAIM}unknown` };
    default:
      return undefined;
  }
}

/** The request; undefined for anything that must be answered with {@linkcode FAILED}. */
export function decodeGroup002(
  frames: readonly Uint8Array[],
  now: number,
): GroupAsk | undefined {
  const object = parse(frames);
  const user = claimed(object?.user_uuid);
  if (!object || !user) return undefined;
  switch (object.action) {
    case "joinGroup":
      return { op: "join", user };
    case "leaveGroup":
      return { op: "leave", user };
    case "sendMessage": {
      const { message } = object;
      if (typeof message !== "string" || !message.isWellFormed()) return undefined;
      if (encoder.encode(message).length > MAX_TEXT) return undefined;
      return { op: "send", user, text: message };
    }
    case "getMessage": {
      const { timestamp } = object;
      if (timestamp === null || timestamp === undefined || timestamp === "") {
        return { op: "history", user, since: 0 };
      }
      if (typeof timestamp !== "string") return undefined;
      try {
        return { op: "history", user, since: Math.max(0, parseTime(timestamp, now)) };
      } catch {
        return undefined;
      }
    }
    default:
      return undefined;
  }
}

function claimed(uuid: unknown): string | undefined {
  if (typeof uuid !== "string" || uuid.length === 0 || uuid.length > MAX_CLAIM) return undefined;
  return /^[\x21-\x7e]+$/.test(uuid) ? CLAIM + uuid : undefined;
}

/** True for the id of a user who only claims it. */
export function isClaimed(user: string): boolean {
  return user.startsWith(CLAIM);
}

/** What the registry of seed 002 answers to a registration: bare text, not JSON. */
export const REGISTERED = "SUCCESS";
/** The answer to everything done. */
export const SUCCESS = '{"response": "SUCCESS"}';
/** The answer to everything else, rubbish included: a REQ client waits for ever without one. */
export const FAILED = '{"response": "FAILED"}';

/** The list of groups: an array of `NAME - IP:PORT`. */
export function encodeList002(groups: Iterable<{ name: string; address: string }>): string {
  return ascii(JSON.stringify(Array.from(groups, (g) => `${g.name} - ${g.address}`)));
}

/** Messages as that dialect shows them: local time with microseconds, no time zone. */
export function encodeMessages002(
  messages: Iterable<PlainMessage>,
): string {
  const list = Array.from(messages, ({ author, text, at }) => ({
    user_uuid: isClaimed(author) ? author.slice(CLAIM.length) : author,
    message: text,
    timestamp: formatPython(at),
  }));
  return ascii(JSON.stringify({ response: "SUCCESS", messages: list }));
}

/** Escapes everything above ASCII, as the original does. */
function ascii(json: string): string {
  return json.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Dialect 002. */
export const DIALECT_002: Dialect = {
  speaks: is002,
  failed: FAILED,
  group: { decode: decodeGroup002, done: SUCCESS, history: encodeMessages002 },
  registry: { decode: decodeRegistry002, registered: REGISTERED, list: encodeList002 },
};
