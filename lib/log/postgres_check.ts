/** What a server of PostgreSQL must be, and how its connections are set, before a log is on it. */

import { LogAway, LogUnsafe } from "../errors.ts";
import type { Connection } from "./postgres_connection.ts";

/** What is asked of a server. */
export interface Demands {
  /** An acknowledgement may mean one disk. */
  readonly singleCopy: boolean;
}

/** How a server is set, as far as acknowledgements depend on it. */
export interface Settings {
  readonly standby: boolean;
  readonly version: number;
  readonly encoding: string;
  readonly fsync: string;
  readonly full_page_writes: string;
  readonly synchronous_commit: string;
  readonly synchronous_standby_names: string;
  readonly data_checksums: string;
}

/** What a server says of itself at this moment. */
export const SETTINGS = `SELECT pg_is_in_recovery() AS standby,
  current_setting('server_version_num')::int AS version,
  current_setting('server_encoding') AS encoding,
  current_setting('fsync') AS fsync,
  current_setting('full_page_writes') AS full_page_writes,
  current_setting('synchronous_commit') AS synchronous_commit,
  current_setting('synchronous_standby_names') AS synchronous_standby_names,
  current_setting('data_checksums') AS data_checksums`;

/**
 * Whatever role, database and server say: nothing of ours is cancelled, warnings reach us, a backend
 * that nobody listens to ends, and statements mean what they say.
 */
const SESSION: readonly (readonly [string, string])[] = [
  ["statement_timeout", "0"],
  ["lock_timeout", "0"],
  ["idle_in_transaction_session_timeout", "0"],
  ["idle_session_timeout", "0"],
  ["client_min_messages", "notice"],
  ["client_connection_check_interval", "2s"],
  ["default_transaction_isolation", "read committed"],
  ["default_transaction_read_only", "off"],
  ["search_path", "pg_catalog"],
  ["bytea_output", "hex"],
  ["jit", "off"],
  // Rows are always looked up by their keys, also while a table is too small to seem worth it.
  ["enable_seqscan", "off"],
  ["plan_cache_mode", "force_generic_plan"],
];

/** Sets a connection, a setting after the other. */
const SET_SESSION = `SELECT ${
  SESSION.map(([name, value]) => `set_config('${name}', '${value}', false)`).join(", ")
}`;

/** Oldest version of which all these settings are known. */
const OLDEST = 140_000;

/**
 * The first commit on a connection. What a server shows after a crash may be on no other disk yet:
 * once this one is acknowledged, all before it is. One at a time holds the lock, so that no more
 * than one backend waits for standbys which cannot be told that nobody waits for it any more.
 */
const BARRIER = `SELECT set_config('zgroup.checked', $1, false),
  set_config('synchronous_commit', current_setting('synchronous_commit'), false),
  pg_advisory_xact_lock(2053599096), pg_logical_emit_message(true, 'zgroup', '')`;

/** Where a statement changes something, it does so only on a connection that {@linkcode admit} let in. */
export const CHECKED = "current_setting('zgroup.checked', true)";

/** A server that is a standby now, and may be the primary one day. */
export class Standby extends LogAway {}

/**
 * Looks at a new connection and, where its server is fit, marks it with `token`; answers how the
 * server is set.
 *
 * @throws {Standby}; {LogUnsafe}; what `query` throws
 */
export async function admit(
  connection: Connection,
  demands: Demands,
  token: string,
): Promise<Settings> {
  const [settings] = await connection.query<Settings>(SETTINGS);
  mustBeFit(settings, demands);
  await connection.query(SET_SESSION);
  await connection.query(BARRIER, [token]);
  return settings;
}

/** @throws {Standby}; {LogUnsafe} with the setting, and the way out */
export function mustBeFit(settings: Settings, { singleCopy }: Demands): void {
  if (settings.standby) throw new Standby("it is a standby");
  const problem = problemOf(settings, singleCopy);
  if (problem) throw new LogUnsafe(problem);
}

function problemOf(settings: Settings, singleCopy: boolean): string | undefined {
  const { version, encoding, synchronous_commit: commit } = settings;
  if (version < OLDEST) return "it is older than PostgreSQL 14; use a newer one";
  if (encoding !== "UTF8") {
    return `it has the encoding ${encoding}; make the database with ENCODING 'UTF8'`;
  }
  for (const name of ["fsync", "full_page_writes"] as const) {
    if (settings[name] !== "on") {
      return `it has ${name} = ${settings[name]}, and would lose what it acknowledged; ` +
        `set ${name} = on`;
    }
  }
  if (commit === "off") {
    return "it has synchronous_commit = off, and would acknowledge what is on no disk; " +
      "set synchronous_commit = on";
  }
  if (singleCopy) return undefined;
  if (commit === "local" || commit === "remote_write") {
    return `it has synchronous_commit = ${commit}, and would acknowledge what is on one disk; ` +
      "set synchronous_commit = on, or allow that with --single-copy";
  }
  if (settings.synchronous_standby_names === "") {
    return "it has no synchronous_standby_names, and would acknowledge what is on one disk; " +
      "set synchronous_standby_names = 'ANY 1 (…)', or allow that with --single-copy";
  }
  return undefined;
}
