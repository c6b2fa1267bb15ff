/**
 * The lease of a shared log as one server has it, and what it commits while it has it: each commit
 * is there once, or the server knows that it is not, whatever becomes of connections and servers.
 */

import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { Closed, DiskFull, Fenced, LogAway, LogFailed, LogLost, sentence } from "../errors.ts";
import { hashText } from "./chain.ts";
import type { Lease } from "./log.ts";
import { type Connection, type Parameter, Refused } from "./postgres_connection.ts";
import type { LogRows } from "./postgres_pages.ts";
import type { Server } from "./postgres_server.ts";
import { type LogRow, SQL } from "./postgres_sql.ts";

/** Where a log ends and begins. */
export interface Ends {
  readonly head: number;
  /** Of the newest batch, base64url. */
  readonly hash: string;
  readonly tail: number;
}

/** One statement that changes the log, if nothing has changed it before. */
export interface Change {
  /** What it is, for sentences: "append". */
  readonly action: string;
  readonly statement: string;
  /** All but the first four, which say whose log it is and who may change it. */
  readonly parameters: readonly Parameter[];
  readonly before: Ends;
  readonly after: Ends;
}

/** Between two tries to make sure of a commit, ms. */
const PAUSES = [50, 200, 500, 1_000];
/** How long a lease may take to be given up, ms. */
const RELEASE_WITHIN = 2_000;
/** Refusals that come from what was sent, or from what is there: sent again it would be the same. */
const FINAL = /^(22|23|42|XX)/;
const DISK_FULL = "53100";

/** See the head of this file. */
export class Hold {
  readonly #server: Server;
  readonly #log: LogRows;
  readonly #warn: (text: string) => void;
  readonly #signal: AbortSignal;
  readonly #moved: string | null;
  /** What tells this claim from all others. */
  readonly #claim = randomUUID();
  #term = 0;
  /** Commits that the log has. */
  #edit = 0;
  #over: Error | undefined;

  /**
   * @param signal ends what waits for certainty
   * @param moved what the log must say of where its group is kept
   */
  constructor(
    server: Server,
    log: LogRows,
    warn: (text: string) => void,
    signal: AbortSignal,
    moved: string | null,
  ) {
    this.#moved = moved;
    this.#server = server;
    this.#log = log;
    this.#warn = warn;
    this.#signal = signal;
  }

  /** Why nothing can be committed any more. */
  get over(): Error | undefined {
    return this.#over;
  }

  /**
   * Takes the lease if it stands as it was seen, on the connection that commits; true when it has it.
   * What the log is may be read on that connection from then on. Throws what `query` throws.
   */
  async claim(connection: Connection, seen: Lease, holder: string): Promise<boolean> {
    const { term, turn } = seen;
    const wanted = [
      this.#log.grp,
      term,
      turn,
      this.#server.token,
      this.#claim,
      holder,
      this.#moved,
    ];
    const [row] = await connection.query<LogRow>(SQL.claim, wanted);
    if (row) this.#has(row);
    return row !== undefined;
  }

  /** @throws {Fenced}; {LogAway} */
  async renew(): Promise<void> {
    if (this.#over) throw this.#over;
    const rows = await this.#server.on("lease", async (connection) => {
      const [rows] = await Promise.all([
        connection.query(SQL.renew, this.#mine()),
        this.#server.mustStayFit(connection),
      ]);
      return rows;
    });
    if (rows.length === 0) throw this.#end(this.#fenced());
  }

  /** Never rejects. */
  async release(): Promise<void> {
    this.#end(this.#fenced());
    try {
      const give = (connection: Connection) =>
        connection.query(SQL.release, this.#mine(), RELEASE_WITHIN);
      const late = setTimeout(RELEASE_WITHIN, undefined, { ref: false });
      await Promise.race([this.#server.on("lease", give), late]);
    } catch {
      // It stands still, and is another's in a while.
    }
  }

  /**
   * Makes a change and resolves when it is durable. Where that is not known, claims the lease again,
   * which no earlier statement outlasts, and sees whether the change is there.
   *
   * @throws {DiskFull} nothing was kept; {Fenced}, {Closed} unknown; {LogLost}, {LogFailed} for good
   */
  async commit(change: Change): Promise<void> {
    let certain = true;
    let told = "";
    for (let tries = 0;; tries++) {
      if (this.#over) throw this.#over;
      this.#mustBeOpen();
      try {
        const done = await this.#server.on("commit", async (connection) => {
          if (!certain && await this.#isThere(connection, change)) return true;
          certain = true;
          return await this.#send(connection, change);
        });
        if (done) {
          this.#edit++;
          return;
        }
        // Another term, or a connection that lost its mark: the claim tells which.
        certain = false;
      } catch (error) {
        if (!(error instanceof LogAway || error instanceof Refused)) throw error;
        if (error instanceof Refused) this.#judge(change, error, certain);
        certain = false;
        const why = `Cannot ${change.action} yet: ${sentence(error)}`;
        if (why !== told) this.#warn(told = why);
      }
      this.#server.drop();
      await this.#pause(PAUSES[Math.min(tries, PAUSES.length - 1)]);
    }
  }

  async #send(connection: Connection, { statement, parameters }: Change): Promise<boolean> {
    const fence = [this.#log.grp, this.#term, this.#edit, this.#server.token];
    return (await connection.query(statement, [...fence, ...parameters])).length > 0;
  }

  /** Whether the change is in the log, which only this claim can change from here on. */
  async #isThere(connection: Connection, { before, after }: Change): Promise<boolean> {
    const [row] = await connection.query<LogRow>(SQL.claimAgain, this.#mine());
    if (!row) throw this.#end(this.#fenced());
    const there = row.edit === this.#edit + 1;
    if ((there || row.edit === this.#edit) && isAt(row, there ? after : before)) {
      this.#term = row.term;
      return there;
    }
    const { shown } = this.#log;
    const message = `Cannot trust ${shown} from entry ${Math.min(row.head, before.head) + 1} on: ` +
      "it lost what it acknowledged; promote the standby with the greatest LSN, or restore a copy";
    throw this.#end(new LogLost(shown, Math.min(row.head, before.head) + 1, message));
  }

  /** Throws where nothing was kept and sending it again would be the same. */
  #judge({ action }: Change, refused: Refused, certain: boolean): void {
    if (refused.code === DISK_FULL && certain) {
      throw new DiskFull(`Cannot ${action}: the disk of the database is full`, { cause: refused });
    }
    if (!FINAL.test(refused.code)) return;
    const message = `Cannot ${action}: the database refuses it (${refused.code})`;
    throw this.#end(new LogFailed(message, { cause: refused }));
  }

  #has({ term, edit }: LogRow): void {
    this.#term = term;
    this.#edit = edit;
  }

  /** Who holds it, as the parameters of a statement. */
  #mine(): Parameter[] {
    return [this.#log.grp, this.#claim, this.#server.token];
  }

  #fenced(): Fenced {
    return new Fenced(`Cannot change the log ${this.#log.shown}: another server holds it`);
  }

  /** The first reason counts. */
  #end(why: Error): Error {
    return this.#over ??= why;
  }

  #mustBeOpen(): void {
    if (this.#signal.aborted) {
      throw new Closed(`Cannot use the log ${this.#log.shown}: it was closed`);
    }
  }

  async #pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: this.#signal }).catch(() => {});
  }
}

function isAt(row: LogRow, { head, hash, tail }: Ends): boolean {
  return row.head === head && hashText(row.hash) === hash && row.tail === tail;
}
