/** A log whose commits wait for a standby: no wait that ends otherwise is an acknowledgement. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LogAway } from "../../lib/errors.ts";
import { until } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { append, Writer } from "./log_support.ts";
import { isPending, SharedLog, someWait, wholeLog } from "./postgres_support.ts";

const skip = availablePostgres();

/** Ends each wait of a commit for a standby, as `pg_cancel_backend` of an operator does. */
const CANCEL_WAITS = `SELECT pg_cancel_backend(pid) AS done FROM pg_stat_activity
  WHERE wait_event = 'SyncRep' AND usename = 'zgroup'`;

test("postgres log: a wait that is cancelled is no acknowledgement", { skip }, async () => {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  const [primary, ...standbys] = cluster.nodes;
  await using one = new SharedLog(cluster);
  await one.claim();
  const writer = new Writer();
  await append(one.log, writer.many(3));
  for (const node of standbys) node.pause();
  const appended = append(one.log, writer.many(4));
  for (let round = 0; round < 3; round++) {
    await someWait(primary);
    const cancelled = await primary.query(CANCEL_WAITS);
    assert.ok(cancelled.length > 0);
    await until(
      async () => (await primary.query(CANCEL_WAITS)).length > 0,
      10_000,
      "it makes sure on another connection",
    );
    assert.ok(await isPending(appended), "nothing is acknowledged");
  }
  standbys[0].resume();
  const [answered] = await appended;
  assert.equal(answered.first, 4);
  await append(one.log, writer.many(1));
  await wholeLog(cluster, 8);
  const lost = "did not wait for a standby";
  assert.ok(one.warnings.some((text) => text.includes(lost)), one.warnings.join("\n"));
  standbys[1].resume();
});

test("postgres log: time-outs of the role end no commit", { skip }, async () => {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  const [primary, ...standbys] = cluster.nodes;
  const limits = ["statement_timeout", "lock_timeout", "idle_session_timeout"];
  for (const name of limits) await primary.query(`ALTER ROLE zgroup SET ${name} = '100ms'`);
  await primary.query("ALTER ROLE zgroup SET client_min_messages = 'error'");
  await using one = new SharedLog(cluster);
  await one.claim();
  await append(one.log, new Writer().many(1));
  for (const node of standbys) node.pause();
  const appended = append(one.log, new Writer(2).many(1));
  await someWait(primary);
  const began = performance.now();
  await until(() => performance.now() - began > 1_000, 5_000, "ten times the limit");
  assert.ok(await isPending(appended));
  for (const node of standbys) node.resume();
  await appended;
  await until(() => performance.now() - began > 1_500, 5_000, "it was idle for long");
  await append(one.log, new Writer(3).many(1));
  assert.deepEqual(one.warnings, []);
  await wholeLog(cluster, 3);
});

test("postgres log: nothing is acknowledged without a standby, and then all goes on", {
  skip,
}, async () => {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  const [primary, ...standbys] = cluster.nodes;
  await using one = new SharedLog(cluster);
  await one.claim();
  const writer = new Writer();
  await append(one.log, writer.many(2));
  for (const node of standbys) await node.stop();
  const appended = append(one.log, writer.many(2));
  const began = performance.now();
  await until(() => one.warnings.length > 0, 30_000, "it is tried again");
  assert.ok(performance.now() - began >= 5_000);
  assert.ok(await isPending(appended));
  await assert.rejects(one.share.renew(), LogAway);
  // However often it is tried, few backends wait that nobody waits for.
  const backends = "SELECT 1 FROM pg_stat_activity WHERE usename = 'zgroup'";
  assert.ok((await primary.query(backends)).length <= 8);
  await standbys[0].start();
  await appended;
  await one.share.renew();
  await append(one.log, writer.many(1));
  await wholeLog(cluster, 5);
});
