/**
 * One group of several servers over PostgreSQL, with members at each, while a fault program does
 * its worst to either; and whether everything is as it was promised then.
 */

import { Buffer } from "node:buffer";
import { postgresLog } from "../../../lib/log/postgres.ts";
import { requirePower } from "../../../lib/log/log.ts";
import { connect, type User } from "../../../mod.ts";
import { until } from "../../support.ts";
import { availablePostgres, type ClusterOptions, PostgresCluster } from "../../support/postgres.ts";
import { type Held, heldIn, Ledger } from "./audit.ts";
import { Follower, Sender } from "./chat.ts";
import { type Fault, Skipped } from "./fault.ts";
import { Pinned } from "./pinned.ts";
import { ServerProcess } from "./server_process.ts";
import type { Inside } from "./children.ts";

/** What only a defect reaches, ms. */
export const LONG = 60_000;
/** Followers and auditors have all within this, ms. */
const ALL_WITHIN = 60_000;

/** Messages of a flood that are under way at once. */
const FLOOD = 2_048;

/** What a group is made of. */
export interface SharedGroupOptions {
  readonly name?: string;
  /** Default: a primary with two synchronous standbys, made for this group. */
  readonly cluster?: PostgresCluster;
  readonly nodes?: ClusterOptions;
  /** Beside the members that stay where they are, at each server; default 2. */
  readonly senders?: number;
  /** Between two messages of a member, ms; default 0 to 30. */
  readonly pace?: () => number;
  /** Where each server is, and what its programs are started with. */
  readonly places?: readonly Place[];
  readonly singleCopy?: boolean;
}

/** Where a server is. */
export interface Place {
  readonly host?: string;
  readonly inside?: Inside;
  readonly env?: Readonly<Record<string, string>>;
}

/** Three servers on this machine. */
const HERE: readonly Place[] = [{}, {}, {}];

/** Nodes of PostgreSQL that end with the fault. @throws {Skipped} there is none here */
export async function startCluster(
  fault: Fault,
  options: ClusterOptions = { nodes: 3 },
): Promise<PostgresCluster> {
  const problem = availablePostgres();
  if (problem) throw new Skipped(problem);
  const cluster = await PostgresCluster.start(options);
  fault.onClose(() => cluster.close());
  return cluster;
}

/** See the head of this file. */
export class SharedGroup {
  readonly name: string;
  readonly cluster: PostgresCluster;
  readonly servers: readonly ServerProcess[];
  readonly ledger = new Ledger();
  /** One at each server, in their order. */
  readonly pinned: readonly Pinned[];
  readonly #fault: Fault;
  readonly #options: SharedGroupOptions;
  #senders: Sender[] = [];
  #followers: Follower[] = [];
  #floods = 0;
  /** When the latest of all that is acknowledged was sent, ms by `performance.now()`. */
  #sent = 0;

  private constructor(
    fault: Fault,
    options: SharedGroupOptions,
    cluster: PostgresCluster,
    servers: readonly ServerProcess[],
  ) {
    const { name = "Lab", pace = () => fault.int(0, 30) } = options;
    this.#fault = fault;
    this.#options = options;
    this.name = name;
    this.cluster = cluster;
    this.servers = servers;
    this.pinned = servers.map(({ address }) => new Pinned(fault, address, this.ledger, pace));
  }

  /** Servers that are up, and members who talk. @throws {Skipped} */
  static async start(fault: Fault, options: SharedGroupOptions = {}): Promise<SharedGroup> {
    const { name = "Lab", places = HERE, singleCopy = false } = options;
    const cluster = options.cluster ?? await startCluster(fault, options.nodes);
    const servers = places.map(({ host = "127.0.0.1", inside, env }) =>
      new ServerProcess(
        fault,
        { name, address: `${host}:0`, database: cluster.url, unlisted: true, singleCopy },
        env,
        inside,
      )
    );
    for (const server of servers) fault.onClose(() => server.close());
    for (const server of servers) await server.start(); // The first makes the group.
    const group = new SharedGroup(fault, options, cluster, servers);
    await group.settled();
    await group.#gather();
    return group;
  }

