/** What a server says of itself in the answer to a hello, and how a client checks it. Pure. */

import { Buffer } from "node:buffer";
import { verifies } from "../identity/keys.ts";
import { isKey, isSignature } from "../identity/ids.ts";
import { recordSignatureProblem, serverText } from "../protocol/record.ts";
import { type GroupRecord, isRecord } from "../protocol/schema.ts";
import { MAX_ANSWER } from "./packet.ts";

/** Who a server says it is. A client gets it proved; whether it is the right one is not said. */
export type ServerIdentity =
  | { readonly group: GroupRecord }
  | { readonly registry: { readonly key: string } };

/** A hash as signatures cover it: base64url. */
export function transcriptOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString("base64url");
}

/** The payload of an answer. `before` is the hash right before it is sealed. */
export function encodeAnswer(
  says: ServerIdentity,
  sign: (text: string) => string,
  before: Uint8Array,
): string {
  return JSON.stringify({ ...says, sig: sign(serverText(transcriptOf(before))) });
}

/** Who answered. @throws {Error} with why nobody should believe it, as the end of a sentence */
export function readAnswer(payload: Uint8Array, before: Uint8Array): ServerIdentity {
  const { group, registry, sig } = parse(payload);
  if (typeof sig !== "string" || !isSignature(sig)) throw new Error("it is not signed");
  const identity = group !== undefined ? ofGroup(group) : ofRegistry(registry);
  const { key } = "group" in identity ? identity.group : identity.registry;
  if (!verifies(key, serverText(transcriptOf(before)), sig)) {
    throw new Error("its signature is not of this connection");
  }
  return identity;
}

function parse(payload: Uint8Array): Record<string, unknown> {
  if (payload.length > MAX_ANSWER) throw new Error(`it is above ${MAX_ANSWER} bytes`);
  let said: unknown;
  try {
    said = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    throw new Error("it is not JSON in UTF-8");
  }
  if (typeof said !== "object" || said === null) throw new Error("it is not an object");
  return said as Record<string, unknown>;
}

function ofGroup(group: unknown): ServerIdentity {
  const is = "its record is not the group's own";
  if (!isRecord(group)) throw new Error(`${is}: a field of it is missing or wrong`);
  const problem = recordSignatureProblem(group);
  if (problem) throw new Error(`${is}: ${problem}`);
  return { group };
}

function ofRegistry(registry: unknown): ServerIdentity {
  const key = (registry as { key?: unknown } | null | undefined)?.key;
  if (typeof key !== "string" || !isKey(key)) throw new Error("it names no key");
  return { registry: { key } };
}
