/**
 * A small record in a file of its own, written into its place after each change of a database and
 * without a sync: after a loss of power it is that of some earlier change. So it is a lower bound.
 */

import { Buffer } from "node:buffer";
import { closeSync, fsyncSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { replace } from "./files.ts";

// Stored: do not change. JSON, spaces, the checksum of both; one sector, so that none is torn.
const [BYTES, SUM] = [256, 8];
const TEXT = BYTES - SUM - " \n".length;

/** What the record in a file says; undefined without one, `unreadable` where it is no record. */
export function readRecord(path: string): readonly unknown[] | "unreadable" | undefined {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    return (error as { code?: unknown }).code === "ENOENT" ? undefined : "unreadable";
  }
  const json = text.slice(0, TEXT);
  return text === lineOf(json) ? JSON.parse(json) : "unreadable";
}

/** A record that is open. Its methods throw what the file system does. */
export class RecordFile {
  readonly #file: number;

  /** Opens what is there; with `first` makes it anew, durably. */
  constructor(path: string, first?: readonly unknown[]) {
    if (first) replace(path, (part) => writeFileSync(part, bytesOf(first)));
    this.#file = openSync(path, "r+");
  }

  /** When it fails the record says less than it could, and nothing wrong. */
  write(values: readonly unknown[]): void {
    writeSync(this.#file, bytesOf(values), 0, BYTES, 0);
  }

  sync(): void {
    fsyncSync(this.#file);
  }

  close(): void {
    closeSync(this.#file);
  }
}

function bytesOf(values: readonly unknown[]): Buffer {
  return Buffer.from(lineOf(JSON.stringify(values).padEnd(TEXT)), "latin1");
}

function lineOf(json: string): string {
  return `${json} ${crc32(json).toString(16).padStart(SUM, "0")}\n`;
}
