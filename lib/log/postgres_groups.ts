/** The groups of one database: their names, and who each of them is. */

import { randomUUID } from "node:crypto";
import { START } from "./chain.ts";
import type { Connection } from "./postgres_connection.ts";
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

/** All reject with {LogAway} where the database cannot be used; see {@linkcode Share}. */
export interface PostgresGroups {
  /** Who the group of a name is; undefined where nobody has said so. */
  identity(name: string): Promise<GroupIdentity | undefined>;
  /** Says who a group is where nobody has; answers who it is from then on: the first one counts. */
  make(name: string, identity: GroupIdentity): Promise<GroupIdentity>;
  /** In ascending order of their characters. */
  names(): Promise<string[]>;
  /** Removes a group with all it has, of which nothing can be had back; false where there is none. */
  remove(name: string): Promise<boolean>;
  /** Again is harmless. */
  close(): void;
}

export interface GroupsOptions {
  readonly url: string;
  /** An acknowledgement may mean one disk only. */
  readonly singleCopy?: boolean;
}

/** The groups of the database of a URL. @throws {UsageError} it is no URL of PostgreSQL */
export function postgresGroups({ url, singleCopy = false }: GroupsOptions): PostgresGroups {
  const server = new Server(postgresTarget(url), { singleCopy, warn: () => {} });
  const ask = <T>(work: (connection: Connection) => Promise<T>) => server.on("commit", work);
  const identity = (name: string) =>
    ask(async (connection) => {
      const [row] = await connection.query<GroupIdentity>(GROUPS.identity, [name]);
      return row && { id: row.id, text: row.text };
    });
  return {
    identity,
    async make(name, { id, text }) {
      await ask((connection) => makeGroup(connection, name));
      await ask((connection) => connection.query(GROUPS.identify, [name, id, text]));
      return await identity(name) ?? { id, text };
    },
    names: () =>
      ask(async (connection) =>
        (await connection.query<{ name: string }>(GROUPS.names)).map(({ name }) => name)
      ),
    remove: (name) =>
      ask(async (connection) => (await connection.query(GROUPS.remove, [name])).length > 0),
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
    const sum = rowCrc(["meta", "epoch", epoch]) ^ rowCrc(["meta", "tail", "1"]);
    await connection.query(GROUPS.make, [name, epoch, START.hash, sum >>> 0]);
  }
}
