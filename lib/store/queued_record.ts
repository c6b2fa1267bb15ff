/**
 * `user.head`: for the group that a message was put in the outbox for last, how many ever were. A
 * `user.db` that knows of fewer has lost its end: `user.db-wal`, or what a loss of power left of it.
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { touch } from "../disk/files.ts";
import { readRecord, RecordFile } from "../disk/record_file.ts";

/** What the record says. */
export interface Queued {
  readonly owner: string;
  readonly group: string;
  readonly queued: number;
}

/** Where a home keeps it. */
export function queuedPath(folder: string): string {
  return join(folder, "user.head");
}

/** What is known, a lower bound; undefined where nothing is known of this user. */
export function queuedOf(folder: string, owner: string): Queued | undefined {
  const record = readRecord(queuedPath(folder));
  if (record === undefined || record === "unreadable") return undefined;
  const [of, group, queued] = record as [string, string, number];
  return of === owner ? { owner, group, queued } : undefined;
}

/** What a person is told. @param lost messages to one group, at least one */
export function lossOf(folder: string, lost: number): string {
  const many = lost.toLocaleString("en-US");
  return `Messages that waited to be sent may be lost, ${many} or more: the newest part of user.db ` +
    `in ${folder} is gone (user.db-wal was deleted or damaged, or the power failed); look whether ` +
    "your last messages are there (read)";
}

/** The record of a folder whose database is open. */
export class QueuedRecord {
  readonly #folder: string;
  #file: RecordFile | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** After the commit. One that cannot be kept says less, and nothing wrong. */
  write({ owner, group, queued }: Queued): void {
    try {
      this.#file ??= this.#open();
      this.#file.write([owner, group, queued]);
    } catch {
      // The messages themselves are kept.
    }
  }

  #open(): RecordFile {
    const path = queuedPath(this.#folder);
    if (readRecord(path) === "unreadable") rmSync(path);
    touch(path);
    return new RecordFile(path);
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
