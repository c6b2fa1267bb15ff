/**
 * A log over a primary and two synchronous standbys, without the group above it: servers of the
 * database are killed, paused and promoted, waits cancelled, connections ended, and two holders both
 * believe to be the one. What was acknowledged is there, once, in one whole chain.
 */

import { setTimeout } from "node:timers/promises";
import { append, Writer } from "../contract/log_support.ts";
import { until } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { type Fault, fault, Skipped } from "./support/fault.ts";
import { Audit, Holder } from "./support/postgres_audit.ts";

/** Appends go on within this after the last fault of a round, ms: a defect reaches it only. */
const GOES_ON = 60_000;
/** How long nothing may be acknowledged while no standby is there, ms. */
const LOOKS = 1_500;

const WAITING = "FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND usename = 'zgroup'";
const CANCEL = `SELECT pg_cancel_backend(pid) ${WAITING}`;
const TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'zgroup'";

await fault(async (fault) => {
  const why = availablePostgres();
  if (why) throw new Skipped(why);
  const cluster = await PostgresCluster.start({ nodes: 3 });
  fault.onClose(() => cluster.close());
  const audit = new Audit(fault, cluster);
  await fenced(fault, audit);
  await cancelled(fault, cluster, audit);
  await crashedAlone(fault, cluster, audit);
  await anything(fault, cluster, audit);
  await audit.check();
});

/** Of two that both believe to hold the log, the former one changes nothing. */
async function fenced(fault: Fault, audit: Audit): Promise<void> {
  for (let i = 0; i < fault.size(5, 50); i++) {
    const [former, next] = [audit.open(), audit.open()];
    const seen = await former.share.claim(await former.share.lease(), "former:1");
    const writer = new Writer(seen!.head + 1);
    audit.add(await append(former.log, writer.many(3)));
    await next.share.claim(await next.share.lease(), "next:1");
    const late = writer.many(2);
    const outcome = await append(former.log, late).then(() => "acknowledged", ({ name }) => name);
    fault.expect(outcome === "Fenced", `the former holder's append: ${outcome}`);
    const own = new Writer(late.first).many(1);
    audit.add(
      await append(next.log, own).catch((error) => {
        fault.expect(false, `the holder's append: ${error.message}`);
        return [];
      }),
    );
    await former.log.close();
    await next.log.close();
    fault.count("fenced");
  }
}

/** With no standby there, and its wait cancelled, nothing is acknowledged; later it is there once. */
async function cancelled(fault: Fault, cluster: PostgresCluster, audit: Audit): Promise<void> {
  const { log, share } = audit.open();
  const start = await share.claim(await share.lease(), "h:1");
  const writer = new Writer(start!.head + 1);
  const { primary } = cluster;
  const standbys = cluster.nodes.filter((node) => node !== primary);
  for (let i = 0; i < fault.size(2, 20); i++) {
    for (const node of standbys) node.pause();
    let answered = false;
    const appended = append(log, writer.many(5)).then((batches) => {
      answered = true;
      audit.add(batches);
    });
    await until(async () => (await primary.query(CANCEL)).length > 0, GOES_ON, "a commit waits");
    for (const end = performance.now() + LOOKS; performance.now() < end;) {
      await primary.query(CANCEL);
      await setTimeout(20);
    }
    fault.expect(!answered, "a cancelled wait is taken for an acknowledgement");
    for (const node of standbys) node.resume();
    await appended;
    fault.count("cancelled");
  }
  await log.close();
}

/** What a primary shows after a crash, and no standby has, is neither acknowledged nor read. */
async function crashedAlone(fault: Fault, cluster: PostgresCluster, audit: Audit): Promise<void> {
  const { log, share } = audit.open();
  const start = await share.claim(await share.lease(), "h:1");
  const { primary } = cluster;
  const standbys = cluster.nodes.filter((node) => node !== primary);
  for (const node of standbys) node.pause();
  let answered = false;
  const appended = append(log, new Writer(start!.head + 1).many(5)).then((batches) => {
    answered = true;
    audit.add(batches);
  });
  const waits = async () => (await primary.query(`SELECT 1 ${WAITING}`)).length > 0;
  await until(waits, GOES_ON, "a commit waits");
  await primary.kill();
  await primary.start();
  const reader = audit.open();
  const read = reader.share.follow().then(({ head }) => head, () => undefined);
  const head = await Promise.race([read, setTimeout(LOOKS)]);
  fault.expect(head === undefined, `a reader is shown entry ${head}, which is on one disk`);
  fault.expect(!answered, "what is on one disk is acknowledged");
  for (const node of standbys) node.resume();
  await appended;
  await read;
  await primary.hasStandbys(2);
  await reader.log.close();
  await log.close();
  fault.count("crashed alone");
}

/** Whatever can happen, in any order, while a server appends. */
async function anything(fault: Fault, cluster: PostgresCluster, audit: Audit): Promise<void> {
  let holder = await Holder.take(fault, audit);
  const former: Holder[] = [];
  const goesOn = async () => {
    const before = audit.size;
    await until(() => audit.size > before + 20, GOES_ON, "appends go on");
  };
  const isBack = async () => {
    const { primary } = cluster;
    for (const node of cluster.nodes) {
      if (node === primary) continue;
      if (node.paused) node.resume();
      await node.follow(primary);
    }
    await primary.hasStandbys(2);
  };
  const faults: Readonly<Record<string, () => Promise<void>>> = {
    async kills() {
      const { primary } = cluster;
      await primary.kill();
      const next = await cluster.failOver();
      await goesOn();
      await primary.follow(next);
      await next.hasStandbys(2);
    },
    async pauses() {
      const { primary } = cluster;
      primary.pause();
      if (fault.int(0, 2) === 0) await cluster.failOver();
      else await setTimeout(fault.random(10, 200));
      primary.resume();
      await isBack();
    },
    async crashes() {
      const { primary } = cluster;
      await primary.kill();
      await primary.start();
      await primary.hasStandbys(2);
    },
    async terminates() {
      for (let i = fault.int(1, 10); i > 0; i--) {
        await cluster.primary.query(TERMINATE);
        await setTimeout(fault.random(0, 50));
      }
    },
    async cancels() {
      const { primary } = cluster;
      for (const node of cluster.nodes) if (node !== primary) node.pause();
      for (let i = fault.int(1, 10); i > 0; i--) await primary.query(CANCEL);
      await isBack();
    },
    async steals() {
      former.push(holder);
      holder = await Holder.take(fault, audit);
    },
  };
  const rounds = fault.size(8, 150);
  const names = Object.keys(faults);
  for (let i = 0; i < rounds; i++) {
    const name = i < names.length ? names[i] : names[fault.int(0, names.length)];
    await setTimeout(fault.random(0, 100));
    await faults[name]();
    await goesOn();
    fault.count(name);
  }
  for (const one of [holder, ...former]) await one.stop();
}
