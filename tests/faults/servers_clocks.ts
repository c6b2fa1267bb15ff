/**
 * Servers and databases whose dates are days apart and jump; a holder that stands still, and its clock
 * with it, so that it believes to hold the group when another one does; two at one log who never ask
 * whether they hold it; a relay that slept while much was said. No date decides anything, who believes wrongly changes nothing, and who slept has all.
 */

import { chmodSync } from "node:fs";
import { until } from "../support.ts";
import { availablePostgres } from "../support/postgres.ts";
import { Clock } from "./support/clock.ts";
import { type Fault, fault, Skipped } from "./support/fault.ts";
import { preload } from "./support/preload.ts";
import { rivals } from "./support/rivals.ts";
import { Pinned } from "./support/pinned.ts";
import { LONG, SharedGroup, startCluster } from "./support/shared_group.ts";

const DAY = 86_400;
/** How far the dates of the nodes are ahead, s. */
const NODES = { n1: 2 * DAY, n2: -DAY, n3: 0 };
/** How far the dates of the servers may be ahead, s. */
const DATES = [-DAY, 0, DAY];
/** Messages that two holders share before the former one wakes. */
const MEANWHILE = 10;

await fault(async (fault) => {
  const problem = availablePostgres();
  if (problem) throw new Skipped(problem);
  const env = preload(fault, "clock");
  chmodSync(fault.folder, 0o755); // The account of PostgreSQL reads the clocks.
  const clocks = DATES.map((ahead, i) => {
    const clock = new Clock(fault, `server ${i + 1}`);
    clock.set(ahead);
    return clock;
  });
  const cluster = await startCluster(fault, {
    nodes: 3,
    place: (name) => {
      const clock = new Clock(fault, name);
      clock.set(NODES[name as keyof typeof NODES]);
      return { env: { ...env, ZG_CLOCK: clock.file } };
    },
  });
  await rivals(fault, cluster.url, fault.size(100, 2_000));
  const group = await SharedGroup.start(fault, {
    cluster,
    places: clocks.map(({ file }) => ({ env: { ...env, ZG_CLOCK: file } })),
  });
  const lags = new Map<Clock, number>();
  for (let i = 0; i < fault.size(1, 10) && !fault.isOver; i++) {
    await otherDates(fault, group, clocks);
    await believing(fault, group, clocks, lags);
    await behind(fault, group);
  }
  await group.audit();
});

/** The dates jump; then a server with another date holds, and a node with another one is the primary. */
async function otherDates(
  fault: Fault,
  group: SharedGroup,
  clocks: readonly Clock[],
): Promise<void> {
  await group.talk();
  for (const clock of clocks) clock.set(DATES[fault.int(0, DATES.length)]);
  fault.count("jumps", clocks.length);
  await group.talk();
  const { holder, cluster } = group;
  await holder.kill();
  await group.answered();
  await holder.start();
  await group.settled();
  const { primary } = cluster;
  await primary.kill();
  const next = await cluster.failOver();
  await group.answered();
  await primary.follow(next);
  await next.hasStandbys(2);
  await group.settled();
}

/** The holder sleeps while another one takes over, and for its clock no time goes by. */
async function believing(
  fault: Fault,
  group: SharedGroup,
  clocks: readonly Clock[],
  lags: Map<Clock, number>,
): Promise<void> {
  await group.talk();
  const { holder, servers } = group;
  const clock = clocks[servers.indexOf(holder)];
  const begin = performance.now();
  holder.pause();
  await until(() => group.holder !== holder, LONG, "another server to take over");
  await group.talk(MEANWHILE);
  lags.set(clock, (lags.get(clock) ?? 0) + performance.now() - begin);
  clock.lag(lags.get(clock)!);
  holder.resume();
  fault.count("two_holders");
  await until(() => holder.part === "follows", LONG, "the former holder to follow");
  await group.answered();
}

/** A relay sleeps while much is said. */
async function behind(fault: Fault, group: SharedGroup): Promise<void> {
  const entries = fault.size(20_000, 300_000);
  const { holder, relays: [relay] } = group;
  relay.pause();
  await group.flood(holder.address, entries);
  fault.count("behind", entries);
  // Who comes first is served while it reads what it lacks.
  const first = new Pinned(fault, relay.address, group.ledger, () => 0);
  const begin = performance.now();
  relay.resume();
  first.start();
  await until(() => first.sent > 1, LONG, "the relay to serve again");
  fault.figure("behind_ms", performance.now() - begin);
  await first.stop();
  await group.settled();
}
