// deno-lint-ignore-file require-await -- the interface is asynchronous, SQLite is not
/** The log as rows of SQLite, one a batch. */

import { setImmediate } from "node:timers/promises";
import { damaged } from "../disk/sqlite_errors.ts";
import { DiskFull } from "../errors.ts";
import {
  hashText,
  isWhole,
  type Link,
  linkAfter,
  readable,
  sealAll,
  START,
  textCrc,
} from "./chain.ts";
import type { Head } from "./head_record.ts";
import type {
  Commit,
  DropLimits,
  Log,
  LogStart,
  Place,
  Places,
  Powers,
  ReadBatch,
  ReadRange,
} from "./log.ts";
import { clusters, MAX_OVER, packMids, spanEnd, unpackMids } from "./mids.ts";
import { type MidsOf, RecentMids } from "./recent_mids.ts";
import { type RowChange, rowCrc, RowSum } from "./row_sum.ts";
import { writeCopy } from "./sqlite_copy.ts";
import { type LogFile, logFile, type SqliteOptions } from "./sqlite_file.ts";
import { Ownership } from "./sqlite_owner.ts";
import { cast, checkedPage, firstOf, slice, texts, verify } from "./sqlite_rows.ts";
import type { AuthorRow } from "./sqlite_schema.ts";
import { sqliteTransfer } from "./sqlite_transfer.ts";
import {
  type BatchRow,
  MAX_NEAR,
  mayHold,
  midsOf,
  ONE_BATCH,
  SLICE,
  type SpanRow,
} from "./stored_rows.ts";

/** The log in `folder`, which is made (mode 0700) if missing and belongs to one process. */
export function sqliteLog(folder: string, options: SqliteOptions = {}): Log {
  return new SqliteLog(folder, options);
}

/** Opens the log in `folder` as a start does, and closes it. Throws what `open` throws. */
export function tryLog(folder: string, options: SqliteOptions): void {
  const log = new SqliteLog(folder, options);
  try {
    log.openNow();
  } finally {
    log.closeNow();
  }
}

/** Authors whose row id is kept at hand; that of another is asked of the file. */
const MAX_AUTHORS = 16_384;

class SqliteLog implements Log {
  readonly engine = "sqlite";
  readonly #file: LogFile;
  readonly #ownership: Ownership | undefined;
  readonly #powers: Partial<Powers>;
  #epoch = "";
  #link: Link = START;
  #tail = 1;
  readonly #authors = new Map<string, number>();
  readonly #recent = new RecentMids();
  readonly #rowSum = new RowSum();
  constructor(folder: string, options: SqliteOptions) {
    this.#file = logFile(folder, options);
    this.#ownership = options.owner && new Ownership(folder, options.owner);
    this.#powers = {
      drop: (limits) => this.#drop(limits),
      verify: (watch) => verify(this.#file, this.#link.seq, () => this.#tail, watch),
      copy: async (file, options = {}) => {
        const ends = () => ({ head: this.#link.seq, tail: this.#tail });
        return { head: await writeCopy(this.#file, ends, file, options) };
      },
      transfer: sqliteTransfer(this.#file, () => this.#now(), () => this.#link.seq === 0),
    };
  }

  get tail(): number {
    return this.#tail;
  }

  async open(): Promise<LogStart> {
    return this.openNow();
  }

  openNow(): LogStart {
    this.#ownership?.before();
    return this.#file.open(() => {
      const start = this.#file.reading(() => this.#start());
      this.#ownership?.check({
        head: this.#head(),
        first: this.#file.reading(() => this.#firstAuthor()),
        hashAt: (seq) => this.#file.reading(() => this.#hashAt(seq)),
      });
      return start;
    });
  }

  async append(expectedHead: number, commit: Commit): Promise<readonly ReadBatch[]> {
    const sql = this.#file.sql;
    const { sealed, link } = sealAll(this.#link, expectedHead, commit.batches);
    const authors = new Map<string, number>();
    const changes: RowChange[] = [];
    this.#file.transaction("append", () => {
      for (const [i, { author, mids }] of commit.batches.entries()) {
        const { first, count, at, hash, crcs, json } = sealed[i];
        let id = authors.get(author) ?? this.#authorId(author);
        if (id === undefined) {
          id = Number(sql.addAuthor.run(author).lastInsertRowid);
          authors.set(author, id);
          changes.push(["author", String(id), author]);
        }
        const lo = mids.length > 0 ? packMids(mids.slice(0, 1)) : null;
        const hi = mids.length > 0 ? packMids(mids.slice(-1)) : null;
        sql.add.run(first, count, at, id, lo, hi, hash, crcs, json);
      }
      for (const { user, json } of commit.members ?? []) {
        sql.setMember.run(user, json, textCrc(user, json));
        changes.push(["member", user, json]);
      }
      for (const user of commit.gone ?? []) {
        sql.removeMember.run(user);
        changes.push(["member", user, undefined]);
      }
      for (const [name, text] of Object.entries(commit.values ?? {})) {
        if (text === undefined) sql.removeValue.run(name);
        else sql.setValue.run(name, text, textCrc(name, text));
        changes.push(["value", name, text]);
      }
      this.#writeSum(changes);
    });
    this.#rowSum.apply(changes);
    for (const [user, id] of authors) this.#keepAuthor(user, id);
    for (const batch of commit.batches) if (batch.mids.length > 1) this.#recent.add(batch);
    this.#link = link;
    if (sealed.length > 0) this.#ownership?.note(this.#head());
    return sealed.map(readable);
  }

