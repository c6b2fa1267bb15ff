/**
 * A group's log: an ordered, durable list of entries, kept in batches.
 *
 * A batch is what one author appended at one moment: 1 to 256 consecutive entries that share
 * author, kind and time. Batches are stored and served as the JSON text that travels on the wire,
 * so that an entry is encoded once for log, reads and live feed. The engines (`sqlite.ts`,
 * `memory.ts`) pass one contract suite, and one more for each power they have.
 */

import { UsageError } from "../errors.ts";

/** A batch as the log keeps it. */
export interface StoredBatch {
  /** `seq` of its first entry; the first of a log is 1. */
  readonly first: number;
  /** Number of entries, 1 to 256. */
  readonly count: number;
  /** The group's clock, ms since 1970; the same for all entries, never below the previous batch's. */
  readonly at: number;
  /** User id of the author. */
  readonly author: string;
  /** Message ids in order (length `count`), strictly increasing; empty for entries that have none. */
  readonly mids: readonly string[];
  /** The batch as JSON text without its `hash`: one object, ending in `}`. */
  readonly json: string;
  /** The JSON text of each message as it stands in `json`, where the caller has them at hand. */
  readonly texts?: readonly string[];
}

/** A stored batch as it is read back. */
export interface ReadBatch extends Pick<StoredBatch, "first" | "count" | "at"> {
  /** The whole object as it travels: the stored JSON with `,"hash":"…"` spliced in at its end. */
  readonly json: string;
}

/** A batch and what proves it; without its JSON once it was dropped. */
export interface SealedBatch extends Pick<StoredBatch, "first" | "count" | "at"> {
  readonly json: string | null;
  /** SHA-256 of the previous batch's hash and this batch's JSON as UTF-8. */
  readonly hash: Uint8Array;
  /** CRC-32 of each entry, each running on from its predecessor's; 4 bytes each, little-endian. */
  readonly crcs: Uint8Array;
}

/** A batch as one log hands it to another; dropped content stays dropped. */
export interface MovedBatch extends SealedBatch, Pick<StoredBatch, "author" | "mids"> {}

/** A member as the state keeps it; written in the transaction of the entry that changed it. */
export interface MemberRow {
  readonly user: string;
  /** JSON text of everything the state knows about the member. */
  readonly json: string;
}

/** One transaction: everything in it is on disk, or nothing is. */
export interface Commit {
  readonly batches: readonly StoredBatch[];
  /** Members that changed; the row replaces the former one. */
  readonly members?: readonly MemberRow[];
  /** Members that are gone. */
  readonly gone?: readonly string[];
  /** Small named values (epoch-free settings, invites); undefined removes one. */
  readonly values?: Readonly<Record<string, string | undefined>>;
}

export interface ReadRange {
  /** Entries with seq > after; default 0. */
  readonly after?: number;
  /** Entries with seq < before; default: to the head. */
  readonly before?: number;
  /** Entries with at >= since, ms. */
  readonly since?: number;
  /** Entries with at <= until, ms. */
  readonly until?: number;
  /** Stop after the batch that reaches this many entries; default 1,000. */
  readonly limit?: number;
  /** Stop before the batch that would pass this many UTF-16 units of JSON; at least one batch is returned. */
  readonly bytes?: number;
  /** Take the newest that fit instead of the oldest; still returned in ascending order. */
  readonly last?: boolean;
}

/** Where a message with some mid stands. */
export interface Place {
  readonly seq: number;
  readonly at: number;
}

/** Where messages stand, by their mids. */
export type Places = ReadonlyMap<string, Place>;

/** What a log is when it opens. */
export interface LogStart {
  /** Random id of this log, UUID; another epoch means another history. */
  readonly epoch: string;
  readonly head: number;
  /** Time of the newest entry, ms; 0 when empty. */
  readonly at: number;
  /** Hash of the newest batch (base64url, 43 characters); of an empty log, 43 times `A`. */
  readonly hash: string;
  /** Oldest seq whose content is still kept; head + 1 when nothing is. */
  readonly tail: number;
  readonly members: readonly MemberRow[];
  readonly values: Readonly<Record<string, string>>;
}

/**
 * What every engine can do. One writer: `append` is never called while another runs. Reads may run
 * at any time and see whole commits only. After `close` all but `close` reject with {Closed}.
 */
export interface Log {
  /** The engine's name, for sentences. */
  readonly engine: string;
  /**
   * Oldest seq whose content is kept now; head + 1 when nothing is. It moves while `drop` runs: what
   * was read before it is asked begins no later.
   */
  readonly tail: number;
  /**
   * @throws {FolderUnusable} held by another process, or of a newer version; {LogDamaged};
   * {LogAway} where the log lies on another machine
   */
  open(): Promise<LogStart>;
  /**
   * Appends to a log whose head is `expectedHead`; durable when it resolves. Answers the batches as
   * readers will see them (with `hash`).
   *
   * @throws {HeadMoved} the head is another; {DiskFull}: nothing was kept, the log still works
   * @throws {RangeError} the batches do not follow the head: a defect of the caller, nothing was kept
   * @throws {LogFailed} unknown what was kept, and from then on always: stop the process
   * @throws {Fenced} a shared log is another server's now; unknown what was kept
   */
  append(expectedHead: number, commit: Commit): Promise<readonly ReadBatch[]>;
  /**
   * Batches that hold at least one entry of the range, whole, ascending.
   *
   * @throws {LogDamaged}; {LogAway}
   */
  read(range: ReadRange): Promise<readonly ReadBatch[]>;
  /**
   * The places of those mids of an author that are in the log, dropped ones included. Undefined: more
   * of the author's batches reach over them than the engine looks through; ask for one alone.
   */
  find(author: string, mids: readonly string[]): Promise<Places | undefined>;
  /** The greatest mid of an author, of dropped content too; undefined where there is none. */
  lastMid(author: string): Promise<string | undefined>;
  /** What only some engines can; undefined where this one cannot. May be asked before `open`. */
  power<Name extends keyof Powers>(name: Name): Powers[Name] | undefined;
  /** Again is harmless. */
  close(): Promise<void>;
}

