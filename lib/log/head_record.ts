/** How far a log went, kept beside the log: a log that ends before that has lost what was acknowledged. */

import { join } from "node:path";
import { readRecord, RecordFile } from "../disk/record_file.ts";

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

/** What the record of a folder says; undefined without one, `unreadable` where it is no record. */
export function readHead(folder: string): Head | "unreadable" | undefined {
  const record = readRecord(join(folder, HEAD_FILE));
  if (record === undefined || record === "unreadable") return record;
  const [epoch, seq, hash] = record as [string, number, string];
  return { epoch, seq, hash };
}

/** The record of a log that is open. */
export class HeadRecord {
  readonly #file: RecordFile;

  /** Makes it, durably, where it is missing or not `whole`. Throws what the file system does. */
  constructor(folder: string, head: Head, whole: boolean) {
    this.#file = new RecordFile(join(folder, HEAD_FILE), whole ? undefined : valuesOf(head));
  }

  /** Throws what the file system does; the record says less then, and nothing wrong. */
  write(head: Head): void {
    this.#file.write(valuesOf(head));
  }

  sync(): void {
    this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }
}

function valuesOf({ epoch, seq, hash }: Head): readonly unknown[] {
  return [epoch, seq, hash];
}
