/** The servers of PostgreSQL that other tests use: what they do when they are paused, killed, promoted. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { until } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { Process } from "../support/process.ts";

const skip = availablePostgres();

test("postgres cluster: the role owns its database and nothing else", { skip }, async () => {
  await using cluster = await PostgresCluster.start();
  assert.deepEqual(await said(cluster.url, "SELECT current_user AS who"), [{ who: "zgroup" }]);
  await said(cluster.url, "CREATE SCHEMA of_its_own");
  await assert.rejects(said(cluster.url, "CREATE ROLE other"), { code: "42501" });
  const wrong = cluster.url.replace(cluster.password, "wrong");
  await assert.rejects(said(wrong, "SELECT 1"), { code: "28P01" });
  const names = ["fsync", "full_page_writes", "data_checksums", "synchronous_commit"];
  for (const name of names) {
    assert.deepEqual(await said(cluster.url, `SHOW ${name}`), [{ [name]: "on" }]);
  }
});

test("postgres cluster: a commit is on a standby, and stays when the primary is gone", {
  skip,
}, async () => {
  await using cluster = await PostgresCluster.start({ nodes: 3 });
  const [first, second, third] = cluster.nodes;
  await first.query("CREATE TABLE kept (n int)");
  third.pause();
  await first.query("INSERT INTO kept VALUES (1)"); // with the other one
  second.pause();
  const hanging = first.query("INSERT INTO kept VALUES (2)");
  const waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  await until(async () => (await first.query(waits)).length === 1, 10_000, "the commit waits");
  third.resume();
  await hanging;
  second.resume();
  await first.kill();
  const next = await cluster.failOver();
  assert.equal(cluster.primary, next);
  assert.deepEqual(await next.query("SELECT n FROM kept ORDER BY n"), [{ n: 1 }, { n: 2 }]);
  await first.follow(next);
  await next.hasStandbys(2);
  const [other] = cluster.nodes.filter((node) => node !== first && node !== next);
  await other.stop();
  await next.query("INSERT INTO kept VALUES (3)"); // with the one that was the primary
  assert.equal((await first.query("SELECT 1 FROM kept")).length, 3);
  assert.deepEqual(await said(cluster.url, "SHOW synchronous_standby_names", "primary"), [
    { synchronous_standby_names: `ANY 1 (${first.name}, ${other.name})` },
  ]);
});

test("postgres cluster: it ends with the process that made it, even one that is killed", {
  skip,
}, async () => {
  const file = fileURLToPath(new URL("postgres_cluster_child.ts", import.meta.url));
  const command = "Deno" in globalThis ? ["run", "-A"] : process.execArgv;
  await using child = new Process([process.execPath, ...command, file]);
  const { folder, pids } = JSON.parse(await child.line(/^{/)) as { folder: string; pids: number[] };
  assert.equal(pids.length, 3);
  process.kill(pids[2], "SIGSTOP"); // It cannot notice anything.
  await child.kill();
  const there = () => [folder, ...pids.map((pid) => `/proc/${pid}/cwd`)].filter(existsSync);
  await until(() => there().length === 0, 10_000, "all is gone");
});

/** What the role `zgroup` is answered. */
async function said(url: string, text: string, target?: "primary"): Promise<unknown[]> {
  const sql = postgres(url, { max: 1, target_session_attrs: target, onnotice: () => {} });
  try {
    return [...await sql.unsafe(text)];
  } finally {
    await sql.end();
  }
}
