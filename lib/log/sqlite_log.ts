// deno-lint-ignore-file require-await -- the interface is asynchronous, SQLite is not
/** The log as rows of SQLite, one a batch; `sqlite.ts` hands it the file. */

import { setImmediate } from "node:timers/promises";
import {
  firstBad,
  hashText,
  holds,
  isWhole,
  type Link,
  linkAfter,
  readable,
  seal,
  START,
  textCrc,
} from "./chain.ts";
import type { Commit, Log, LogStart, Place, ReadBatch, ReadRange } from "./log.ts";
import { clusters, packMids, spanEnd, unpackMids } from "./mids.ts";
import { fillPage } from "./page.ts";
import { type RowChange, rowCrc, RowSum } from "./row_sum.ts";
import { damaged } from "./sqlite_errors.ts";
import {
  agrees,
  type AuthorRow,
  type BatchRow,
  midsOf,
  type SpanRow,
  type Statement,
  type Statements,
  type TextRow,
  type WholeRow,
} from "./sqlite_statements.ts";

/** The database file beneath the log; belongs to this process between `open` and `close`. */
export interface LogFile {
  readonly path: string;
  /** @throws {Closed} before `open` and after `close` */
  readonly sql: Statements<Statement>;
  /** @throws {FolderUnusable} held, newer, not writable; {DiskFull}; {LogDamaged}; {Closed} */
  open(): void;
  /**
   * Runs `work` in one transaction: all of it is on disk afterwards, or this throws.
   *
   * @throws {DiskFull} nothing was kept; {LogFailed} unknown what was kept, and from then on always
   */
  transaction(action: string, work: () => void): void;
  /** Runs `work`, whose errors of SQLite become {LogDamaged} at `seq` or {LogFailed}. */
  reading<T>(work: () => T, seq?: number): T;
  /** Bytes on disk. */
  size(): number;
  /** Writes a copy, with values of its own, to a new file. @throws {UsageError} if it exists */
  copy(file: string, values: Readonly<Record<string, string>>): void;
  close(): void;
}

/** Authors whose row id is kept at hand; that of another is asked of the file. */
const MAX_AUTHORS = 16_384;

// What is handled between two turns of the event loop, and checked at open.
const SLICE: ReadRange = { limit: 2_560, bytes: 1_048_576 };

/** A log in one SQLite file. */
export class SqliteLog implements Log {
  readonly #file: LogFile;
  #link: Link = START;
  #tail = 1;
  readonly #authors = new Map<string, number>();
  readonly #rowSum = new RowSum();

  constructor(file: LogFile) {
    this.#file = file;
  }

  async open(): Promise<LogStart> {
    this.#file.open();
    try {
      return this.#file.reading(() => this.#start());
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  async append(commit: Commit): Promise<readonly ReadBatch[]> {
    const sql = this.#file.sql;
    let link = this.#link;
    const sealed = commit.batches.map((batch) => {
      const whole = { ...batch, ...seal(link, batch) };
      link = linkAfter(whole);
      return whole;
    });
    const authors = new Map<string, number>();
    const changes: RowChange[] = [];
    this.#file.transaction("append", () => {
      for (const { first, count, at, author, mids, hash, crcs, json } of sealed) {
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
    this.#link = link;
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
      return this.#checked(fillPage(cast<Iterable<BatchRow>>(rows), range)).map((row) => {
        if (row.json === null) throw damaged(this.#file.path, row.first);
        return readable(row);
      });
    });
  }

