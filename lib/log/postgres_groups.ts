/** The groups of one database: their names, and who each of them is. */

import { randomUUID } from "node:crypto";
import { START } from "./chain.ts";
import type { Lease } from "./log.ts";
import type { Connection, Parameter } from "./postgres_connection.ts";
import { Server } from "./postgres_server.ts";
import { GROUPS } from "./postgres_sql.ts";
import { postgresTarget } from "./postgres_url.ts";
import { rowCrc } from "./row_sum.ts";

/** Who a group is. */
export interface GroupIdentity {
  /** The group's id. */
  readonly id: string;
  /** The text of its key file: whoever has it is the group. */
  readonly text: string;
}

/** How a group stands in a database. */
export interface KeptGroup {
  /** Its number there. */
  readonly grp: number;
  readonly name: string;
  /** Undefined where nobody has said who it is. */
  readonly identity: GroupIdentity | undefined;
  readonly lease: Lease;
  /** The place where it is kept instead, also while it is copied from there; undefined: here. */
  readonly moved: string | undefined;
}

/** All reject with {LogAway} where the database cannot be used; see {@linkcode Share}. */
export interface PostgresGroups {
  /** Who the group of a name is; undefined where nobody has said so. */
  identity(name: string): Promise<GroupIdentity | undefined>;
  /** Says who a group is where nobody has; answers who it is from then on: the first one counts. */
  make(name: string, identity: GroupIdentity): Promise<GroupIdentity>;
  /** In ascending order of their characters. */
  names(): Promise<string[]>;
  /** Makes the rows of a group, where there are none. */
  reserve(name: string): Promise<void>;
  /** How a group stands; undefined where there is none of that name. */
  kept(name: string): Promise<KeptGroup | undefined>;
  /** How each group stands, in ascending order of their names. */
  all(): Promise<KeptGroup[]>;
  /**
   * Makes an empty log for a group that is kept at `from` and is to be copied to here, in the place
   * of one that is not kept here any more. False where there is a group, or it moved since `seen`.
   */
  begin(seen: KeptGroup, identity: GroupIdentity, from: string): Promise<boolean>;
  /** A group that was copied from there is kept here from then on. False where it is not that copy. */
  finish(grp: number, head: number, from: string): Promise<boolean>;
  /** A group is kept at another place from then on. False where `holder` does not hold it. */
  leave(grp: number, holder: string, to: string): Promise<boolean>;
  /** Removes a group with all it has, of which nothing can be had back; false where there is none. */
  remove(name: string): Promise<boolean>;
  /** The URL without user and password. */
  readonly where: string;
  /** Again is harmless. */
  close(): void;
}

export interface GroupsOptions {
  readonly url: string;
  /** An acknowledgement may mean one disk only. */
  readonly singleCopy?: boolean;
}

/** How long a change of a whole group may take, ms: gigabytes are removed. */
const CHANGED_WITHIN = 600_000;

/** The groups of the database of a URL. @throws {UsageError} it is no URL of PostgreSQL */
export function postgresGroups({ url, singleCopy = false }: GroupsOptions): PostgresGroups {
  const server = new Server(postgresTarget(url), { singleCopy, warn: () => {} });
  const ask = <T>(work: (connection: Connection) => Promise<T>) => server.on("commit", work);
  const identity = (name: string) =>
    ask(async (connection) => {
      const [row] = await connection.query<GroupIdentity>(GROUPS.identity, [name]);
      return row && { id: row.id, text: row.text };
    });
  const all = (name: string | null) =>
    ask(async (connection) => {
      return (await connection.query<KeptRow>(GROUPS.kept, [name])).map(keptGroup);
    });
  const changes = (statement: string, parameters: readonly Parameter[]) =>
    ask(async (connection) =>
      (await connection.query(statement, parameters, CHANGED_WITHIN)).length > 0
    );
  return {
    where: server.target.shown,
    identity,
    reserve: async (name) => void await ask((connection) => makeGroup(connection, name)),
    kept: async (name) => (await all(name))[0],
    all: () => all(null),
    begin({ grp, lease: { term, turn } }, { id, text }, from) {
      const epoch = randomUUID();
      const empty = [START.hash, sumOf(epoch)];
      return changes(GROUPS.begin, [grp, term, turn, ...empty, from, epoch, id, text]);
    },
    finish: (grp, head, from) => changes(GROUPS.finish, [grp, head, from]),
    leave: (grp, holder, to) => changes(GROUPS.leave, [grp, holder, to]),
    async make(name, { id, text }) {
      await ask((connection) => makeGroup(connection, name));
      await ask((connection) => connection.query(GROUPS.identify, [name, id, text]));
      return await identity(name) ?? { id, text };
    },
    names: () =>
      ask(async (connection) =>
        (await connection.query<{ name: string }>(GROUPS.names)).map(({ name }) => name)
      ),
    remove: (name) => changes(GROUPS.remove, [name]),
    close: () => server.close(),
  };
}

/** The rows of a group, made where there are none. */
export async function makeGroup(
  connection: Connection,
  name: string,
): Promise<{ readonly id: number; readonly epoch: string }> {
  for (;;) {
    const [found] = await connection.query<{ id: number; epoch: string }>(GROUPS.find, [name]);
    if (found) return found;
    const epoch = randomUUID();
    await connection.query(GROUPS.make, [name, epoch, START.hash, sumOf(epoch)]);
  }
}

/** The sum of the small rows of an empty log. */
function sumOf(epoch: string): number {
  return (rowCrc(["meta", "epoch", epoch]) ^ rowCrc(["meta", "tail", "1"])) >>> 0;
}

/** A row of `grp` and `log`. */
export interface KeptRow {
  readonly id: number;
  readonly name: string;
  readonly group_id: string;
  readonly identity: string | null;
  readonly term: number;
  readonly turn: number;
  readonly holder: string | null;
  readonly head: number;
  readonly moved: string | null;
}

export function keptGroup(row: KeptRow): KeptGroup {
  const { id: grp, name, group_id: id, identity: text, term, turn, holder, head, moved } = row;
  return {
    grp,
    name,
    identity: text === null ? undefined : { id, text },
    lease: { term, turn, holder: holder ?? undefined, head },
    moved: moved ?? undefined,
  };
}
