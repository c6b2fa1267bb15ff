/** The log as rows of PostgreSQL, one a batch, that several servers can share. */

import { hostname } from "node:os";
import process from "node:process";
import { damaged } from "../disk/sqlite_errors.ts";
import { Closed, DiskFull, Fenced, FolderUnusable, LogAway, UsageError } from "../errors.ts";
import { hashText, type Link, readable, sealAll, START } from "./chain.ts";
import type {
  Commit,
  DropLimits,
  Lease,
  Log,
  LogStart,
  Places,
  Powers,
  ReadBatch,
  ReadRange,
  Share,
} from "./log.ts";
import { packMids, unpackMids } from "./mids.ts";
import type { Connection } from "./postgres_connection.ts";
import { findMids, findNear } from "./postgres_near.ts";
import { makeGroup } from "./postgres_groups.ts";
import { type Ends, Hold } from "./postgres_hold.ts";
import { watchLease } from "./postgres_lease.ts";
import {
  asked,
  type LogRows,
  type Page,
  readPage,
  readSlice,
  readStanding,
  readWhole,
  type Standing,
  verifyAll,
} from "./postgres_pages.ts";
import { commitParameters, hex, list } from "./postgres_parameters.ts";
import { Server } from "./postgres_server.ts";
import { type LogRow, SQL } from "./postgres_sql.ts";
import { postgresTransfer } from "./postgres_transfer.ts";
import { postgresTarget } from "./postgres_url.ts";
import { RecentMids } from "./recent_mids.ts";
import { type RowChange, RowSum } from "./row_sum.ts";
import { writeCopyOf } from "./sqlite_copy.ts";
import { midsOf, ONE_BATCH } from "./stored_rows.ts";

export interface PostgresOptions {
  /** `postgres://USER@HOST:PORT,HOST:PORT/DATABASE`. */
  readonly url: string;
  /** The group's name in the database. */
  readonly group: string;
  /** An acknowledgement may mean one disk only. */
  readonly singleCopy?: boolean;
  /** Where the group is kept instead, for who copies it; all others open no such log. */
  readonly moved?: string | undefined;
  /** Told what does no harm and should be otherwise, and why an append has to wait. */
  readonly warn?: (text: string) => void;
}

/** The log of a group in a database. @throws {UsageError} the URL is none, or its files are not readable */
export function postgresLog(options: PostgresOptions): Log {
  return new PostgresLog(options);
}

/** How often a lease is renewed that nobody else renews, ms. */
const RENEW_EVERY = 1_000;

class PostgresLog implements Log {
  readonly engine = "postgres";
  readonly #name: string;
  readonly #moved: string | null;
  readonly #server: Server;
  readonly #warn: (text: string) => void;
  readonly #closing = new AbortController();
  #log: LogRows | undefined;
  #state: "new" | "open" | "closed" = "new";
  #hold: Hold | undefined;
  #link: Link = START;
  #tail = 1;
  /** Greatest head that was seen: a server that shows less is not the primary any more. */
  #seen = 0;
  #rowSum = new RowSum();
  #recent = new RecentMids();
  /** One change at a time. */
  #changing: Promise<unknown> = Promise.resolve();
  #renewing: ReturnType<typeof setInterval> | undefined;
  readonly #powers: Partial<Powers>;

