/**
 * What a disk may hold after a loss of power, built from the record that `preload/power_loss.c`
 * made: contents that were synced, names whose folder was synced, and of the rest whatever a
 * die says.
 */

import { Buffer } from "node:buffer";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** One change, in the order in which the process made it. */
interface Change {
  readonly op: "w" | "t" | "s" | "d" | "c" | "r" | "l" | "u";
  readonly path: string;
  readonly offset: number;
  readonly data: Buffer;
}

/** The record as changes, without those of a record cut short at its end. */
export function* changesOf(record: Buffer): Generator<Change> {
  for (let at = 0; at + 17 <= record.length;) {
    const op = String.fromCharCode(record[at]) as Change["op"];
    const pathLength = record.readUInt32LE(at + 1);
    const offset = Number(record.readBigUInt64LE(at + 5));
    const dataLength = record.readUInt32LE(at + 13);
    const path = record.toString("utf8", at + 17, at + 17 + pathLength);
    const end = at + 17 + pathLength + dataLength;
    if (end > record.length) return;
    yield { op, path, offset, data: record.subarray(at + 17 + pathLength, end) };
    at = end;
  }
}

/** A file's bytes, whatever its names are. */
class Content {
  bytes = Buffer.alloc(0);
  length = 0;

  copy(): Content {
    const other = new Content();
    other.bytes = Buffer.from(this.bytes.subarray(0, this.length));
    other.length = this.length;
    return other;
  }

  write(offset: number, data: Uint8Array): void {
    const end = offset + data.length;
    if (end > this.bytes.length) {
      const grown = Buffer.alloc(Math.max(end, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.bytes.set(data, offset);
    this.length = Math.max(this.length, end);
  }

  truncate(length: number): void {
    if (length < this.length) this.bytes.fill(0, length, this.length);
    else this.write(length, new Uint8Array());
    this.length = length;
  }

  apply({ op, offset, data }: Change): void {
    if (op === "w") this.write(offset, data);
    else this.truncate(offset);
  }
}

interface Inode {
  readonly durable: Content;
  pending: Change[];
}

/** A disk with a cache that a loss of power empties. */
export class Disk {
  readonly #now = new Map<string, Inode>();
  readonly #durable = new Map<string, Inode>();
  #names: (() => void)[] = [];

  /** Makes one change. */
  apply(change: Change): void {
    const { op, path, data } = change;
    const inode = this.#now.get(path);
    const other = data.toString();
    switch (op) {
      case "c": {
        const made: Inode = { durable: new Content(), pending: [] };
        this.#now.set(path, made);
        this.#names.push(() => this.#durable.set(path, made));
        return;
      }
      case "w":
      case "t":
        inode?.pending.push(change);
        return;
      case "s":
        for (const one of inode?.pending.splice(0) ?? []) inode!.durable.apply(one);
        return;
      case "d":
        for (const name of this.#names.splice(0)) name();
        return;
      case "r":
      case "l":
        if (!inode) return;
        this.#now.set(other, inode);
        if (op === "r") this.#now.delete(path);
        this.#names.push(() => {
          this.#durable.set(other, inode);
          if (op === "r") this.#durable.delete(path);
        });
        return;
      case "u":
        this.#now.delete(path);
        this.#names.push(() => this.#durable.delete(path));
    }
  }

  /**
   * Writes to `folder` what a loss of power now leaves of the files of `from`.
   *
   * @param keeps asked for each 512 bytes and each name that were not synced: whether they are there
   */
  leave(from: string, folder: string, keeps: () => boolean): void {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const names = new Map(this.#durable);
    let kept = 0;
    while (kept < this.#names.length && keeps()) kept++; // Names are journalled in their order.
    const before = new Map(this.#durable);
    for (const name of this.#names.slice(0, kept)) name();
    for (const [path, inode] of this.#durable) names.set(path, inode);
    for (const path of before.keys()) if (!this.#durable.has(path)) names.delete(path);
    this.#durable.clear();
    for (const [path, inode] of before) this.#durable.set(path, inode);
    for (const [path, { durable, pending }] of names) {
      if (!path.startsWith(from)) continue;
      const content = pending.length > 0 ? torn(durable.copy(), pending, keeps) : durable;
      const bytes = content.bytes.subarray(0, content.length);
      writeFileSync(join(folder, path.slice(from.length)), bytes);
    }
  }
}

/** A sector is written whole or not at all. */
const SECTOR = 512;

function torn(content: Content, pending: readonly Change[], keeps: () => boolean): Content {
  for (const change of pending) {
    if (change.op === "t") {
      if (keeps()) content.apply(change);
      continue;
    }
    for (let at = 0; at < change.data.length;) {
      const offset = change.offset + at;
      const length = Math.min(change.data.length - at, SECTOR - offset % SECTOR);
      if (keeps()) content.write(offset, change.data.subarray(at, at + length));
      at += length;
    }
  }
  return content;
}
