/**
 * `user.head`: how many messages a user ever put in the outbox. A `user.db` that knows of fewer has
 * lost its end: `user.db-wal`, or what a loss of power left of it.
 */

import { join } from "node:path";
import { readRecord, RecordFile } from "../disk/record_file.ts";

/** Where a home keeps it. */
export function queuedPath(folder: string): string {
  return join(folder, "user.head");
}

/** At least so many; 0 where nothing is known of this user. */
export function queuedOf(folder: string, owner: string): number {
  const record = readRecord(queuedPath(folder));
  if (record === undefined || record === "unreadable") return 0;
  const [of, queued] = record;
  return of === owner ? queued as number : 0;
}

/** What a person is told of messages that are gone; undefined where all are there. */
export function lossOf(folder: string, found: number, known: number): string | undefined {
  const lost = known - found;
  if (lost <= 0) return undefined;
  const messages = lost === 1 ? "A message" : `Up to ${lost.toLocaleString("en-US")} messages`;
  return `${messages} that waited to be sent may be lost: the newest part of user.db in ${folder} is ` +
    "gone (user.db-wal was deleted or damaged, or the power failed); look whether your last " +
    "messages are there (read)";
}

/** The record of a folder whose database is open. */
export class QueuedRecord {
  readonly #folder: string;
  #file: RecordFile | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** After the commit. One that cannot be kept says less, and nothing wrong. */
  write(owner: string, queued: number): void {
    const record = [owner, queued];
    try {
      this.#file ??= this.#open(record);
      this.#file.write(record);
    } catch {
      // The messages themselves are kept.
    }
  }

  #open(record: readonly unknown[]): RecordFile {
    const path = queuedPath(this.#folder);
    return new RecordFile(path, Array.isArray(readRecord(path)) ? undefined : record);
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
