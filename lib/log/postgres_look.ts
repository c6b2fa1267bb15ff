/** What a database is, host by host, for who looks whether all is well. Nothing is changed. */

import { setTimeout as wait } from "node:timers/promises";
import { SETTINGS, type Settings } from "./postgres_check.ts";
import { Connection } from "./postgres_connection.ts";
import { reasonOf } from "./postgres_errors.ts";
import { type KeptGroup, keptGroup, type KeptRow } from "./postgres_groups.ts";
import { schemaVersion } from "./postgres_schema.ts";
import { GROUPS } from "./postgres_sql.ts";
import { postgresTarget } from "./postgres_url.ts";

/** What one host is. */
export interface HostLook {
  readonly address: string;
  /** What is wrong with it, and the way out; nothing else is known then. */
  readonly problem?: readonly [reason: string, wayOut: string];
  /** Such as `15.18`. */
  readonly version?: string;
  readonly settings?: Settings;
  /** Of the primary. */
  readonly primary?: PrimaryLook;
}

export interface PrimaryLook {
  readonly role: string;
  /** Standbys that are connected; of them those that commits wait for, undefined where hidden. */
  readonly standbys: number;
  readonly inSync: number | undefined;
  /** Version of the tables; 0 where there are none. */
  readonly schema: number;
  readonly groups: readonly (KeptGroup & { readonly renews: boolean })[];
}

const VERSION = "SELECT split_part(current_setting('server_version'), ' ', 1) AS version";
// Whoever may not read all statistics sees that there are standbys, and no more.
const STANDBYS =
  `SELECT count(*)::int AS standbys, coalesce(bool_or(sync_state IS NULL), false) AS hidden,
  (count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')))::int AS synced
  FROM pg_stat_replication`;

/** How long one host may take, ms. */
const LOOK_WITHIN = 5_000;
/** A lease that does not move meanwhile has nobody, ms: it is renewed each second. */
const RENEWED_WITHIN = 2_500;

/** Looks at every host of a URL, at all of them at once. @throws {UsageError} it is no URL of PostgreSQL */
export async function lookAtDatabase(url: string): Promise<HostLook[]> {
  const target = postgresTarget(url);
  return await Promise.all(target.hosts.map(async (host): Promise<HostLook> => {
    const address = `${host.host}:${host.port}`;
    try {
      const signal = AbortSignal.timeout(LOOK_WITHIN);
      const connection = await Connection.open(target, host, signal);
      try {
        return { address, ...await look(connection, target.user) };
      } finally {
        connection.destroy();
      }
    } catch (error) {
      return { address, problem: reasonOf(error) };
    }
  }));
}

async function look(connection: Connection, role: string): Promise<Omit<HostLook, "address">> {
  const [{ version }] = await connection.query<{ version: string }>(VERSION);
  const [settings] = await connection.query<Settings>(SETTINGS);
  if (settings.standby) return { version, settings };
  type Standbys = { standbys: number; hidden: boolean; synced: number };
  const [{ standbys, hidden, synced }] = await connection.query<Standbys>(STANDBYS);
  const schema = await schemaVersion(connection);
  const groups = schema === 0 ? [] : await groupsIn(connection);
  const inSync = hidden ? undefined : synced;
  return { version, settings, primary: { role, standbys, inSync, schema, groups } };
}

/** The groups, and which of them have a holder that renews its lease. */
async function groupsIn(connection: Connection): Promise<PrimaryLook["groups"]> {
  const all = async () => (await connection.query<KeptRow>(GROUPS.kept, [null])).map(keptGroup);
  const seen = await all();
  const turns = new Map(seen.map(({ grp, lease }) => [grp, lease.turn]));
  const stands = ({ grp, lease }: KeptGroup) =>
    lease.holder !== undefined && lease.turn === turns.get(grp);
  let now = seen;
  for (const end = performance.now() + RENEWED_WITHIN; performance.now() < end;) {
    if (!now.some(stands)) break;
    await wait(RENEWED_WITHIN / 10);
    now = await all();
  }
  return now.map((group) => ({ ...group, renews: !stands(group) }));
}
