/** Looks at a database that keeps groups, for the doctor. */

import type { DatabaseFound } from "../cli/program.ts";
import { loadPostgres } from "./group_database.ts";

/** @throws {UsageError} it is no URL of PostgreSQL */
export async function lookAtDatabase(url: string): Promise<DatabaseFound> {
  const { KNOWN_VERSION, lookAtDatabase } = await loadPostgres();
  const looks = await lookAtDatabase(url);
  const hosts = looks.map(({ address, problem, version = "", primary }) =>
    problem
      ? { address, problem: problem[0], wayOut: problem[1] }
      : { address, version, isPrimary: primary !== undefined }
  );
  const found = looks.find(({ primary }) => primary !== undefined);
  if (!found?.primary || !found.settings) return { hosts };
  const { fsync, full_page_writes, synchronous_commit } = found.settings;
  const { synchronous_standby_names, data_checksums } = found.settings;
  const { groups, ...primary } = found.primary;
  return {
    hosts,
    primary: {
      ...primary,
      settings: {
        fsync,
        full_page_writes,
        synchronous_commit,
        synchronous_standby_names,
        data_checksums,
      },
      known: KNOWN_VERSION,
      groups: groups.map(({ name, lease: { head, holder }, renews, moved }) => ({
        name,
        head,
        holder,
        isAlive: renews,
        moved,
        isWhole: moved === undefined || head > 0,
      })),
    },
  };
}