  async #gather(): Promise<void> {
    const { senders = 2, pace = () => this.#fault.int(0, 30) } = this.#options;
    for (const [i, { address }] of this.servers.entries()) {
      for (let n = 1; n <= senders; n++) {
        const user = await this.member(`sender ${i + 1}.${n}`, address);
        this.#senders.push(new Sender(user, this.name, this.ledger, pace));
      }
      this.#followers.push(new Follower(await this.member(`follower ${i + 1}`, address)));
    }
    for (const follower of this.#followers) follower.start(this.name);
    for (const one of [...this.#senders, ...this.pinned]) {
      one.onAck = (ms) => (this.#sent = Math.max(this.#sent, performance.now() - ms));
      one.start();
    }
  }

  /** A user who joined at a server, and ends with the fault. */
  async member(name: string, address: string): Promise<User> {
    const user = await connect({ name, registries: [] });
    this.#fault.onClose(() => user.close());
    await user.join(address);
    return user;
  }

  /** All messages, as a member is shown them now. */
  async read(): Promise<Held[]> {
    return await messagesOf(this.#followers[0].user, this.name);
  }

  /** One member at a server sends so many messages as fast as it can. */
  async flood(address: string, count: number): Promise<void> {
    const user = await this.member(`flood ${++this.#floods}`, address);
    for (let sent = 0; sent < count; sent += FLOOD) {
      await Promise.all(Array.from({ length: Math.min(FLOOD, count - sent) }, async (_, i) => {
        const text = `${user.name}-${sent + i}`;
        this.ledger.tried(text);
        const { mid, seq } = await user.send(this.name, text, { within: Infinity });
        this.ledger.ack(mid, seq, text);
      }));
    }
  }

  /** The server that claimed the lease last. */
  get holder(): ServerProcess {
    const holders = this.servers.filter(({ term }) => term > 0).sort((a, b) => b.term - a.term);
    if (holders.length === 0) throw new Error("No server holds the group");
    return holders[0];
  }

  get relays(): ServerProcess[] {
    const { holder } = this;
    return this.servers.filter((server) => server !== holder);
  }

  /** Waits until all that run have their part: one holds, and the others follow it. */
  async settled(): Promise<void> {
    const isSettled = () => {
      const holders = this.servers.filter(({ part }) => part === "holds");
      return holders.length === 1 && holders[0] === this.holder &&
        this.servers.every(({ part, follows }) =>
          part === "holds" || part === "off" || follows === holders[0].address
        );
    };
    await until(isSettled, LONG, "each server to have its part").catch((error) => {
      const parts = this.servers.map(({ address, said }) => `${address}: ${said.at(-1)}`);
      throw new Error(`${error.message}\n${parts.join("\n")}`);
    });
  }

  /** Waits until so many more messages are acknowledged. */
  async talk(more = 20): Promise<void> {
    const { acked } = this.ledger;
    await until(() => this.ledger.acked >= acked + more, LONG, `${more} messages`);
  }

  /** Waits for an acknowledgement of what is sent from now on; how long it took, ms. */
  async answered(): Promise<number> {
    const begin = performance.now();
    await until(() => this.#sent > begin, LONG, "a message that is sent now");
    return performance.now() - begin;
  }

  /** Waits until everything that runs has what was acknowledged, and holds all against it. */
  async audit(): Promise<void> {
    const fault = this.#fault;
    await this.settled();
    await Promise.all([...this.#senders, ...this.pinned].map((one) => one.stop()));
    await until(
      () => this.#followers.every((follower) => follower.hasAll(this.ledger)),
      ALL_WITHIN,
      "all who follow to have the same",
    );
    await Promise.all(this.#followers.map((follower) => follower.stop()));
    const auditors = await Promise.all(
      this.servers.map(({ address }, i) => this.member(`auditor ${i + 1}`, address)),
    );
    const read: Held[][] = [];
    const prints = new Set<string>();
    for (const auditor of auditors) {
      read.push(await messagesOf(auditor, this.name));
      const { epoch, seq, hash } = await auditor.fingerprint(this.name);
      prints.add(`${epoch} ${seq} ${hash}`);
    }
    fault.expect(prints.size === 1, `servers have other histories: ${[...prints].join(", ")}`);
    for (const server of this.servers) {
      const code = await server.stop();
      fault.expect(code === 0, `a server ended with ${code}: ${server.child.errors}`);
    }
    const held = await this.#held([...prints][0]);
    this.ledger.check(held, fault);
    for (const follower of this.#followers) follower.check(held, fault);
    for (const [i, messages] of read.entries()) {
      const same = messages.length === held.length &&
        messages.every(({ seq, mid, text }, n) =>
          seq === held[n].seq && mid === held[n].mid && text === held[n].text
        );
      fault.expect(same, `server ${i + 1} shows other messages than the database has`);
    }
    await this.#isEverywhere([...prints][0]);
  }

  /** All nodes of the database that run have the same in the end. */
  async #isEverywhere(print: string): Promise<void> {
    for (const node of this.cluster.nodes) {
      if (!node.running || node.paused) continue;
      const has = async () => {
        const [row] = await node.query(
          `SELECT epoch, head::text, hash FROM zgroup.log JOIN zgroup.grp ON grp = id
            WHERE name = '${this.name}'`,
          "zgroup",
        );
        const hash = Buffer.from(row.hash as Uint8Array).toString("base64url");
        return `${row.epoch} ${row.head} ${hash}` === print;
      };
      await until(has, ALL_WITHIN, `${node.name} to have the same`);
    }
  }

  /** What the database has, whose history must be the one that the servers showed. */
  async #held(print: string): Promise<Held[]> {
    const { singleCopy = false } = this.#options;
    const log = postgresLog({
      url: this.cluster.url,
      group: this.name,
      singleCopy,
      warn: (text) => this.#fault.expect(false, `the database: ${text}`),
    });
    try {
      const start = await requirePower(log, "share", "audit the log").follow();
      const { epoch, head, hash } = start;
      this.#fault.count("entries", head);
      this.#fault.expect(`${epoch} ${head} ${hash}` === print, "the database has another history");
      return await heldIn(log, start, this.#fault);
    } finally {
      await log.close();
    }
  }
}

/** All messages that a member is shown. */
async function messagesOf(user: User, group: string): Promise<Held[]> {
  const messages: Held[] = [];
  for await (const { seq, at, mid, text } of user.read(group, { after: 0 })) {
    if (mid !== undefined) messages.push({ seq, at, mid, text: text! });
  }
  return messages;
}
