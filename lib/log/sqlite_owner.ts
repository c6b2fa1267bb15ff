/** Whether a log is that of its group, and goes as far as was acknowledged. */

import { statSync } from "node:fs";
import { join } from "node:path";
import { LogDamaged, LogLost, sentence } from "../errors.ts";
import { type Head, HEAD_FILE, HeadRecord, readHead } from "./head_record.ts";

/** Whose log it is, and what is known of it besides. */
export interface Owner {
  /** Id of the group, which is the author of the first entry. */
  readonly id: string;
  /** Whether the log is known to have had an entry. */
  readonly founded: boolean;
  /** The log has an entry, on disk; called where that was not known. */
  onFounded(): void;
  /** Something is not as it should be, and nothing was lost by it. */
  warn(text: string): void;
}

/** What a log holds. */
export interface Found {
  readonly head: Head;
  /** Author of the first entry; undefined in an empty log. */
  readonly first: string | undefined;
  /** Hash of the batch whose last entry is `seq`, base64url; undefined where there is none. */
  hashAt(seq: number): string | undefined;
}

/** Holds a log against its group and its record, and keeps that. */
export class Ownership {
  readonly #folder: string;
  readonly #path: string;
  readonly #owner: Owner;
  #founded: boolean;
  #known: ReturnType<typeof readHead>;
  /** What was wrong with the write-ahead log before the log was opened. */
  #wal = "";
  #record?: HeadRecord;

  constructor(folder: string, owner: Owner) {
    this.#folder = folder;
    this.#path = join(folder, "log.db");
    this.#owner = owner;
    this.#founded = owner.founded;
  }

  /** How many entries the record knows of. */
  get #acknowledged(): number {
    return typeof this.#known === "object" ? this.#known.seq : 0;
  }

  /** Before the log is opened, which makes what is missing. @throws {LogLost} it is not there */
  before(): void {
    const known = this.#known = readHead(this.#folder);
    const wal = sizeOf(`${this.#path}-wal`);
    this.#wal = wal ? "" : `; log.db-wal is ${wal === undefined ? "missing" : "empty"}`;
    const size = sizeOf(this.#path);
    if (size) return;
    const acknowledged = this.#acknowledged;
    if (acknowledged === 0 && !this.#founded && known !== "unreadable") return;
    const what = size === undefined ? "missing" : "empty";
    const entries = acknowledged > 0 ? `${acknowledged} entries were acknowledged` : "it had some";
    throw this.#lost(1, `log.db is ${what}, and ${entries}`);
  }

  /** Once it is open. @throws {LogDamaged} it is another's; {LogLost} it ends too early */
  check({ head, first, hashAt }: Found): void {
    const known = this.#known;
    if (first !== undefined && first !== this.#owner.id) {
      const message = `Cannot trust ${this.#folder}: log.db is the log of another group than ` +
        "group.json is the key of, put the right one back or restore a copy";
      throw new LogDamaged(this.#path, 0, message);
    }
    if (first === undefined) this.#empty();
    if (typeof known === "object" && known.seq > 0) {
      if (known.epoch !== head.epoch) {
        throw this.#lost(0, `log.db is of another history than ${HEAD_FILE}`);
      }
      if (known.seq > head.seq) {
        const ends = `log.db ends at entry ${head.seq}, and ${known.seq} were acknowledged`;
        throw this.#lost(head.seq + 1, ends + this.#wal);
      }
      if (hashAt(known.seq) !== known.hash) {
        throw this.#lost(known.seq, `entry ${known.seq} is not the one that was acknowledged`);
      }
    } else if (this.#founded && known === undefined) {
      this.#owner.warn(`${join(this.#folder, HEAD_FILE)} was missing, and is made anew`);
    } else if (known === "unreadable") {
      this.#owner.warn(`${join(this.#folder, HEAD_FILE)} could not be read, and is made anew`);
    }
    this.#noting(() => {
      this.#record = new HeadRecord(this.#folder, head, typeof known === "object");
      this.#record.write(head);
    });
    if (first !== undefined) this.#found();
  }

  /** A log without an entry. @throws {LogLost} it had some */
  #empty(): void {
    const acknowledged = this.#acknowledged;
    if (acknowledged === 0 && !this.#founded) return;
    const entries = acknowledged > 0 ? `${acknowledged} were acknowledged` : "it had some";
    throw this.#lost(1, `log.db holds no entry, and ${entries}${this.#wal}`);
  }

  /** After each commit that is on disk. */
  note(head: Head): void {
    this.#noting(() => this.#record?.write(head));
    this.#found();
  }

  close(): void {
    this.#noting(() => {
      this.#record?.sync();
      this.#record?.close();
    });
    this.#record = undefined;
  }

  #found(): void {
    if (this.#founded) return;
    this.#founded = true;
    this.#noting(() => {
      this.#record?.sync();
      this.#owner.onFounded();
    });
  }

  /** The log itself is on disk by now: what is kept beside it never fails a commit. */
  #noting(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#record = undefined;
      const file = join(this.#folder, HEAD_FILE);
      this.#owner.warn(`${file} is not kept until the next start: ${sentence(error)}`);
    }
  }

  #lost(seq: number, what: string): LogLost {
    return new LogLost(this.#path, seq, `Cannot trust ${this.#folder}: ${what}`);
  }
}

/** Bytes of a file; undefined where there is none. */
function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size;
}
