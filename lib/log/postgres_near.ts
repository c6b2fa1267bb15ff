/** Which batches may hold a message of an author, by its id. */

import type { Place, Places } from "./log.ts";
import { clusters, MAX_OVER, packMids, spanEnd, unpackMids } from "./mids.ts";
import type { Connection } from "./postgres_connection.ts";
import { asked, type LogRows } from "./postgres_pages.ts";
import { hex, list } from "./postgres_parameters.ts";
import { type NearRow, SQL } from "./postgres_sql.ts";
import type { MidsOf, RecentMids } from "./recent_mids.ts";
import { MAX_NEAR, mayHold } from "./stored_rows.ts";

/** Where ids may be. */
export interface Near {
  /** Of those that are alone in their batch. */
  readonly places: ReadonlyMap<string, Place>;
  /** First seqs of batches of several that may hold some. */
  readonly batches: readonly number[];
}

/** What a search asks. */
export interface Search {
  near(cluster: readonly string[]): Promise<Near | undefined>;
  /** The mids of the batch that begins there. */
  batch(first: number): Promise<MidsOf>;
  readonly recent: RecentMids;
}

/** The places of ids; undefined where there is too much to look into. See {@linkcode Log.find}. */
export async function findMids(
  { near, batch, recent }: Search,
  mids: readonly string[],
): Promise<Places | undefined> {
  const found = new Map<string, Place>();
  for (const cluster of clusters(mids)) {
    const here = await near(cluster);
    if (!here) return undefined;
    for (const [mid, place] of here.places) found.set(mid, place);
    const wanted = new Set(cluster);
    for (const first of here.batches) {
      const { at, mids } = recent.get(first) ?? recent.add(await batch(first));
      for (const [i, mid] of mids.entries()) {
        if (wanted.delete(mid)) found.set(mid, { seq: first + i, at });
      }
    }
  }
  return found;
}

/** What is near ids of one cluster, ascending; undefined where there is too much to look into. */
export async function findNear(
  connection: Connection,
  log: LogRows,
  author: string,
  cluster: readonly string[],
): Promise<Near | undefined> {
  const [low, high] = [cluster[0], cluster[cluster.length - 1]];
  const [from, end, to] = [low, spanEnd(high), high].map((mid) => packMids([mid]));
  const most = cluster.length === 1 ? null : MAX_OVER + 1;
  const each = list(cluster.map((mid) => hex(packMids([mid]))));
  const parameters = [author, from, end, to, most, each, MAX_NEAR];
  const rows = await asked<NearRow>(connection, log, SQL.near, parameters);
  const spans = rows.filter(({ kind }) => kind === "span");
  if (rows.some(({ kind }) => kind === "crowd")) return undefined;
  if (cluster.length > 1 && spans.length > MAX_OVER) return undefined;
  const single = rows.filter(({ kind }) => kind === "single");
  return {
    places: new Map(single.map(({ first, at, lo }) => [unpackMids(lo)[0], { seq: first, at }])),
    batches: spans.filter((span) => mayHold(span, cluster)).map(({ first }) => first),
  };
}
