/**
 * Servers and databases on machines in name only, which stop reaching each other without a word: the
 * holder and the database, a relay and the database, the primary and its standbys, two servers, users
 * and a server. Whoever lost the group says so and nothing else; what was acknowledged is there, once,
 * everywhere, when all is healed; and the group goes on.
 */

import { setTimeout } from "node:timers/promises";
import { percentile } from "../support/percentile.ts";
import { type Fault, fault, Skipped } from "./support/fault.ts";
import { HERE, Network, noNamespaces } from "./support/namespaces.ts";
import type { ServerProcess } from "./support/server_process.ts";
import { SharedGroup, startCluster } from "./support/shared_group.ts";

/** A message is acknowledged again within this, cut or healed, ms. */
const RESUMES_WITHIN = 12_000;
/** How long a cut lasts, ms: longer than a lease that stands still is respected. */
const CUT = [7_000, 12_000] as const;
/** What passed before a cut is acknowledged within this, ms. */
const UNDER_WAY = 1_000;

/** Machines, by what is on them. */
interface Scene {
  readonly fault: Fault;
  readonly network: Network;
  readonly group: SharedGroup;
  /** Where a server is. */
  at(server: ServerProcess): string;
  /** Where the primary is, and where its standbys are. */
  readonly primary: string;
  readonly standbys: readonly string[];
  readonly relay: ServerProcess;
}

/** What is cut; it is healed when each has lasted. True: nobody can be acknowledged meanwhile. */
const CUTS = {
  holder_and_database: ({ network, group, at, primary }) => network.cut(at(group.holder), primary),
  relay_and_database: ({ network, at, relay, primary }) => network.cut(at(relay), primary),
  primary_and_standbys: ({ network, primary, standbys }) => {
    for (const standby of standbys) network.cut(primary, standby);
  },
  holder_and_relay: ({ network, group, at, relay }) => network.cut(at(group.holder), at(relay)),
  users_and_holder: ({ network, group, at }) => network.cut(HERE, at(group.holder)),
  users_and_relay: ({ network, at, relay }) => network.cut(HERE, at(relay)),
  holder_and_all: ({ network, group, at }) => network.isolate(at(group.holder)),
  to_holder_alone: ({ network, at, group, relay }) =>
    network.cut(at(relay), at(group.holder), "to"),
  from_database_alone: ({ network, group, at, primary }) =>
    network.cut(primary, at(group.holder), "to"),
} satisfies Record<string, (scene: Scene) => void>;
type Cut = keyof typeof CUTS;

const SMALL: readonly Cut[] = [
  "holder_and_database",
  "primary_and_standbys",
  "holder_and_relay",
  "users_and_holder",
];
/** How often each is done in a full run. */
const EACH = 10;

await fault(async (fault) => {
  const problem = noNamespaces();
  if (problem) throw new Skipped(problem);
  const network = new Network(["n1", "n2", "n3", "s1", "s2", "s3"]);
  fault.onClose(() => network.close());
  const placeOf = (name: string) => ({
    host: network.address(name),
    inside: (command: readonly string[]) => network.inside(name, command),
  });
  const cluster = await startCluster(fault, { nodes: 3, place: placeOf });
  const group = await SharedGroup.start(fault, {
    cluster,
    places: ["s1", "s2", "s3"].map(placeOf),
  });
  const resumed: number[] = [];
  const plan = fault.full
    ? Array.from({ length: EACH }, () => Object.keys(CUTS) as Cut[]).flat()
    : SMALL;
  for (const cut of plan) {
    if (fault.isOver) break;
    const scene = sceneOf(fault, network, group);
    await group.talk();
    const begin = performance.now();
    CUTS[cut](scene);
    fault.count(cut);
    if (cut === "primary_and_standbys") {
      await setTimeout(UNDER_WAY);
      const { acked } = group.ledger;
      await setTimeout(fault.random(...CUT));
      const more = group.ledger.acked - acked;
      fault.expect(more === 0, `acknowledged what no standby has: ${more} messages`);
    } else {
      resumed.push(await group.answered());
      await setTimeout(Math.max(0, begin + fault.random(...CUT) - performance.now()));
    }
    network.healAll();
    resumed.push(await group.answered());
    await group.settled();
  }
  fault.figure("resumes_ms_p50", percentile(resumed, 0.5));
  fault.figure("resumes_ms_max", Math.max(...resumed));
  fault.bound(Math.max(...resumed) <= RESUMES_WITHIN, "the group went on too late");
  await group.audit();
});

function sceneOf(fault: Fault, network: Network, group: SharedGroup): Scene {
  const { cluster: { primary, nodes }, servers, relays } = group;
  return {
    fault,
    network,
    group,
    at: (server) => `s${servers.indexOf(server) + 1}`,
    primary: primary.name,
    standbys: nodes.filter((node) => node !== primary).map(({ name }) => name),
    relay: relays[fault.int(0, relays.length)],
  };
}