/** What only some engines can do, asked for by name. */
export interface Powers {
  /**
   * Drops the content of all batches that end before seq `keepFrom` or are older than `olderThan`
   * (ms), never the newest batch; their mids and places stay, so that dedupe and seq stay true.
   * Answers the new tail, which is an earlier one where there was room to drop a part only. Throws
   * as `append` does where there is no room at all, and {LogDamaged}.
   */
  readonly drop: (limits: DropLimits) => Promise<number>;
  /**
   * Reads everything and recomputes every checksum and hash; others are served meanwhile, but for
   * the last step, which asks the engine whether its own structures are whole. Throws {LogDamaged}
   * with the first seq that is not what was written.
   */
  readonly verify: (watch?: Watch) => Promise<Checked>;
  /**
   * Writes a whole copy, consistent at one seq, to a new file; answers its head. Others are served
   * and appends go on meanwhile, but for the last step, which copies members and values. Throws
   * {UsageError} when the file exists or cannot be written, {DiskFull}, {LogDamaged}.
   */
  readonly copy: (file: string, options?: CopyOptions) => Promise<{ readonly head: number }>;
  /** The log can become another engine's, and another engine's can become this one. */
  readonly transfer: Transfer;
  /** The log lies where several servers reach it. */
  readonly share: Share;
}

/**
 * Hands over all that makes a log what it is, whatever the engine, and takes it in: `transfer.ts`
 * does both. `write` and `become` are for a log that is empty when it opens; what it became is there
 * when it opens the next time.
 */
export interface Transfer {
  /** What the log is at this moment, as `open` answers it. */
  now(): Promise<LogStart>;
  /**
   * Some of the batches that begin at `from` or behind it, ascending, at least the first of them;
   * none behind the head. All of each is what was written. @throws {LogDamaged}; {LogAway}
   */
  read(from: number): Promise<readonly MovedBatch[]>;
  /**
   * Takes in batches that follow what it has, or stand in the place of the same ones.
   *
   * @throws {UsageError} the log was not empty; as `append` does
   */
  write(batches: readonly MovedBatch[]): Promise<void>;
  /** Takes epoch, tail, members and values of `start`. Throws as `write` does. */
  become(start: LogStart): Promise<void>;
}

/** How the lease of a shared log stands. No clock is in it: who watches it sees whether it moves. */
export interface Lease {
  /** Grows with each claim; 0 before the first. What is appended in a former term is refused. */
  readonly term: number;
  /** Grows with each claim, renewal and release. */
  readonly turn: number;
  /** What its server said at the claim; undefined while it is free. */
  readonly holder: string | undefined;
  /** Highest seq of the log. */
  readonly head: number;
}

/**
 * A log that several servers have open, of which one appends: the holder of its lease. Appends are
 * safe whoever believes to hold it; the lease says who should.
 *
 * All but `release` reject with {LogAway} when the log cannot be reached, or must not be trusted
 * with what is acknowledged, and can be asked again.
 */
export interface Share {
  /**
   * Opens the log to read it, whoever holds it: what it is at one moment. Instead of `open`; again
   * where what was followed counts no more, and not by the holder.
   */
  follow(): Promise<LogStart>;
  /** How the lease stands now. */
  lease(): Promise<Lease>;
  /**
   * Takes the lease if it stands as it was `seen`, and answers what the log is then; from then on it
   * may append. Undefined where it has moved: of several who try, one gets it.
   *
   * @param holder what others are told, 1 to 255 characters
   */
  claim(seen: Lease, holder: string): Promise<LogStart | undefined>;
  /** Says that the holder is still there. @throws {Fenced} another server has it */
  renew(): Promise<void>;
  /** Gives the lease up, so that nobody waits for it to stand still. Never rejects. */
  release(): Promise<void>;
}

/** Who waits for long work: hears how far it is, and may end it. */
export interface Watch {
  /** Ends the work with the signal's reason; nothing of it is left. */
  readonly signal?: AbortSignal;
  /** How many entries of how many are done; 0 of 0 while other work is done first. */
  readonly progress?: (done: number, total: number) => void;
}

/** How a copy is written. */
export interface CopyOptions extends Watch {
  /** Kept in the copy only. */
  readonly values?: LogStart["values"];
  /** The file beside it that it is written to before it has its name; gone at the end. */
  readonly part?: string;
}

export interface DropLimits {
  readonly keepFrom?: number;
  readonly olderThan?: number;
}

/** What a check found whole. */
export interface Checked {
  readonly entries: number;
  readonly batches: number;
  readonly head: number;
}

/** A power that the caller cannot do without to `action`. @throws {UsageError} the engine has none */
export function requirePower<Name extends keyof Powers>(
  log: Log,
  name: Name,
  action: string,
): Powers[Name] {
  const power = log.power(name);
  if (power) return power;
  throw new UsageError(`Cannot ${action}: a log that is kept by "${log.engine}" cannot do that`);
}
