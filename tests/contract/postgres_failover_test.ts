/** A log over a primary and two synchronous standbys: what was acknowledged stays when servers go. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LogUnsafe } from "../../lib/errors.ts";
import { until } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { append, Writer } from "./log_support.ts";
import { appending, isPending, SharedLog, someWait, wholeLog } from "./postgres_support.ts";

const skip = availablePostgres();

test("postgres log: nothing that was acknowledged is lost with the primary", { skip }, async () => {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  await using one = new SharedLog(cluster);
  await one.claim();
  const appends = appending(one.log);
  for (let round = 0; round < 2; round++) {
    await appends.goesOn();
    const { primary } = cluster;
    await primary.kill();
    const next = await cluster.failOver();
    const began = performance.now();
    await appends.goesOn();
    assert.ok(performance.now() - began < 5_000, `${performance.now() - began} ms`);
    await primary.follow(next);
    await next.hasStandbys(2);
  }
  await wholeLog(cluster, await appends.stop());
});

test(
  "postgres log: a primary that hangs is none, and stays none when it is back",
  {
    skip,
  },
  async () => {
    await using cluster = await PostgresCluster.start({ nodes: 3 });
    const [former] = cluster.nodes;
    await using one = new SharedLog(cluster);
    await one.claim();
    const appends = appending(one.log);
    await appends.goesOn();
    former.pause();
    const next = await cluster.failOver();
    await appends.goesOn();
    // It was not waited for longer than until another was seen to be the primary.
    assert.match(one.warnings.join(), /did not answer, and another is the primary now/);
    // Awake again it still takes itself for the primary, and stands first in the URL.
    former.resume();
    await appends.goesOn();
    await using other = new SharedLog(cluster);
    const known = appends.acknowledged;
    const { head } = await other.share.follow();
    assert.ok(head >= known, `${head} of ${known}`);
    // With the primary gone again it is asked, and can make nothing durable.
    next.pause();
    await someWait(former);
    const { acknowledged } = appends;
    next.resume();
    await appends.goesOn();
    assert.ok(appends.acknowledged > acknowledged);
    await wholeLog(cluster, await appends.stop());
  },
);

test("postgres log: a promoted standby that would acknowledge alone is refused", {
  skip,
}, async () => {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  const [former, next, third] = cluster.nodes;
  await using one = new SharedLog(cluster);
  await one.claim();
  await append(one.log, new Writer().many(1));
  await former.kill();
  await next.promote();
  const refused = (error: unknown) => {
    assert.ok(error instanceof LogUnsafe, String(error));
    assert.match(
      error.message,
      / has no synchronous_standby_names.*set synchronous_standby_names/,
    );
    assert.match(error.message, new RegExp(`${next.address} `));
    return true;
  };
  await assert.rejects(one.share.lease(), refused);
  const appended = append(one.log, new Writer(2).many(1));
  await until(() => one.warnings.length > 0, 10_000, "it is told");
  assert.match(one.warnings[0], /^Cannot append to .*/);
  assert.ok(await isPending(appended));
  await third.follow(next);
  await next.conf("synchronous_standby_names", `ANY 1 (${third.name})`);
  await appended;
  // A server that is set so while it is used is refused from then on.
  await one.share.renew();
  await next.conf("synchronous_standby_names", "");
  await assert.rejects(one.share.renew(), refused);
  await next.conf("synchronous_standby_names", `ANY 1 (${third.name})`);
  await one.share.renew();
  await append(one.log, new Writer(3).many(1));
  await wholeLog(cluster, 3);
});