  constructor({ url, group, singleCopy = false, moved, warn = () => {} }: PostgresOptions) {
    this.#name = group;
    this.#moved = moved ?? null;
    this.#warn = warn;
    this.#server = new Server(postgresTarget(url), { singleCopy, warn });
    const share: Share = {
      follow: () => this.#follow(),
      lease: () => this.#lease(),
      claim: (seen, holder) => this.#claim(seen, holder),
      renew: async () => await this.#held().renew(),
      release: async () => await this.#hold?.release(),
    };
    const transfer = postgresTransfer({
      now: () => this.#now(),
      read: (from) => this.#page((connection) => readWhole(connection, this.#rows(), from)),
      wasEmpty: () => this.#link.seq === 0,
      change: (statement, parameters, after) =>
        this.#inTurn(() => {
          const [action, before] = [`copy to ${this.#rows().shown}`, this.#ends()];
          const change = { action, statement, parameters, before, after: after ?? before };
          return this.#held().commit(change);
        }),
    });
    this.#powers = {
      share,
      drop: (limits) => this.#inTurn(() => this.#drop(limits)),
      verify: async (watch) => await verifyAll(this.#rows(), (work) => this.#reading(work), watch),
      copy: async (file, options = {}) => ({ head: await writeCopyOf(transfer, file, options) }),
      transfer,
    };
  }

  get tail(): number {
    return this.#tail;
  }

  async open(): Promise<LogStart> {
    this.#mustBeNew();
    const me = `${hostname()}, process ${process.pid}`;
    const seen = await watchLease(() => this.#lease(), this.#closing.signal).catch((error) => {
      throw this.#state === "closed" ? this.#unusable() : error;
    });
    const start = seen.free && await this.#claim(seen.lease, me);
    if (!start) throw this.#isHeld(seen.free ? await this.#lease() : seen.lease);
    // Whoever opens it alone keeps it alone, as long as it takes.
    this.#renewing = setInterval(() => this.#hold?.renew().catch(() => {}), RENEW_EVERY);
    this.#renewing.unref();
    return start;
  }

  async append(expectedHead: number, commit: Commit): Promise<readonly ReadBatch[]> {
    return await this.#inTurn(async () => {
      const log = this.#rows();
      const hold = this.#held();
      const { sealed, link } = sealAll(this.#link, expectedHead, commit.batches);
      const changes: RowChange[] = [
        ...(commit.members ?? []).map(({ user, json }): RowChange => ["member", user, json]),
        ...(commit.gone ?? []).map((user): RowChange => ["member", user, undefined]),
        ...Object.entries(commit.values ?? {}).map(([name, text]): RowChange => [
          "value",
          name,
          text,
        ]),
      ];
      const before = this.#ends();
      const after = { ...before, head: link.seq, hash: hashText(link.hash) };
      await hold.commit({
        action: `append to ${log.shown}`,
        statement: changes.length > 0 ? SQL.addAll : SQL.add,
        parameters: [
          expectedHead,
          link.seq,
          link.hash,
          this.#rowSum.after(changes),
          ...commitParameters(commit, sealed),
        ],
        before,
        after,
      });
      this.#rowSum.apply(changes);
      for (const batch of commit.batches) if (batch.mids.length > 1) this.#recent.add(batch);
      this.#link = link;
      this.#seen = Math.max(this.#seen, link.seq);
      return sealed.map(readable);
    });
  }

  async read(range: ReadRange): Promise<readonly ReadBatch[]> {
    const log = this.#rows();
    const { rows } = await this.#page((connection) => readPage(connection, log, range));
    return rows.map((row) => {
      if (row.json === null) throw damaged(log.shown, row.first);
      return readable(row);
    });
  }

  async find(author: string, mids: readonly string[]): Promise<Places | undefined> {
    const log = this.#rows();
    return await findMids({
      near: (cluster) => this.#reading((connection) => findNear(connection, log, author, cluster)),
      batch: async (first) => {
        const slice = (connection: Connection) =>
          readSlice(connection, log, first, first, ONE_BATCH);
        const { rows: [row] } = await this.#page(slice);
        if (!row) throw damaged(log.shown, first);
        return { first, at: row.at, mids: midsOf(row) };
      },
      recent: this.#recent,
    }, mids);
  }

  async lastMid(author: string): Promise<string | undefined> {
    const log = this.#rows();
    const [row] = await this.#reading((connection) =>
      asked<{ hi: Uint8Array }>(connection, log, SQL.lastMid, [author])
    );
    return row && unpackMids(row.hi)[0];
  }

  power<Name extends keyof Powers>(name: Name): Powers[Name] | undefined {
    return this.#powers[name];
  }

  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearInterval(this.#renewing);
    this.#closing.abort();
    await this.#changing;
    await this.#hold?.release();
    this.#server.close();
  }

  async #follow(): Promise<LogStart> {
    const log = await this.#found();
    const standing = await this.#server.on("read", (connection) => readStanding(connection, log));
    this.#mustBeKept(standing.row);
    this.#state = "open";
    return this.#stand(standing);
  }

  async #lease(): Promise<Lease> {
    const log = await this.#found();
    const [row] = await this.#server.on(
      "lease",
      (connection) => asked<LogRow>(connection, log, SQL.log),
    );
    if (!row) throw new LogAway(`Cannot use the log ${log.shown}: the group is not there any more`);
    this.#mustBeKept(row);
    const { term, turn, holder, head } = row;
    return { term, turn, holder: holder ?? undefined, head };
  }

  async #claim(seen: Lease, holder: string): Promise<LogStart | undefined> {
    if (holder.length < 1 || holder.length > 255) {
      throw new RangeError(`Cannot claim the log: "${holder}" is not of 1 to 255 characters`);
    }
    const log = await this.#found();
    const hold = new Hold(this.#server, log, this.#warn, this.#closing.signal, this.#moved);
    const standing = await this.#server.on("commit", async (connection) => {
      const taken = await hold.claim(connection, seen, holder);
      return taken ? await readStanding(connection, log) : undefined;
    });
    if (!standing) return undefined;
    this.#hold = hold;
    this.#state = "open";
    return this.#stand(standing);
  }

  #isHeld({ holder = "another server" }: Lease): FolderUnusable {
    const { shown } = this.#server.target;
    const message = `Cannot open the log of ${this.#name} in ${shown}: ${holder} has it open; ` +
      "close it there first";
    return new FolderUnusable(message);
  }

  /** The rows of the group, which are made where there are none. */
  async #found(): Promise<LogRows> {
    if (this.#state === "closed") throw this.#unusable();
    return this.#log ??= await this.#server.on("lease", async (connection) => {
      const { id, epoch } = await makeGroup(connection, this.#name);
      return { grp: id, epoch, shown: this.#server.target.shown };
    });
  }

  /** What the log is at this moment. */
  async #now(): Promise<LogStart> {
    const log = this.#rows();
    return await this.#reading(async (connection) => (await readStanding(connection, log)).start);
  }

  #stand({ start, link, sum }: Standing): LogStart {
    this.#link = link;
    this.#rowSum = sum;
    this.#tail = start.tail;
    this.#seen = link.seq;
    this.#recent = new RecentMids();
    return start;
  }

  #ends(): Ends {
    const { seq: head, hash } = this.#link;
    return { head, hash: hashText(hash), tail: this.#tail };
  }

  /** Runs `work` when all changes before it are done. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#changing.then(work);
    this.#changing = result.catch(() => {});
    return await result;
  }

  /** Reads, on a connection that may have been lost since it was used last. */
  async #reading<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#rows();
    return await this.#server.on("read", work);
  }

  /** Reads a page; what it says of the log is known from then on. @throws {LogAway} it is a former one's */
  async #page(work: (connection: Connection) => Promise<Page>): Promise<Page> {
    const seen = this.#seen; // What is appended while it is read is not in it.
    const page = await this.#reading(work);
    if (page.head < seen) {
      this.#server.drop();
      const { shown } = this.#rows();
      throw new LogAway(`Cannot read ${shown}: it shows less than it did, it is a former primary`);
    }
    this.#seen = Math.max(this.#seen, page.head);
    this.#tail = Math.max(this.#tail, page.tail);
    return page;
  }

  async #drop({ keepFrom = 0, olderThan = 0 }: DropLimits): Promise<number> {
    const log = this.#rows();
    const former = this.#tail;
    const [{ first: keep }] = await this.#reading((connection) =>
      asked<{ first: number }>(connection, log, SQL.keep, [keepFrom, olderThan])
    );
    while (this.#tail < keep) {
      try {
        await this.#dropSlice(keep);
      } catch (error) {
        if (error instanceof DiskFull && this.#tail > former) break;
        throw error;
      }
    }
    return this.#tail;
  }

  async #dropSlice(keep: number): Promise<void> {
    const log = this.#rows();
    const hold = this.#held();
    const from = this.#tail;
    const { rows } = await this.#page((connection) => readSlice(connection, log, from, keep - 1));
    if (rows.length === 0) throw damaged(log.shown, from);
    const newest = rows[rows.length - 1];
    const tail = newest.first + newest.count;
    const change: RowChange = ["meta", "tail", String(tail)];
    const before = this.#ends();
    await hold.commit({
      action: `drop entries of ${log.shown}`,
      statement: SQL.drop,
      parameters: [
        tail,
        this.#rowSum.after([change]),
        list(rows.map(({ first }) => first)),
        list(rows.map((row) => `"${hex(packMids(midsOf(row)))}"`)),
      ],
      before,
      after: { ...before, tail },
    });
    this.#rowSum.apply([change]);
    this.#tail = tail;
  }

  /** @throws {FolderUnusable} the group is kept in another place */
  #mustBeKept({ moved }: LogRow): void {
    if (moved === this.#moved) return;
    const { shown } = this.#server.target;
    const now = moved === null
      ? "it is kept here now"
      : `it is kept in ${moved} now; start it there`;
    throw new FolderUnusable(`Cannot use the log of "${this.#name}" in ${shown}: ${now}`);
  }

  #held(): Hold {
    this.#rows();
    if (!this.#hold) throw new Fenced("Cannot change the log: this server does not hold it");
    if (this.#hold.over) throw this.#hold.over;
    return this.#hold;
  }

  #rows(): LogRows {
    if (this.#state !== "open" || !this.#log) throw this.#unusable();
    return this.#log;
  }

  #mustBeNew(): void {
    if (this.#state === "closed") throw this.#unusable();
    if (this.#state === "open") {
      throw new UsageError(`Cannot open the log ${this.#server.target.shown}: it is open`);
    }
  }

  #unusable(): Closed {
    const why = this.#state === "closed" ? "was closed" : "was not opened";
    return new Closed(`Cannot use the log ${this.#server.target.shown}: it ${why}`);
  }
}
