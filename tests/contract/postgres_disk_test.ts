/** A database whose disk is full, or would not notice damage. */

import assert from "node:assert/strict";
import { chownSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DiskFull, LogDamaged } from "../../lib/errors.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { account, run } from "../support/postgres_programs.ts";
import { fill, SmallDisk } from "../support/small_disk.ts";
import { append, firsts, powerOf, Writer } from "./log_support.ts";
import { SharedLog } from "./postgres_support.ts";

const skip = availablePostgres();

test("postgres log: a full disk keeps nothing of a commit, and the log goes on with room", {
  skip,
}, async (context) => {
  await using cluster = await PostgresCluster.start();
  const [node] = cluster.nodes;
  await using disk = new SmallDisk(join(cluster.folder, "small"), "8m");
  if (disk.problem) return context.skip(disk.problem);
  chownSync(disk.path, account().uid!, account().gid!); // Who mounts is root.
  await using one = new SharedLog(cluster, { singleCopy: true });
  await one.claim();
  await node.query(`CREATE TABLESPACE small LOCATION '${disk.path}'`);
  await node.query("ALTER TABLE zgroup.batch SET TABLESPACE small", "zgroup");
  await append(one.log, new Writer().many(2));
  const rest = fill(disk.path, "rest");
  const random = () => Array.from({ length: 40 }, () => Math.random().toString(36)).join("");
  let head = 2;
  const full = async () => {
    for (;;) {
      await append(one.log, new Writer(head + 1).many(256, { text: random() }));
      head += 256;
    }
  };
  await assert.rejects(full(), DiskFull);
  await assert.rejects(append(one.log, new Writer(head + 1).many(256)), DiskFull);
  assert.ok((await firsts(one.log, {})).length > 0, "it is read");
  rmSync(rest);
  await append(one.log, new Writer(head + 1).many(256, { text: random() }));
  assert.deepEqual(one.warnings, []);
  assert.equal((await powerOf(one.log, "verify")()).head, head + 256);
});

test("postgres log: who would find damage late is told once", { skip }, async () => {
  await using cluster = await PostgresCluster.start();
  const [node] = cluster.nodes;
  await node.stop();
  await run("pg_checksums", ["--disable", "--no-sync", "-D", node.data]);
  await node.start();
  await using one = new SharedLog(cluster, { singleCopy: true });
  await one.claim();
  await append(one.log, new Writer().many(1));
  await one.log.read({});
  assert.equal(one.warnings.length, 1);
  assert.match(one.warnings[0], /has no data_checksums: .*; pg_checksums --enable adds them/);
});

test("postgres log: a row that is not what was written is found, and never served", {
  skip,
}, async () => {
  await using cluster = await PostgresCluster.start();
  const { primary } = cluster;
  // What is done to it, and the entry that a start and a whole check name; 0: the log as a whole.
  const changes: [string, number, number][] = [
    ["UPDATE zgroup.batch SET json = replace(json, 'text 5', 'text 6') WHERE first = 4", 5, 5],
    ["UPDATE zgroup.batch SET hash = hash || hash WHERE first = 4", 4, 4],
    ["DELETE FROM zgroup.batch WHERE first = 1", 1, 1],
    ["DELETE FROM zgroup.batch WHERE first = 4", 0, 4],
    ["UPDATE zgroup.member SET json = '\"2\"'", 0, 0],
    ["DELETE FROM zgroup.value", 0, 0],
    ["UPDATE zgroup.log SET head = 3", 0, 0],
    ["UPDATE zgroup.log SET tail = 4", 0, 0],
  ];
  for (const [i, [change, atStart, inAll]] of changes.entries()) {
    const group = `group ${i}`;
    await using one = new SharedLog(cluster, { group, singleCopy: true });
    await one.claim();
    const writer = new Writer();
    const members = [{ user: "u", json: "1" }];
    await one.log.append(0, { batches: [writer.many(3)], members, values: { a: "b" } });
    await append(one.log, writer.many(3));
    const own = "grp = (SELECT max(id) FROM zgroup.grp)";
    await primary.query(
      `${change}${change.includes("WHERE") ? " AND" : " WHERE"} ${own}`,
      "zgroup",
    );
    await using other = new SharedLog(cluster, { group, singleCopy: true });
    const damaged = (seq: number) => (error: unknown) => {
      assert.ok(error instanceof LogDamaged, `${change}: ${error}`);
      assert.equal(error.seq, seq, change);
      assert.ok(!error.message.includes(cluster.password));
      return true;
    };
    await assert.rejects(other.share.follow(), damaged(atStart));
    await assert.rejects(powerOf(one.log, "verify")(), damaged(inAll));
    if (atStart > 0) await assert.rejects(one.log.read({}), damaged(atStart));
  }
});
