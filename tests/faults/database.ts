/**
 * A group of three servers whose database loses its primary or its standbys: they are killed, stand
 * still, are promoted, and started again by mistake; waits for them are cancelled. What was
 * acknowledged is in every node; while no standby has what is written nothing is acknowledged.
 */

import { setTimeout } from "node:timers/promises";
import { percentile } from "../support/percentile.ts";
import type { PostgresNode } from "../support/postgres.ts";
import { type Fault, fault } from "./support/fault.ts";
import { SharedGroup } from "./support/shared_group.ts";

/** A message is acknowledged again within this after a promotion, ms. */
const PROMOTED_WITHIN = 5_000;
/** The role that the servers are in the database. */
const ROLE = "zgroup";
/** How long both standbys hang, ms: longer than a server waits for its database. */
const HANGING = 7_000;
/** What a standby had before is acknowledged within this, ms. */
const UNDER_WAY = 1_000;
/** Between two rounds of cancelling what waits, ms. */
const CANCEL_EVERY = 500;

interface Scene {
  readonly fault: Fault;
  readonly group: SharedGroup;
  /** How long it took after promotions, ms: where the old primary was gone, and where it hung. */
  readonly promoted: number[];
  readonly hung: number[];
}

/** What happens to the database; it is whole when each resolves. */
const HURTS = {
  // Then it is started again by mistake: it believes to be the primary, and has no standby.
  primary_killed: async (scene) => {
    const { fault, group, group: { cluster } } = scene;
    const old = cluster.primary;
    await old.kill();
    const next = await failOver(scene, scene.promoted);
    await old.start();
    await group.talk();
    if (!fault.full || fault.int(0, 4) === 0) {
      // Who looks for the database now finds two.
      const { holder } = group;
      await holder.kill();
      await group.answered();
      await holder.start();
      await group.settled();
      await group.talk();
    }
    await whole(scene, old, next);
  },
  primary_stopped: async (scene) => {
    const { fault, group: { cluster } } = scene;
    const old = cluster.primary;
    old.pause();
    const next = await failOver(scene, scene.hung);
    await setTimeout(fault.random(0, 4_000));
    old.resume();
    await scene.group.talk();
    await whole(scene, old, next);
  },
  standby_killed: async ({ group, fault }) => {
    const standby = (await group.cluster.byLsn())[fault.int(0, 2)];
    await standby.kill();
    await group.answered();
    await standby.start();
    await group.cluster.primary.hasStandbys(2);
  },
  standby_stopped: async ({ group, fault }) => {
    const standby = (await group.cluster.byLsn())[fault.int(0, 2)];
    standby.pause();
    await group.answered();
    await setTimeout(fault.random(0, 4_000));
    standby.resume();
  },
  standbys_killed: async ({ group, fault }) => {
    const standbys = await group.cluster.byLsn();
    await Promise.all(standbys.map((node) => node.kill()));
    await silent(group, fault);
    await Promise.all(standbys.map((node) => node.start()));
    await group.answered();
  },
  // The role's own settings, and an operator's hand, end what waits for the standbys.
  waits_cancelled: async ({ group, fault }) => {
    const { cluster, cluster: { primary } } = group;
    await primary.query(`ALTER ROLE ${ROLE} SET statement_timeout = '300ms'`);
    await primary.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`,
    );
    await group.answered();
    const standbys = await cluster.byLsn();
    for (const node of standbys) node.pause();
    await silent(group, fault, () => cancel(primary, fault));
    for (const node of standbys) node.resume();
    await group.answered();
    await primary.query(`ALTER ROLE ${ROLE} RESET statement_timeout`);
  },
  // What the primary alone had when it died must be nobody's loss.
  cancelled_and_killed: async (scene) => {
    const { group, fault, group: { cluster } } = scene;
    const old = cluster.primary;
    const standbys = await cluster.byLsn();
    for (const node of standbys) node.pause();
    await silent(group, fault, () => cancel(old, fault));
    await old.kill();
    for (const node of standbys) node.resume();
    await whole(scene, old, await failOver(scene, scene.promoted));
  },
} satisfies Record<string, (scene: Scene) => Promise<void>>;
type Hurt = keyof typeof HURTS;

const SMALL: readonly Hurt[] = [
  "primary_killed",
  "standby_killed",
  "waits_cancelled",
  "primary_stopped",
  "cancelled_and_killed",
];
/** How often each is done in a full run. */
const FULL: Readonly<Record<Hurt, number>> = {
  primary_killed: 100,
  primary_stopped: 20,
  standby_killed: 100,
  standby_stopped: 20,
  standbys_killed: 10,
  waits_cancelled: 10,
  cancelled_and_killed: 10,
};

await fault(async (fault) => {
  const group = await SharedGroup.start(fault);
  const scene: Scene = { fault, group, promoted: [], hung: [] };
  const { promoted, hung } = scene;
  for (const hurt of fault.full ? anyOrder(fault) : SMALL) {
    if (fault.isOver) break;
    await group.settled();
    await group.talk();
    await setTimeout(fault.random(0, 500));
    const begin = performance.now();
    await HURTS[hurt](scene);
    fault.count(hurt);
    console.log(`${hurt}: whole again after ${Math.round(performance.now() - begin)} ms`);
  }
  for (const [what, times] of Object.entries({ promoted, hung })) {
    fault.figure(`${what}_ms_p50`, percentile(times, 0.5));
    fault.figure(`${what}_ms_max`, Math.max(...times));
  }
  fault.bound(Math.max(...promoted) <= PROMOTED_WITHIN, "too late after a promotion");
  fault.bound(Math.max(...hung) <= PROMOTED_WITHIN, "too late where the primary hung");
  await group.audit();
});

function anyOrder(fault: Fault): Hurt[] {
  const plan = Object.entries(FULL).flatMap(([hurt, times]) =>
    Array<Hurt>(times).fill(hurt as Hurt)
  );
  for (let i = plan.length - 1; i > 0; i--) {
    const j = fault.int(0, i + 1);
    [plan[i], plan[j]] = [plan[j], plan[i]];
  }
  return plan;
}

/** The primary is gone: the best standby is promoted, as an operator does it. */
async function failOver({ group }: Scene, times: number[]): Promise<PostgresNode> {
  const next = await group.cluster.failOver();
  const ms = await group.answered();
  times.push(ms);
  console.log(`acknowledged ${Math.round(ms)} ms after the promotion`);
  return next;
}

/** The old primary becomes a standby of the new one. */
async function whole({ group }: Scene, old: PostgresNode, next: PostgresNode): Promise<void> {
  await old.follow(next);
  await next.hasStandbys(2);
  await group.settled();
}

/** Nothing is acknowledged while no standby has it. */
async function silent(
  { ledger }: SharedGroup,
  fault: Fault,
  disturb: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await setTimeout(UNDER_WAY);
  const { acked } = ledger;
  const end = performance.now() + HANGING;
  while (performance.now() < end) {
    await disturb();
    await setTimeout(CANCEL_EVERY);
  }
  const more = ledger.acked - acked;
  fault.expect(more === 0, `acknowledged what no standby has: ${more} messages`);
}

/** Cancels each wait for a standby. */
async function cancel(primary: PostgresNode, fault: Fault): Promise<void> {
  const cancelled = await primary.query(
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'",
  );
  fault.count("cancelled", cancelled.length);
}
