/**
 * How far a log went, kept beside the log: a log that ends before that has lost what was acknowledged.
 *
 * The record is a lower bound. It is written after a commit is on disk, into the place of the one
 * before and without a sync of its own: after a loss of power it is that of some earlier commit.
 */

import { Buffer } from "node:buffer";
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { replace } from "../disk/files.ts";

/** The end of a log. */
export interface Head {
  readonly epoch: string;
  /** `seq` of the newest entry. */
  readonly seq: number;
  /** Hash of the newest batch, base64url. */
  readonly hash: string;
}

/** The name of the record in a group's folder. */
export const HEAD_FILE = "log.head";

// Stored: do not change. JSON, spaces, the checksum of both; one sector, so that none is torn.
const [BYTES, SUM] = [256, 8];
const TEXT = BYTES - SUM - " \n".length;

/** What the record of a folder says; undefined without one, `unreadable` where it is no record. */
export function readHead(folder: string): Head | "unreadable" | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, HEAD_FILE), "latin1");
  } catch (error) {
    return (error as { code?: unknown }).code === "ENOENT" ? undefined : "unreadable";
  }
  const json = text.slice(0, TEXT);
  if (text !== lineOf(json)) return "unreadable";
  const [epoch, seq, hash] = JSON.parse(json);
  return { epoch, seq, hash };
}

/** The record of a log that is open. */
export class HeadRecord {
  readonly #file: number;

  /** Makes it, durably, where it is missing or not `whole`. Throws what the file system does. */
  constructor(folder: string, head: Head, whole: boolean) {
    const path = join(folder, HEAD_FILE);
    if (!whole) replace(path, (part) => writeFileSync(part, bytesOf(head)));
    this.#file = openSync(path, "r+");
  }

  /** Throws what the file system does; the record says less then, and nothing wrong. */
  write(head: Head): void {
    writeSync(this.#file, bytesOf(head), 0, BYTES, 0);
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

function bytesOf({ epoch, seq, hash }: Head): Buffer {
  return Buffer.from(lineOf(JSON.stringify([epoch, seq, hash]).padEnd(TEXT)), "latin1");
}

function lineOf(json: string): string {
  return `${json} ${crc32(json).toString(16).padStart(SUM, "0")}\n`;
}