  async read(range: ReadRange): Promise<readonly ReadBatch[]> {
    const sql = this.#file.sql;
    return this.#file.reading(() => {
      const { after = 0, before = Infinity, since, until, last } = range;
      const oldest = since === undefined ? 1 : firstOf(sql.since.get(since)) ?? Infinity;
      const newest = until === undefined ? Infinity : firstOf(sql.until.get(until)) ?? 0;
      const from = Math.max(this.#tail, oldest, firstOf(sql.holding.get(after + 1)) ?? 1);
      const to = Math.min(this.#link.seq, newest, before - 1);
      if (from > to) return [];
      const rows = (last ? sql.descending : sql.ascending).iterate(from, to);
      return checkedPage(this.#file, rows, range).map((row) => {
        if (row.json === null) throw damaged(this.#file.path, row.first);
        return readable(row);
      });
    });
  }

  async find(author: string, mids: readonly string[]): Promise<Places | undefined> {
    return this.#file.reading(() => {
      const found = new Map<string, Place>();
      const id = this.#authorId(author);
      if (id === undefined) return found;
      const whole = clusters(mids).every((cluster) => this.#search(id, cluster, found));
      return whole ? found : undefined;
    });
  }

  /** Adds the places of mids of one cluster; false where there is too much to look into. */
  #search(author: number, cluster: readonly string[], found: Map<string, Place>): boolean {
    const { crowded, single, over } = this.#file.sql;
    const [low, high] = [cluster[0], cluster[cluster.length - 1]];
    const [from, end, to] = [low, spanEnd(high), high].map((mid) => packMids([mid]));
    if (crowded.get(author, from, end, MAX_NEAR)) return false;
    const most = cluster.length === 1 ? -1 : MAX_OVER + 1;
    const spans = cast<SpanRow[]>(over.all(author, from, end, to, most));
    if (cluster.length > 1 && spans.length > MAX_OVER) return false;
    const holding = [
      ...cluster.map((mid) => firstOf(single.get(author, packMids([mid])))),
      ...spans.filter((span) => mayHold(span, cluster)).map(({ first }) => first),
    ].filter((first) => first !== undefined);
    const wanted = new Set(cluster);
    for (const { first, at, mids } of holding.map((first) => this.#midsOf(first))) {
      for (const [i, mid] of mids.entries()) {
        if (wanted.delete(mid)) found.set(mid, { seq: first + i, at });
      }
    }
    return true;
  }

  /** The mids of the batch that begins there. */
  #midsOf(first: number): MidsOf {
    const kept = this.#recent.get(first);
    if (kept) return kept;
    const [row] = slice(this.#file, first, first);
    return this.#recent.add({ first, at: row.at, mids: midsOf(row) });
  }

  async lastMid(author: string): Promise<string | undefined> {
    const sql = this.#file.sql;
    return this.#file.reading(() => {
      const id = this.#authorId(author);
      if (id === undefined) return undefined;
      const row = cast<{ hi: Uint8Array } | undefined>(sql.lastMid.get(id));
      return row && unpackMids(row.hi)[0];
    });
  }

  power<Name extends keyof Powers>(name: Name): Powers[Name] | undefined {
    return this.#powers[name];
  }

  async close(): Promise<void> {
    this.closeNow();
  }

  closeNow(): void {
    this.#ownership?.close();
    this.#file.close();
  }

  #head(): Head {
    return { epoch: this.#epoch, seq: this.#link.seq, hash: hashText(this.#link.hash) };
  }

  #firstAuthor(): string | undefined {
    return cast<{ user: string } | undefined>(this.#file.sql.firstAuthor.get())?.user;
  }

  /** Hash of the batch that ends with an entry, base64url. */
  #hashAt(seq: number): string | undefined {
    const row = cast<BatchRow | undefined>(this.#file.sql.previous.get(seq + 1));
    if (!row || !isWhole(row) || linkAfter(row).seq !== seq) return undefined;
    return hashText(row.hash);
  }

  #start(): LogStart {
    const sql = this.#file.sql;
    const newest = checkedPage(this.#file, sql.newest.iterate(), { ...SLICE, last: true }).at(-1);
    if (newest) this.#link = linkAfter(newest);
    // A page that is lost takes the newest rows with it, or all.
    if (firstOf(sql.newestOfIndex.get()) !== newest?.first) throw damaged(this.#file.path, 0);
    const meta = (name: string) => cast<{ value: unknown } | undefined>(sql.meta.get(name))?.value;
    const [epoch, tail] = [meta("epoch"), meta("tail")];
    const { seq } = this.#link;
    if (typeof epoch !== "string" || typeof tail !== "number" || !(tail >= 1 && tail <= seq + 1)) {
      throw damaged(this.#file.path, 0);
    }
    this.#epoch = epoch;
    this.#tail = tail;
    this.#rowSum.apply([["meta", "epoch", epoch], ["meta", "tail", String(tail)]]);
    // Authors are looked up by the index, and it must say what the table says.
    let differ = 0;
    for (const { id, user } of cast<Iterable<AuthorRow>>(sql.authors.iterate())) {
      const row: RowChange = ["author", String(id), user];
      this.#rowSum.apply([row]);
      differ ^= rowCrc(row);
    }
    for (const { id, user } of cast<Iterable<AuthorRow>>(sql.authorsOfIndex.iterate())) {
      differ ^= rowCrc(["author", String(id), user]);
    }
    if (differ !== 0) throw damaged(this.#file.path, 0);
    const start = this.#now();
    this.#rowSum.apply(start.members.map(({ user, json }) => ["member", user, json]));
    this.#rowSum.apply(Object.entries(start.values).map(([name, text]) => ["value", name, text]));
    // Logs that were begun before there was a sum get one with the next change.
    const sum = meta("sum");
    if (sum !== undefined && sum !== this.#rowSum.value) throw damaged(this.#file.path, 0);
    return start;
  }

  /** What the log is at this moment. */
  #now(): LogStart {
    const { seq, at, hash } = this.#link;
    const members = texts(this.#file, this.#file.sql.members)
      .map(({ name: user, text: json }) => ({ user, json }));
    const values = texts(this.#file, this.#file.sql.values).map(({ name, text }) => [name, text]);
    return {
      epoch: this.#epoch,
      head: seq,
      at,
      hash: hashText(hash),
      tail: this.#tail,
      members,
      values: Object.fromEntries(values),
    };
  }

  #authorId(author: string): number | undefined {
    const kept = this.#authors.get(author);
    if (kept !== undefined) return kept;
    const row = cast<{ id: number } | undefined>(this.#file.sql.author.get(author));
    if (row) this.#keepAuthor(author, row.id);
    return row?.id;
  }

  #keepAuthor(author: string, id: number) {
    if (this.#authors.size >= MAX_AUTHORS) this.#authors.delete(this.#authors.keys().next().value!);
    this.#authors.set(author, id);
  }

  async #drop({ keepFrom = 0, olderThan = 0 }: DropLimits): Promise<number> {
    const sql = this.#file.sql;
    const keep = this.#file.reading(() => {
      const bySeq = firstOf(sql.holding.get(keepFrom)) ?? 1;
      const byAge = firstOf(sql.since.get(olderThan) ?? sql.holding.get(this.#link.seq)) ?? 1;
      return Math.max(bySeq, byAge);
    });
    const former = this.#tail;
    let range = SLICE;
    while (this.#tail < keep) {
      try {
        this.#dropSlice(keep, range);
      } catch (error) {
        if (!(error instanceof DiskFull)) throw error;
        if (range === SLICE) range = ONE_BATCH; // For which there may be room.
        else if (this.#tail > former) break;
        else throw error;
      }
      await setImmediate();
    }
    return this.#tail;
  }

  #dropSlice(keep: number, range: ReadRange) {
    const sql = this.#file.sql;
    const from = this.#tail;
    const rows = this.#file.reading(() => slice(this.#file, from, keep - 1, range));
    if (rows.length === 0) throw damaged(this.#file.path, from);
    const packed = rows.map((row) => packMids(midsOf(row)));
    const tail = linkAfter(rows[rows.length - 1]).seq + 1;
    const change: RowChange = ["meta", "tail", String(tail)];
    this.#file.transaction("drop", () => {
      for (const [i, { first }] of rows.entries()) sql.drop.run(packed[i], first);
      sql.setMeta.run("tail", tail);
      this.#writeSum([change]);
    });
    this.#rowSum.apply([change]);
    this.#tail = tail;
  }

  /** Within the transaction that makes the changes. */
  #writeSum(changes: readonly RowChange[]) {
    if (changes.length > 0) this.#file.sql.setMeta.run("sum", this.#rowSum.after(changes));
  }
}
