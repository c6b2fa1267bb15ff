/** A process with three nodes of PostgreSQL, for `postgres_cluster_test.ts`. */

import { setInterval } from "node:timers";
import { PostgresCluster } from "../support/postgres.ts";

const { folder, nodes } = await PostgresCluster.start({ nodes: 3 });
console.log(JSON.stringify({ folder, pids: nodes.map(({ pid }) => pid) }));
setInterval(() => {}, 60_000);
