/**
 * Three servers of one group over three nodes of PostgreSQL, under members at each: at random moments
 * the holder or a relay is killed, or stands still and goes on. What was acknowledged is there, once,
 * at every server and in every node of the database; nobody is answered with less than was
 * acknowledged before; the group goes on.
 */

import { setTimeout } from "node:timers/promises";
import { until } from "../support.ts";
import { percentile } from "../support/percentile.ts";
import { type Fault, fault } from "./support/fault.ts";
import type { ServerProcess } from "./support/server_process.ts";
import { LONG, SharedGroup, startCluster } from "./support/shared_group.ts";

/** Groups that are hurt side by side in a full run: most of the time each waits. */
const LANES = 3;
/** A message is acknowledged again within this after the holder is gone, ms: at most, and half of them. */
const RESUMES_WITHIN = 10_000;
const RESUMES_HALF = 7_000;
/** How long a server stands still, ms: until another took over, or less than that. */
const STILL = [1_000, 12_000] as const;

/** What happens to which server; resolves when it is as before. */
const HURTS = {
  holder_killed: (group, back) => killed(group, group.holder, back),
  relay_killed: (group, back, fault) => killed(group, anyOf(group.relays, fault), back),
  holder_stopped: (group, back, fault) => stopped(group, group.holder, back, fault),
  relay_stopped: (group, back, fault) => stopped(group, anyOf(group.relays, fault), back, fault),
} satisfies Record<
  string,
  (group: SharedGroup, back: (ms: number) => void, fault: Fault) => Promise<void>
>;
type Hurt = keyof typeof HURTS;

/** What is done to each group in a small run. */
const SMALL: readonly Hurt[] = [
  "holder_killed",
  "relay_stopped",
  "holder_stopped",
  "relay_killed",
  "holder_killed",
];
/** How often each is done in a full run. */
const EACH = 100;

await fault(async (fault) => {
  const cluster = await startCluster(fault);
  const back = Object.fromEntries(
    Object.keys(HURTS).map((hurt) => [hurt, [] as number[]]),
  ) as Record<Hurt, number[]>;
  const plan = fault.full
    ? Array.from({ length: EACH }, () => Object.keys(HURTS) as Hurt[]).flat()
    : SMALL;
  const lanes = Array.from({ length: fault.size(1, LANES) }, async (_, lane) => {
    const group = await SharedGroup.start(fault, { name: `Lab ${lane + 1}`, cluster });
    for (const [i, hurt] of plan.entries()) {
      if (fault.isOver) break;
      if (i % fault.size(1, LANES) !== lane) continue;
      await group.talk();
      await setTimeout(fault.random(0, 500));
      await HURTS[hurt](group, (ms) => back[hurt].push(ms), fault);
      fault.count(hurt);
      await group.settled();
    }
    await group.audit();
  });
  await Promise.all(lanes);
  for (const [hurt, times] of Object.entries(back)) {
    fault.figure(`${hurt}_ms_p50`, percentile(times, 0.5));
    fault.figure(`${hurt}_ms_max`, Math.max(...times));
    fault.bound(Math.max(...times) <= RESUMES_WITHIN, `${hurt}: too late for one`);
    fault.bound(percentile(times, 0.5) <= RESUMES_HALF, `${hurt}: too late for half`);
  }
});

function anyOf(servers: readonly ServerProcess[], fault: Fault): ServerProcess {
  return servers[fault.int(0, servers.length)];
}

async function killed(
  group: SharedGroup,
  server: ServerProcess,
  back: (ms: number) => void,
): Promise<void> {
  await server.kill();
  back(await group.answered());
  await server.start();
}

/** It stands still; who held the group and was replaced follows when it goes on. */
async function stopped(
  group: SharedGroup,
  server: ServerProcess,
  back: (ms: number) => void,
  fault: Fault,
): Promise<void> {
  const { holder } = group;
  const end = performance.now() + fault.random(...STILL);
  server.pause();
  back(await group.answered());
  await setTimeout(Math.max(0, end - performance.now()));
  server.resume();
  if (group.holder !== holder) {
    await until(() => holder.part === "follows", LONG, "the former holder to follow");
  }
}
