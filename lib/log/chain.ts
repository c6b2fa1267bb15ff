/**
 * How a log proves that it is what was written: a hash over each batch that covers all before it,
 * and a running checksum for each entry, so that damage inside a batch has a seq.
 *
 * Pure, and shared by the engines. Stored: do not change.
 */

import { Buffer } from "node:buffer";
import { crc32 } from "node:zlib";
import { chainHash } from "../protocol/chain.ts";
import { MID_SPAN } from "../protocol/limits.ts";
import { HeadMoved } from "../errors.ts";
import { midTime } from "../identity/ids.ts";
import type { ReadBatch, SealedBatch, StoredBatch } from "./log.ts";

export type { SealedBatch };

/** The end of a log, which the next batch is chained to. */
export interface Link {
  /** `seq` of the last entry; 0 at the start. */
  readonly seq: number;
  /** Time of the last entry, ms; 0 at the start. */
  readonly at: number;
  /** 32 bytes; zeros at the start. */
  readonly hash: Uint8Array;
  /** Checksum of the last entry; 0 at the start. */
  readonly crc: number;
}

/** Before the first batch. */
export const START: Link = { seq: 0, at: 0, hash: new Uint8Array(32), crc: 0 };

/** UTF-16 units that {@linkcode readable} adds. */
export const HASH_UNITS = `,"hash":""`.length + 43;

/**
 * Seals the next batches; answers the end of the log behind them, too.
 *
 * @throws {HeadMoved} the log does not end at `expectedHead`; {RangeError} they do not follow
 * `previous` or are no sound batches: a defect of the caller
 */
export function sealAll(
  previous: Link,
  expectedHead: number,
  batches: readonly StoredBatch[],
): { readonly sealed: readonly SealedBatch[]; readonly link: Link } {
  if (expectedHead !== previous.seq) throw new HeadMoved(expectedHead, previous.seq);
  let link = previous;
  const sealed = batches.map((batch) => {
    const next = seal(link, batch);
    link = linkAfter(next);
    return next;
  });
  return { sealed, link };
}

/** @throws {RangeError} as {@linkcode sealAll} does */
export function seal(previous: Link, batch: StoredBatch): SealedBatch {
  const { first, count, at, mids, json, texts = entryTexts(json) } = batch;
  const unsound = (why: string) => new RangeError(`Cannot append batch ${first}: ${why}`);
  if (first !== previous.seq + 1) throw unsound(`the next seq is ${previous.seq + 1}`);
  if (!(at >= previous.at)) throw unsound("its time is before the previous batch's");
  if (mids.length > 0 && midTime(mids[mids.length - 1]) - midTime(mids[0]) > MID_SPAN) {
    throw unsound(`its mids span more than ${MID_SPAN} ms`);
  }
  if (texts.length !== count || (mids.length > 0 && mids.length !== count)) {
    throw unsound(`it does not hold as many entries as it says, ${count}`);
  }
  const [hash, crcs] = [chainHash(previous.hash, json), checksums(previous.crc, texts)];
  return { first, count, at, json, hash, crcs };
}

/** The end of a log whose newest batch is this. */
export function linkAfter({ first, count, at, hash, crcs }: SealedBatch): Link {
  return { seq: first + count - 1, at, hash, crc: crcAt(crcs, count - 1) };
}

/** Whether the batch follows `previous` and its JSON is what was hashed; true for a dropped one. */
export function holds(previous: Link, batch: SealedBatch): boolean {
  if (batch.first !== previous.seq + 1 || !isWhole(batch)) return false;
  return batch.json === null || same(chainHash(previous.hash, batch.json), batch.hash);
}

/** Whether a stored row has the shape of a batch, whatever its content. */
export function isWhole({ count, at, json, hash, crcs }: SealedBatch): boolean {
  return Number.isSafeInteger(count) && count > 0 && Number.isFinite(at) &&
    (json === null || typeof json === "string") &&
    hash instanceof Uint8Array && hash.length === 32 &&
    crcs instanceof Uint8Array && crcs.length === count * 4;
}

/** The first seq that is not what was written, by checksums and hash; undefined when all is. */
export function firstBad(previous: Link, batch: SealedBatch): number | undefined {
  const { first, count, at, json, hash, crcs } = batch;
  if (first !== previous.seq + 1) return previous.seq + 1;
  if (!isWhole(batch) || at < previous.at) return first;
  if (json === null) return undefined;
  const wanted = tryChecksums(previous.crc, json);
  if (wanted?.length !== crcs.length) return first;
  for (let i = 0; i < count; i++) {
    if (crcAt(wanted, i) !== crcAt(crcs, i)) return first + i;
  }
  return same(chainHash(previous.hash, json), hash) ? undefined : first;
}

/** The batch as it travels: its hash at the end of its JSON. */
export function readable({ first, count, at, json, hash }: SealedBatch): ReadBatch {
  if (json === null) throw new RangeError(`Cannot read batch ${first}: its content was dropped`);
  return { first, count, at, json: `${json.slice(0, -1)},"hash":"${hashText(hash)}"}` };
}

/** The hash of a batch as it travels. */
export function hashOf({ json }: ReadBatch): string {
  return json.slice(-45, -2);
}

/** The mids in a batch's JSON, in order; none for entries that have none. */
export function midsIn(json: string): string[] {
  const { messages } = JSON.parse(json);
  return Array.isArray(messages) ? messages.map(([mid]) => mid) : [];
}

/** Checksum of a named text: CRC-32 of name and text. */
export function textCrc(name: string, text: string): number {
  return crc32(text, crc32(name));
}

/** A hash as base64url, 43 characters. */
export function hashText(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("base64url");
}

/** What the checksums cover: each message as it stands in the JSON, or all of it as one entry. */
function entryTexts(json: string): string[] {
  const { messages } = JSON.parse(json);
  return Array.isArray(messages) ? messages.map((message) => JSON.stringify(message)) : [json];
}

function checksums(crc: number, texts: readonly string[]): Uint8Array {
  const crcs = Buffer.alloc(texts.length * 4);
  for (const [i, text] of texts.entries()) crcs.writeUInt32LE(crc = crc32(text, crc), i * 4);
  return crcs;
}

function tryChecksums(crc: number, json: string): Uint8Array | undefined {
  try {
    return checksums(crc, entryTexts(json));
  } catch {
    return undefined;
  }
}

function crcAt(crcs: Uint8Array, i: number): number {
  return new DataView(crcs.buffer, crcs.byteOffset).getUint32(i * 4, true);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
