/** What the suites of the log over PostgreSQL share: logs of a cluster, and what is in them. */

import assert from "node:assert/strict";
import type { Log, Share } from "../../lib/log/log.ts";
import { postgresLog, type PostgresOptions } from "../../lib/log/postgres.ts";
import { until } from "../support.ts";
import type { PostgresCluster, PostgresNode } from "../support/postgres.ts";
import { append, powerOf, Writer } from "./log_support.ts";

/** A log that is closed with its test. */
export class SharedLog implements AsyncDisposable {
  readonly log: Log;
  readonly share: Share;
  /** What it warned of. */
  readonly warnings: string[] = [];

  constructor(cluster: PostgresCluster, options: Partial<PostgresOptions> = {}) {
    const warn = (text: string) => this.warnings.push(text);
    this.log = postgresLog({ url: cluster.url, group: "Lab", warn, ...options });
    this.share = powerOf(this.log, "share");
  }

  /** Takes the lease as it stands. */
  async claim(holder = "h:1"): Promise<void> {
    assert.ok(await this.share.claim(await this.share.lease(), holder), "the lease was taken");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
  }
}

/** Waits until commits wait for a standby. */
export async function someWait(node: PostgresNode, count = 1): Promise<void> {
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  const wait = async () => (await node.query(waiting)).length >= count;
  await until(wait, 10_000, "a commit waits for a standby");
}

/** Whether a promise has been settled by now. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol();
  return await Promise.race([promise.catch(() => {}), Promise.resolve(pending)]) === pending;
}

/** Appends batches, one at a time, until it is told to stop; how far it was acknowledged. */
export function appending(log: Log, from = 1) {
  const writer = new Writer(from);
  let [stopped, acknowledged] = [false, from - 1];
  const done = (async () => {
    while (!stopped) {
      const batch = writer.many(8);
      await append(log, batch);
      acknowledged = batch.first + batch.count - 1;
    }
  })();
  done.catch(() => {}); // It is looked at in `stop`.
  return {
    get acknowledged() {
      return acknowledged;
    },
    /** Waits for some more. */
    async goesOn(): Promise<void> {
      const before = acknowledged;
      await until(() => acknowledged > before + 16, 30_000, "appends go on");
    },
    async stop(): Promise<number> {
      stopped = true;
      await done;
      return acknowledged;
    },
  };
}

/** Reads all that a cluster has of a group, as a server that just started: it is whole, to the head. */
export async function wholeLog(cluster: PostgresCluster, head: number): Promise<void> {
  await using reader = new SharedLog(cluster);
  const start = await reader.share.follow();
  assert.equal(start.head, head);
  const checked = await powerOf(reader.log, "verify")();
  assert.equal(checked.head, head);
  const seqs: number[] = [];
  for (let after = 0; after < head; after = seqs.length) {
    for (const { json } of await reader.log.read({ after, limit: 10_000 })) {
      const { first, messages } = JSON.parse(json);
      for (const [i] of messages.entries()) seqs.push(first + i);
    }
  }
  assert.deepEqual(seqs, Array.from({ length: head }, (_, i) => i + 1));
}
