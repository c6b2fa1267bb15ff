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
  /** Notes how long it took after a promotion, ms. */
  back(ms: number): void;
}

/** What happens to the database; it is whole when each resolves. */
const HURTS = {
  primary_killed: async (scene) => {
    const { group: { cluster } } = scene;
    const old = cluster.primary;
    await old.kill();
    const next = await promoted(scene);
    await old.start(); // By mistake: it believes to be the primary, and its standbys are gone.
    await scene.group.talk();
    await whole(scene, old, next);
  },
  primary_stopped: async (scene) => {
    const { fault, group: { cluster } } = scene;
    const old = cluster.primary;
    old.pause();
    const next = await promoted(scene);
    await setTimeout(fault.random(0, 4_000));
    old.resume();
    await scene.group.talk();
    await whole(scene, old, next);
  },
  // The servers find the old primary, too, when they look for the database.
  two_primaries: async (scene) => {
    const { group, group: { cluster } } = scene;
    const old = cluster.primary;
    await old.kill();
    const next = await promoted(scene);
    await old.start();
    const { holder } = group;
    await holder.kill();
    await group.answered();
    await holder.start();
    await group.settled();
    await group.talk();
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
    await silent(group, fault, () => Promise.resolve());
    await Promise.all(standbys.map((node) => node.start()));
    await group.answered();
  },
  waits_cancelled: async ({ group, fault }) => {
    const standbys = await group.cluster.byLsn();
    for (const node of standbys) node.pause();
    await silent(group, fault, () => cancel(group.cluster.primary, fault));
    for (const node of standbys) node.resume();
    await group.answered();
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
    await whole(scene, old, await promoted(scene));
  },
  statement_timeout: async ({ group, fault }) => {
    const { primary } = group.cluster;
    await primary.query(`ALTER ROLE ${ROLE} SET statement_timeout = '300ms'`);
    await primary.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ROLE}'`,
    );
    await group.answered();
    const standbys = await group.cluster.byLsn();
    for (const node of standbys) node.pause();
    await silent(group, fault, () => Promise.resolve());
    for (const node of standbys) node.resume();
    await group.answered();
    await primary.query(`ALTER ROLE ${ROLE} RESET statement_timeout`);
  },
} satisfies Record<string, (scene: Scene) => Promise<void>>;
type Hurt = keyof typeof HURTS;

/** How often each is done in a full run; what is not named here, 10 times. */
const FULL: Partial<Record<Hurt, number>> = {
  primary_killed: 100,
  standby_killed: 100,
  primary_stopped: 25,
  standby_stopped: 25,
};

await fault(async (fault) => {
  const group = await SharedGroup.start(fault);
  const promotions: number[] = [];
  const scene: Scene = { fault, group, back: (ms) => promotions.push(ms) };
  for (const hurt of planOf(fault)) {
    await group.settled();
    await group.talk();
    await setTimeout(fault.random(0, 500));
    await HURTS[hurt](scene);
    fault.count(hurt);
  }
  fault.figure("promoted_ms_p50", percentile(promotions, 0.5));
  fault.figure("promoted_ms_max", Math.max(...promotions));
  fault.bound(Math.max(...promotions) <= PROMOTED_WITHIN, "too late after a promotion");
  await group.audit();
});

/** Each once, or as often as a full run does, in any order. */
function planOf(fault: Fault): Hurt[] {
  const hurts = Object.keys(HURTS) as Hurt[];
  const plan = hurts.flatMap((hurt) => Array<Hurt>(fault.full ? FULL[hurt] ?? 10 : 1).fill(hurt));
  for (let i = plan.length - 1; i > 0; i--) {
    const j = fault.int(0, i + 1);
    [plan[i], plan[j]] = [plan[j], plan[i]];
  }
  return plan;
}

/** The primary is gone: the best standby is promoted, as an operator does it. */
async function promoted({ group, back }: Scene): Promise<PostgresNode> {
  const next = await group.cluster.failOver();
  back(await group.answered());
  return next;
}

/** The old primary becomes a standby of the new one. */
async function whole(
  { group }: Scene,
  old: PostgresNode,
  next: PostgresNode,
): Promise<void> {
  await old.follow(next);
  await next.hasStandbys(2);
  await group.settled();
}

/** Nothing is acknowledged while no standby has it. */
async function silent(
  { ledger }: SharedGroup,
  fault: Fault,
  disturb: () => Promise<void>,
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
