/**
 * The primary of a database, wherever it is now: few connections, each of them looked at before it is
 * used, and none made anew behind the back of who uses it.
 */

import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { Closed } from "../errors.ts";
import { admit, type Demands, mustBeFit, SETTINGS, type Settings } from "./postgres_check.ts";
import { Connection } from "./postgres_connection.ts";
import { type Problem, unreachable } from "./postgres_errors.ts";
import { migrate } from "./postgres_schema.ts";
import type { PostgresHost, PostgresTarget } from "./postgres_url.ts";

/** What a connection is for: one commits, one has the lease, some read. */
export type Purpose = "commit" | "lease" | "read";

const MOST: Readonly<Record<Purpose, number>> = { commit: 1, lease: 1, read: 3 };
/** How long one host has an advantage over the next, ms. */
const HEAD_START = 300;
/** How long it may take until a connection is made and looked at, ms. */
const CONNECT_WITHIN = 5_000;
/** Who is used for so long without a break may hang: the others are looked at, and again, ms. */
const HANGS_AFTER = 1_500;

export interface ServerOptions extends Demands {
  /** Told once what is no danger, and should be otherwise. */
  readonly warn: (text: string) => void;
}

/** See the head of this file. */
export class Server {
  readonly target: PostgresTarget;
  /** What marks the connections that were looked at. */
  readonly token = randomUUID();
  readonly #options: ServerOptions;
  readonly #idle: Record<Purpose, Connection[]> = { commit: [], lease: [], read: [] };
  readonly #used: Record<Purpose, Set<Connection>> = {
    commit: new Set(),
    lease: new Set(),
    read: new Set(),
  };
  readonly #open: Record<Purpose, number> = { commit: 0, lease: 0, read: 0 };
  readonly #waiting: Record<Purpose, (() => void)[]> = { commit: [], lease: [], read: [] };
  /** Those that are waited for so long that other hosts are looked at. */
  readonly #hanging = new Set<Connection>();
  readonly #stop = new AbortController();
  #warned = false;
  #migrated = false;
  /** The host that was the primary last. */
  #last = 0;

  constructor(target: PostgresTarget, options: ServerOptions) {
    this.target = target;
    this.#options = options;
  }

  /** How its sentences begin. */
  get cannot(): string {
    return `Cannot use the log ${this.target.shown}`;
  }

  /** Ends with `close`. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Runs `work` on a connection that nobody else uses meanwhile.
   *
   * @throws {LogAway}; {LogUnsafe}; {FolderUnusable} the log is of a newer version; {Closed}; what
   * `work` throws
   */
  async on<T>(purpose: Purpose, work: (connection: Connection) => Promise<T>): Promise<T> {
    this.mustBeOpen();
    while (this.#open[purpose] >= MOST[purpose] && this.#idle[purpose].length === 0) {
      await new Promise<void>((resolve) => this.#waiting[purpose].push(resolve));
      this.mustBeOpen();
    }
    const connection = this.#kept(purpose) ?? await this.#make(purpose);
    this.#used[purpose].add(connection);
    const hangs = setTimeout(() => this.#lookElsewhere(connection), HANGS_AFTER);
    try {
      return await work(connection);
    } finally {
      clearTimeout(hangs);
      this.#hanging.delete(connection);
      this.#used[purpose].delete(connection);
      if (connection.usable && !this.signal.aborted) this.#idle[purpose].push(connection);
      else this.#gone(purpose, connection);
      this.#waiting[purpose].shift()?.();
    }
  }

  /** Looks at the server again, whose settings may have changed. @throws {LogUnsafe}, and all ends */
  async mustStayFit(connection: Connection): Promise<void> {
    const [settings] = await connection.query<Settings>(SETTINGS);
    try {
      mustBeFit(settings, this.#options);
    } catch (error) {
      this.drop();
      throw unreachable(this.target.shown, [[connection.at, error]]);
    }
  }

  /** Ends all connections, those that are in use, too: the next ones are made anew. */
  drop(why?: string): void {
    for (const purpose of ["commit", "lease", "read"] as const) {
      for (const connection of this.#used[purpose]) connection.destroy(why);
      for (const connection of this.#idle[purpose].splice(0)) this.#gone(purpose, connection);
    }
  }

  close(): void {
    this.#stop.abort();
    this.drop();
    for (const waiting of Object.values(this.#waiting)) {
      for (const wake of waiting.splice(0)) wake();
    }
  }

  mustBeOpen(): void {
    if (this.signal.aborted) throw new Closed(`${this.cannot}: it was closed`);
  }

  /** One that is idle and has not been lost meanwhile. */
  #kept(purpose: Purpose): Connection | undefined {
    for (;;) {
      const connection = this.#idle[purpose].pop();
      if (!connection || connection.usable) return connection;
      this.#gone(purpose, connection);
    }
  }

  #gone(purpose: Purpose, connection: Connection): void {
    connection.destroy();
    this.#open[purpose]--;
  }

  async #make(purpose: Purpose): Promise<Connection> {
    this.#open[purpose]++;
    try {
      const connection = await this.#connect();
      if (!this.signal.aborted) return connection;
      connection.destroy();
      throw new Closed(`${this.cannot}: it was closed`);
    } catch (error) {
      this.#open[purpose]--;
      this.#waiting[purpose].shift()?.();
      throw error;
    }
  }

  /**
   * Whether another host became the primary while one is waited for, which nobody waits for then.
   * Who can make nothing durable is no primary, so that it does no harm to look.
   */
  async #lookElsewhere(hanging: Connection): Promise<void> {
    this.#hanging.add(hanging);
    if (this.#hanging.size > 1) return;
    const { hosts } = this.target;
    while (this.#hanging.size > 0) {
      const silent = new Set([...this.#hanging].map(({ at }) => at));
      const others = this.#order().filter((i) => !silent.has(hosts[i]));
      if (others.length === 0) return;
      try {
        (await this.#connect(others)).destroy();
        if (this.#hanging.size > 0) this.drop("did not answer, and another is the primary now");
        return;
      } catch {
        await pause(HANGS_AFTER, undefined, { signal: this.signal }).catch(() => {});
      }
    }
  }

  /** The hosts by their place in the URL, the primary of before first. */
  #order(): number[] {
    const { hosts } = this.target;
    return hosts.map((_, i) => (this.#last + i) % hosts.length);
  }

  /**
   * The first host that turns out to be a primary which is fit; each has a short head start. One that
   * fails is tried again as long as another has not been heard of: what hangs holds nobody up.
   */
  #connect(order = this.#order()): Promise<Connection> {
    const { hosts, shown } = this.target;
    const problems = new Map<number, Problem>();
    return new Promise((resolve, reject) => {
      let over = false;
      const start = async (i: number) => {
        try {
          const connection = await this.#try(hosts[i]);
          if (over) return connection.destroy();
          over = true;
          this.#last = i;
          resolve(connection);
        } catch (error) {
          problems.set(i, [hosts[i], error]);
          if (over) return;
          if (problems.size < order.length) {
            setTimeout(() => over || start(i), HEAD_START);
            return;
          }
          over = true;
          reject(unreachable(shown, order.map((one) => problems.get(one)!)));
        }
      };
      for (const [place, i] of order.entries()) {
        setTimeout(() => over || start(i), place * HEAD_START);
      }
    });
  }

  async #try(host: PostgresHost): Promise<Connection> {
    const { target, token } = this;
    const late = AbortSignal.any([this.signal, AbortSignal.timeout(CONNECT_WITHIN)]);
    const connection = await Connection.open(target, host, late);
    try {
      const settings = await admit(connection, this.#options, token);
      this.#mention(settings);
      if (!this.#migrated) await migrate(connection, this.cannot);
      this.#migrated = true;
      return connection;
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  #mention({ data_checksums }: Settings): void {
    if (this.#warned || data_checksums === "on") return;
    this.#warned = true;
    this.#options.warn(
      `The database ${this.target.shown} has no data_checksums: a damaged page is found late; ` +
        "pg_checksums --enable adds them while it is stopped",
    );
  }
}