  async find(author: string, mids: readonly string[]): Promise<ReadonlyMap<string, Place>> {
    const sql = this.#file.sql;
    const found = new Map<string, Place>();
    this.#file.reading(() => {
      const id = this.#authorId(author);
      if (id === undefined) return;
      for (const cluster of clusters(mids)) {
        const low = cluster[0];
        const high = cluster[cluster.length - 1];
        const bounds = [low, spanEnd(high), high].map((mid) => packMids([mid]));
        const wanted = new Set(cluster);
        for (const span of cast<Iterable<SpanRow>>(sql.near.iterate(id, ...bounds))) {
          const [lo, hi] = [...unpackMids(span.lo), ...unpackMids(span.hi)];
          if (!cluster.some((mid) => lo <= mid && mid <= hi)) continue;
          const [row] = this.#rows(span.first, span.first);
          for (const [i, mid] of midsOf(row).entries()) {
            if (wanted.delete(mid)) found.set(mid, { seq: row.first + i, at: row.at });
          }
          if (wanted.size === 0) break;
        }
      }
    });
    return found;
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

  async drop(limits: { keepFrom?: number; olderThan?: number }): Promise<number> {
    const { keepFrom = 0, olderThan = 0 } = limits;
    const sql = this.#file.sql;
    const keep = this.#file.reading(() => {
      const bySeq = firstOf(sql.holding.get(keepFrom)) ?? 1;
      const byAge = firstOf(sql.since.get(olderThan) ?? sql.holding.get(this.#link.seq)) ?? 1;
      return Math.max(bySeq, byAge);
    });
    while (this.#tail < keep) {
      this.#dropSlice(keep);
      await setImmediate();
    }
    return this.#tail;
  }

  size(): number {
    return this.#file.size();
  }

  async verify(): Promise<{ entries: number; batches: number; head: number }> {
    let link = START;
    let batches = 0;
    while (link.seq < this.#link.seq) {
      for (const row of this.#wholeRows(link.seq + 1)) {
        const bad = firstBad(link, row) ?? (agrees(row) ? undefined : row.first);
        if (bad !== undefined) throw damaged(this.#file.path, bad);
        if (row.json === null && row.first >= this.#tail) throw damaged(this.#file.path, row.first);
        link = linkAfter(row);
        batches++;
      }
      await setImmediate();
    }
    const sql = this.#file.sql;
    this.#file.reading(() => {
      this.#texts(sql.members);
      this.#texts(sql.values);
      const [answer] = Object.values(sql.integrity.get() ?? {});
      if (answer !== "ok") throw damaged(this.#file.path, 0, answer);
    });
    return { entries: link.seq, batches, head: link.seq };
  }

  async backup(
    file: string,
    values: Readonly<Record<string, string>> = {},
  ): Promise<{ head: number }> {
    this.#file.copy(file, values);
    return { head: this.#link.seq };
  }

  async close(): Promise<void> {
    this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #start(): LogStart {
    const sql = this.#file.sql;
    const rows = this.#checked(fillPage(cast<Iterable<BatchRow>>(sql.newest.iterate()), {
      ...SLICE,
      last: true,
    }));
    const newest = rows.at(-1);
    if (newest) this.#link = linkAfter(newest);
    // A page that is lost takes the newest rows with it, or all.
    if (firstOf(sql.newestOfIndex.get()) !== newest?.first) throw damaged(this.#file.path, 0);
    const [epoch, tail] = ["epoch", "tail"]
      .map((name) => cast<{ value: unknown } | undefined>(sql.meta.get(name))?.value);
    const { seq, at, hash } = this.#link;
    if (typeof epoch !== "string" || typeof tail !== "number" || !(tail >= 1 && tail <= seq + 1)) {
      throw damaged(this.#file.path, 0);
    }
    this.#tail = tail;
    this.#rowSum.apply([["meta", "epoch", epoch], ["meta", "tail", String(tail)]]);
    // Authors are looked up by the index, and it must say what the table says.
    let differ = 0;
    for (const { id, user } of cast<Iterable<AuthorRow>>(sql.authors.iterate())) {
      this.#rowSum.apply([["author", String(id), user]]);
      differ ^= rowCrc("author", String(id), user);
    }
    for (const { id, user } of cast<Iterable<AuthorRow>>(sql.authorsOfIndex.iterate())) {
      differ ^= rowCrc("author", String(id), user);
    }
    if (differ !== 0) throw damaged(this.#file.path, 0);
    const members = this.#texts(sql.members).map(({ name, text }) => ({ user: name, json: text }));
    const values = this.#texts(sql.values).map(({ name, text }) => [name, text]);
    this.#rowSum.apply(members.map(({ user, json }) => ["member", user, json]));
    this.#rowSum.apply(values.map(([name, text]) => ["value", name, text]));
    // Logs that were begun before there was a sum get one with the next change.
    const sum = cast<{ value: unknown } | undefined>(sql.meta.get("sum"))?.value;
    if (sum !== undefined && sum !== this.#rowSum.value) throw damaged(this.#file.path, 0);
    return {
      epoch,
      head: seq,
      at,
      hash: hashText(hash),
      tail,
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

  #dropSlice(keep: number) {
    const sql = this.#file.sql;
    const rows = this.#file.reading(() => this.#rows(this.#tail, keep - 1));
    if (rows.length === 0) throw damaged(this.#file.path, this.#tail);
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

  /** Batches whose first seq lies in `[from, to]`, checked; at most a slice, at least one. */
  #rows(from: number, to: number): BatchRow[] {
    const rows = this.#file.sql.ascending.iterate(from, to);
    return this.#checked(fillPage(cast<Iterable<BatchRow>>(rows), SLICE));
  }

  #wholeRows(from: number): WholeRow[] {
    const sql = this.#file.sql;
    const rows = this.#file.reading(
      () => fillPage(cast<Iterable<WholeRow>>(sql.whole.iterate(from)), SLICE),
      from,
    );
    if (rows.length === 0) throw damaged(this.#file.path, from);
    return rows;
  }

  /** The same consecutive rows, each of them what was written. @throws {LogDamaged} */
  #checked(rows: BatchRow[]): BatchRow[] {
    if (rows.length === 0) return rows;
    const before = cast<BatchRow | undefined>(this.#file.sql.previous.get(rows[0].first));
    if (before && !isWhole(before)) throw damaged(this.#file.path, before.first);
    let link = before ? linkAfter(before) : START;
    for (const row of rows) {
      if (!holds(link, row)) throw damaged(this.#file.path, firstBad(link, row) ?? row.first);
      link = linkAfter(row);
    }
    return rows;
  }

  #texts(statement: Statement): TextRow[] {
    const rows = cast<TextRow[]>(statement.all());
    const bad = rows.find(({ name, text, crc }) =>
      typeof name !== "string" || typeof text !== "string" || textCrc(name, text) !== crc
    );
    if (bad) throw damaged(this.#file.path, 0);
    return rows;
  }
}

/** `first` of a row, where there is one. */
function firstOf(row: unknown): number | undefined {
  return cast<{ first?: number | null } | undefined>(row)?.first ?? undefined;
}

/** What the statement's SQL says that it answers. */
function cast<T>(rows: unknown): T {
  return rows as T;
}
