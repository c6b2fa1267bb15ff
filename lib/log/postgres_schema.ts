/** The tables of logs in a database, in a schema of their own: made and migrated. */

import { newer } from "../disk/sqlite_errors.ts";
import { LogAway } from "../errors.ts";
import { type Connection, Refused } from "./postgres_connection.ts";

/**
 * `log` is the row that each commit of a group changes: small, and with room beside it, so that no
 * index is touched. What never changes stands in `grp`. Where the server was built
 * with LZ4, it compresses the JSON: a commit takes a third to a half less of the server's CPU time
 * than with the default.
 */
const VERSION_1 = `CREATE TABLE zgroup.version (version int NOT NULL);
INSERT INTO zgroup.version VALUES (0);
CREATE TABLE zgroup.grp (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text COLLATE "C" NOT NULL UNIQUE,
  epoch text NOT NULL,
  group_id text,
  identity text
);
CREATE TABLE zgroup.log (
  grp int PRIMARY KEY,
  term bigint NOT NULL DEFAULT 0,
  turn bigint NOT NULL DEFAULT 0,
  holder text,
  claim text,
  edit bigint NOT NULL DEFAULT 0,
  head bigint NOT NULL DEFAULT 0,
  hash bytea NOT NULL,
  tail bigint NOT NULL DEFAULT 1,
  sum bigint NOT NULL,
  moved text
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE TABLE zgroup.batch (
  grp int NOT NULL,
  first bigint NOT NULL,
  count int NOT NULL,
  at bigint NOT NULL,
  author text COLLATE "C" NOT NULL,
  lo bytea,
  hi bytea,
  hash bytea NOT NULL,
  crcs bytea NOT NULL,
  mids bytea,
  json text,
  PRIMARY KEY (grp, first)
);
DO $$ BEGIN
  ALTER TABLE zgroup.batch ALTER json SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL;
END $$;
CREATE INDEX batch_at ON zgroup.batch (grp, at, first);
CREATE INDEX batch_mid ON zgroup.batch (grp, author, hi, lo) INCLUDE (first, at)
  WHERE hi IS NOT NULL;
CREATE TABLE zgroup.member (
  grp int NOT NULL,
  name text COLLATE "C" NOT NULL,
  json text NOT NULL,
  crc bigint NOT NULL,
  PRIMARY KEY (grp, name)
);
CREATE TABLE zgroup.value (LIKE zgroup.member INCLUDING ALL);`;

/** `zgroup.version` is how many of these a database went through: append, never edit. */
const MIGRATIONS: readonly string[] = [VERSION_1];
/** The newest version that is known here. */
export const KNOWN_VERSION: number = MIGRATIONS.length;

/** Whoever migrates, and whoever waits for a first commit, does so one at a time: keys of locks. */
const MIGRATING = "SELECT pg_advisory_xact_lock(2053599095)";

// Looked up in the rows: who waited for the lock still has in mind that there was none.
const THERE = `SELECT EXISTS (
    SELECT FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = 'zgroup' AND relname = 'version'
  ) AS there`;
const VERSION = "SELECT version FROM zgroup.version";

/** The version of the tables; 0 where there are none. */
export async function schemaVersion(connection: Connection): Promise<number> {
  const [{ there }] = await connection.query<{ there: boolean }>(THERE);
  if (!there) return 0;
  return (await connection.query<{ version: number }>(VERSION))[0]?.version ?? 0;
}

/**
 * Makes the tables, or brings them up to date.
 *
 * @throws {FolderUnusable} they are of a newer version; {LogAway} the role may not make them
 */
export async function migrate(connection: Connection, cannot: string): Promise<void> {
  const known = KNOWN_VERSION;
  if (await schemaVersion(connection) === known) return;
  try {
    await connection.query("BEGIN");
    await connection.query(MIGRATING);
    const from = await schemaVersion(connection);
    if (from > known) throw newer(cannot, from, known);
    if (from === 0) await connection.query("CREATE SCHEMA IF NOT EXISTS zgroup");
    for (const step of MIGRATIONS.slice(from)) await connection.query(step);
    await connection.query(`UPDATE zgroup.version SET version = ${known}`);
    await connection.query("COMMIT");
  } catch (error) {
    connection.destroy();
    if (error instanceof Refused && error.code === "42501") {
      const way =
        "give it CREATE on the database, or make the schema with AUTHORIZATION of the role";
      throw new LogAway(`${cannot}: its role may not make the schema zgroup; ${way}`, {
        cause: error,
      });
    }
    throw error;
  }
}
