/** A database that a group is moved to, or from; see `moving.ts`. */

import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { Fenced, FolderUnusable, UsageError } from "../errors.ts";
import { groupId, signingKey } from "../identity/keys.ts";
import { type Log, type LogStart, requirePower, type Share } from "../log/log.ts";
import { requireSame } from "../log/transfer.ts";
import { safeLine } from "../text/filter.ts";
import { loadPostgres } from "./group_database.ts";
import { parseGroupFile } from "./group_folder.ts";
import type { Source, Target } from "./moving.ts";

/** A database, and what is asked of it. */
export interface Database {
  readonly url: string;
  /** One without a standby will do. */
  readonly singleCopy: boolean;
}

type Postgres = Awaited<ReturnType<typeof loadPostgres>>;
type Groups = ReturnType<Postgres["postgresGroups"]>;

/**
 * The URL with the user and the password that the environment of this process adds to it, for
 * another process of this machine.
 */
export async function withPassword(url: string): Promise<string> {
  const { user, password, hosts: [host] } = (await loadPostgres()).postgresTarget(url);
  const who = [user, password(host) ?? ""].map(encodeURIComponent).join(":");
  return url.replace(/^([^:]*:\/\/)(?:[^@/?#]*@)?/, `$1${who}@`);
}

/** A lease is renewed so often, ms, and is another's when it was not for so long. */
const [RENEW_EVERY, STILL] = [1_000, 5_000];
/** How often a claim is tried: whoever holds the lease may renew it just then. */
const CLAIMS = 20;

/** A group in a database, opened to be read while its servers go on. */
export interface DatabaseSource extends Source, AsyncDisposable {}

/** @throws {UsageError} there is no such group */
export async function databaseSource(database: Database, name: string): Promise<DatabaseSource> {
  const { postgresGroups, postgresLog } = await loadPostgres();
  const groups = postgresGroups(database);
  let log: Log | undefined;
  try {
    const found = await groups.kept(name);
    if (!found?.identity) {
      throw new UsageError(`Cannot find the group "${safeLine(name)}" in ${groups.where}`);
    }
    const { grp, moved, identity } = found;
    parseGroupFile(identity.text);
    log = postgresLog({ ...database, group: name, moved });
    const share = requirePower(log, "share", `copy from ${groups.where}`);
    await share.follow();
    // No host has such a name, so that servers which follow the holder wait.
    const holder = `copy-${randomUUID().slice(0, 8)}.invalid:1`;
    let renewing: ReturnType<typeof setInterval> | undefined;
    return {
      where: groups.where,
      name,
      identity: identity.text,
      log,
      left: moved,
      async pause() {
        await claim(share, holder);
        renewing = setInterval(() => void share.renew().catch(() => {}), RENEW_EVERY);
        return async () => {
          clearInterval(renewing);
          await share.release();
        };
      },
      async leave(to) {
        if (await groups.leave(grp, holder, to)) return;
        throw new Fenced(
          `Cannot leave ${groups.where}: a server took the group meanwhile; try again`,
        );
      },
      async [Symbol.asyncDispose]() {
        clearInterval(renewing);
        await log!.close();
        groups.close();
      },
    };
  } catch (error) {
    await log?.close();
    groups.close();
    throw error;
  }
}

/** Takes the lease from whoever holds it. @throws {FolderUnusable} */
async function claim(share: Share, holder: string): Promise<void> {
  for (let tries = 0; tries < CLAIMS; tries++) {
    if (await share.claim(await share.lease(), holder)) return;
  }
  throw new FolderUnusable("Cannot take the lease of the group: it moves all the time; try again");
}

/** A database in which a group is to be made: until it is whole, its row says where the group is. */
export class DatabaseTarget implements Target {
  readonly where: string;
  readonly #database: Database;
  readonly #postgres: Postgres;
  readonly #groups: Groups;
  /** What was begun. */
  #begun: { readonly name: string; readonly grp: number; readonly from: string } | undefined;
  #head = 0;
  #log: Log | undefined;

  static async of(database: Database): Promise<DatabaseTarget> {
    return new DatabaseTarget(database, await loadPostgres());
  }

  private constructor(database: Database, postgres: Postgres) {
    this.#database = database;
    this.#postgres = postgres;
    this.#groups = postgres.postgresGroups(database);
    this.where = this.#groups.where;
  }

  async taken(name: string): Promise<boolean> {
    const found = await this.#groups.kept(name);
    return found !== undefined && found.moved === undefined &&
      (found.identity !== undefined || found.lease.head > 0);
  }

  async begin({ name, identity, where: from }: Source): Promise<Log> {
    const cannot = `Cannot copy to ${this.where}`;
    const { secretKey, nonce } = parseGroupFile(identity);
    const id = groupId(signingKey(secretKey).publicKey, name, nonce);
    const seen = await this.#still(name, cannot);
    if (seen.moved !== undefined && seen.moved !== from) {
      throw new UsageError(`${cannot}: the group was kept there, and went to ${seen.moved}`);
    }
    if (!await this.#groups.begin(seen, { id, text: identity }, from)) {
      throw new UsageError(`${cannot}: another copy to it is under way`);
    }
    this.#begun = { name, grp: seen.grp, from };
    this.#log = this.#open(this.#begun);
    await this.#log.open();
    return this.#log;
  }

  /** How the group stands there, when nobody works on it. @throws {UsageError} somebody does */
  async #still(name: string, cannot: string) {
    await this.#groups.reserve(name);
    const end = performance.now() + STILL;
    for (const seen = (await this.#groups.kept(name))!;;) {
      const { lease } = seen;
      if (lease.holder === undefined || performance.now() > end) return seen;
      await wait(RENEW_EVERY / 4);
      const now = await this.#groups.kept(name);
      if (now?.lease.turn !== lease.turn) {
        throw new UsageError(`${cannot}: another copy to it is under way`);
      }
    }
  }

  #open({ name, from }: { readonly name: string; readonly from: string }): Log {
    return this.#postgres.postgresLog({ ...this.#database, group: name, moved: from });
  }

  async prove(start: LogStart): Promise<void> {
    await this.#log!.close();
    const log = this.#log = this.#open(this.#begun!);
    requireSame(await log.open(), start);
    await log.close();
    this.#head = start.head;
  }

  async finish(): Promise<void> {
    const { grp, from } = this.#begun!;
    if (await this.#groups.finish(grp, this.#head, from)) return;
    throw new FolderUnusable("another copy to it has begun");
  }

  async abandon(): Promise<void> {
    await this.#log?.close();
    if (!this.#begun) return;
    const { name, grp, from } = this.#begun;
    try {
      const found = await this.#groups.kept(name);
      const isOurs = found?.grp === grp && found.moved === from && found.lease.holder === undefined;
      if (isOurs) await this.#groups.remove(name);
    } catch {
      // Nobody can start what is left of it, and the next copy begins anew.
    }
  }

  async close(): Promise<void> {
    await this.#log?.close();
    this.#groups.close();
  }
}
