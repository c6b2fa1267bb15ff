/** Logs over PostgreSQL without a group above them: who appends, and whether it is all there. */

import { setTimeout } from "node:timers/promises";
import { Fenced } from "../../../lib/errors.ts";
import type { Log, ReadBatch, Share } from "../../../lib/log/log.ts";
import { postgresLog } from "../../../lib/log/postgres.ts";
import { append, powerOf, Writer } from "../../contract/log_support.ts";
import type { PostgresCluster } from "../../support/postgres.ts";
import type { Fault } from "./fault.ts";

/** What was acknowledged, and whether it is there. */
export class Audit {
  readonly #fault: Fault;
  readonly #cluster: PostgresCluster;
  readonly #acknowledged = new Map<number, string>();

  constructor(fault: Fault, cluster: PostgresCluster) {
    this.#fault = fault;
    this.#cluster = cluster;
  }

  get size(): number {
    return this.#acknowledged.size;
  }

  /** A log of the group, closed with the fault. */
  open(): { readonly log: Log; readonly share: Share } {
    const log = postgresLog({ url: this.#cluster.url, group: "Lab" });
    this.#fault.onClose(() => log.close());
    return { log, share: powerOf(log, "share") };
  }

  add(batches: readonly ReadBatch[]): void {
    for (const { first, json } of batches) {
      this.#fault.expect(!this.#acknowledged.has(first), `entry ${first} is acknowledged twice`);
      this.#acknowledged.set(first, json);
    }
  }

  /** Reads all as a server that has just started. */
  async check(): Promise<void> {
    const { log, share } = this.open();
    const { head, hash } = await share.follow();
    const { batches } = await powerOf(log, "verify")();
    const found = new Map<number, string>();
    const texts = new Set<string>();
    let newest = "";
    for (let after = 0; after < head;) {
      for (const { first, count, json } of await log.read({ after, limit: 5_000 })) {
        found.set(first, json);
        after = first + count - 1;
        newest = json;
        for (const [, text] of JSON.parse(json).messages) {
          this.#fault.expect(!texts.has(text), `"${text}" is there twice`);
          texts.add(text);
        }
      }
    }
    this.#fault.expect(newest.includes(hash), "the newest batch is another than at the start");
    let missing = 0;
    for (const [first, json] of this.#acknowledged) if (found.get(first) !== json) missing++;
    this.#fault.expect(missing === 0, `${missing} acknowledged batches are missing or others`);
    this.#fault.figure("acknowledged", this.#acknowledged.size);
    this.#fault.figure("batches", batches);
    await log.close();
  }
}

/** A server that appends as long as it holds the lease. */
export class Holder {
  static #made = 0;
  readonly log: Log;
  readonly share: Share;
  readonly ended: Promise<void>;
  readonly #audit: Audit;
  readonly #fault: Fault;
  readonly #name = `h:${++Holder.#made}`;
  #stopped = false;

  constructor(fault: Fault, audit: Audit, head: Promise<number>, log: Log) {
    this.#fault = fault;
    this.#audit = audit;
    this.log = log;
    this.share = powerOf(log, "share");
    this.ended = head.then((head) => this.#run(head));
    this.ended.catch((error) => fault.expect(false, `appends end with ${error}`));
  }

  /** Takes the lease from whoever has it, who is not asked. */
  static async take(fault: Fault, audit: Audit): Promise<Holder> {
    const { log, share } = audit.open();
    for (;;) {
      try {
        const start = await share.claim(await share.lease(), "h:1");
        if (start) return new Holder(fault, audit, Promise.resolve(start.head), log);
      } catch (error) {
        if ((error as Error).name !== "LogAway") throw error;
      }
      await setTimeout(20);
    }
  }

  async #run(head: number): Promise<void> {
    const writer = new Writer(head + 1);
    while (!this.#stopped) {
      const text = `${this.#name} ${writer.next}`;
      try {
        this.#audit.add(await append(this.log, writer.many(this.#fault.int(1, 40), { text })));
      } catch (error) {
        if (error instanceof Fenced) return;
        throw error;
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.ended;
    await this.log.close();
  }
}
