/**
 * A group on many machines, on one: three nodes of PostgreSQL, registries, servers of one group, and
 * a crowd of members. Each can be lost, and in the end all must tell the same story.
 */

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { until } from "../../support.ts";
import { PostgresCluster, type PostgresNode } from "../../support/postgres.ts";
import { BACK_WITHIN, compare, Crowd } from "./crowd.ts";
import type { Fault } from "./fault.ts";
import { Database, GroupServer, Program, type Said, type Thing } from "./things.ts";
import { type Stand, Watcher } from "./watcher.ts";

/** The name of the group. */
export const GROUP = "Lab";
const SERVERS = "abcdefgh";

export interface WorldOptions {
  /** Members where `--members` did not say; default 60. */
  readonly members?: number;
  /** Servers of the group, 1 to 8; default 3. */
  readonly servers?: number;
  /** Default 2. */
  readonly registries?: number;
  /** Between two members that go, in each process of the crowd, ms; default: nobody goes. */
  readonly turnover?: number;
  /** What anything said, and what was done to it. */
  readonly onSaid?: (name: string, said: Said) => void;
}

/** See the head of this file. */
export class World {
  readonly cluster: PostgresCluster;
  readonly databases: readonly Database[];
  readonly registries: readonly Program[];
  readonly servers: readonly GroupServer[];
  readonly watcher = new Watcher();
  readonly #fault: Fault;
  readonly #options: WorldOptions;
  #crowd: Crowd | undefined;

  private constructor(fault: Fault, cluster: PostgresCluster, options: WorldOptions) {
    this.#fault = fault;
    this.#options = options;
    this.cluster = cluster;
    const { servers = 3, registries = 2, onSaid = () => {} } = options;
    const say = (name: string) => (said: Said) => onSaid(name, said);
    this.databases = cluster.nodes.map((node) =>
      new Database(cluster, node, (text) => onSaid(node.name, { level: "info", text }))
    );
    this.registries = Array.from({ length: registries }, (_, i) => {
      const name = `r${i + 1}`;
      return new Program({
        name,
        file: "registry.ts",
        arguments: (address) => {
          const port = address.split(":")[1];
          return ["--port", port, "--home", join(fault.folder, name), "--log-json"];
        },
        onSaid: say(name),
      });
    });
    this.servers = [...SERVERS.slice(0, servers)].map((name) =>
      new GroupServer({
        name,
        file: "group.ts",
        arguments: (address) => [
          ...[GROUP, address, "--home", join(fault.folder, name), "--log", this.#url],
          ...this.registries.flatMap((registry) => ["--registry", registry.address]),
          ...["--rate", "off", "--log-json"],
        ],
        onSaid: say(name),
      })
    );
  }

  /** Starts all but the crowd. It ends with the fault. */
  static async start(fault: Fault, options: WorldOptions = {}): Promise<World> {
    const cluster = await PostgresCluster.start({ nodes: 3 });
    fault.onClose(() => cluster.close());
    const world = new World(fault, cluster, options);
    for (const program of [...world.registries, ...world.servers]) {
      fault.onClose(() => program.kill());
    }
    fault.onClose(() => world.watcher[Symbol.asyncDispose]());
    await Promise.all(world.registries.map((registry) => registry.start()));
    // The first one makes the group.
    for (const server of world.servers) await server.start();
    await until(() => world.holder, 60_000, "a server that holds the group");
    await world.watcher.join(world.holder!.address);
    return world;
  }

  get #url(): string {
    return this.cluster.url;
  }

  /** The server that said last that it holds the group, if it is up. */
  get holder(): GroupServer | undefined {
    return this.servers.filter(({ part, health }) => part === "holder" && health === "up")
      .sort((a, b) => b.term - a.term)[0];
  }

  get crowd(): Crowd {
    if (!this.#crowd) throw new Error("Nobody came yet");
    return this.#crowd;
  }

  /** Brings the members; resolves when all have joined. */
  async gather(): Promise<Crowd> {
    const { members = 60, turnover = 0 } = this.#options;
    const crowd = this.#crowd = new Crowd(this.#fault, {
      registries: this.registries.map(({ address }) => address),
      group: GROUP,
      wanted: members,
      turnover,
      waits: turnover === 0,
    });
    const begin = performance.now();
    await until(() => crowd.all("joined"), 20 * BACK_WITHIN, "all to join");
    this.#fault.figure("joined_ms", performance.now() - begin);
    return crowd;
  }

  get things(): readonly Thing[] {
    return [...this.databases, ...this.registries, ...this.servers];
  }

  /** By its name, or `holder`, `relay`, `primary`, `standby`; undefined where there is none. */
  thing(name: string): Thing | undefined {
    const isUp = ({ health }: Thing) => health === "up";
    if (name === "holder") return this.holder;
    if (name === "relay") return this.servers.find((one) => one.part === "relay" && isUp(one));
    if (name === "primary") return this.databases.find((one) => one.isPrimary && isUp(one));
    if (name === "standby") return this.databases.find((one) => !one.isPrimary && isUp(one));
    return this.things.find((thing) => thing.name === name);
  }

  /** Lets all go on, and starts what is dead. */
  async mend(): Promise<void> {
    // A former primary gives up before anything else.
    for (const database of this.databases) {
      const isFormer = !database.isPrimary && !database.node.standby;
      if (database.health !== "up" || isFormer) await database.start();
    }
    for (const program of [...this.registries, ...this.servers]) {
      if (program.health !== "up") await program.start();
    }
  }

  /**
   * Ends what is going on, and holds what all have against each other and what was promised;
   * answers where the one history ends.
   */
  async audit(): Promise<Stand> {
    const fault = this.#fault;
    await this.mend();
    const { crowd } = this;
    const rest = performance.now();
    const head = await crowd.rest();
    fault.figure("same_ms", performance.now() - rest);
    const stands = await this.#stands(head);
    const story = await this.watcher.story(this.holder?.address ?? this.servers[0].address);
    fault.figure("entries", story.head);
    for (const problem of story.problems) fault.expect(false, problem);
    crowd.ledger.check(story.held, fault);
    for (const [name, stand] of stands) {
      const own = await this.watcher.story(this.servers.find((one) => one.name === name)!.address);
      fault.expect(own.hash === story.hash, `${name} tells another history, up to ${own.head}`);
      fault.expect(stand.hash === story.hash, `${name} has another hash at ${stand.head}`);
    }
    compare(fault, await crowd.reports(), story.held, head);
    for (const server of this.servers) {
      fault.expect(await server.end() === 0, `${server.name} did not end well`);
    }
    for (const { name, node } of this.databases) {
      await until(() => isUpTo(node, story), BACK_WITHIN, `${name} to have the same history`);
    }
    return story;
  }

  /** How far each server is when all are as far as the crowd, and nothing moves any more. */
  async #stands(head: number): Promise<Map<string, Stand>> {
    const stands = new Map<string, Stand>();
    await until(
      async () => {
        for (const { name, address } of this.servers) {
          const stand = await this.watcher.stand(address);
          if (stand) stands.set(name, stand);
        }
        const heads = [...stands.values()].map((stand) => stand.head);
        return stands.size === this.servers.length && Math.min(...heads) >= head &&
            Math.min(...heads) === Math.max(...heads) || (await setTimeout(100), false);
      },
      BACK_WITHIN,
      "all servers to be as far",
    );
    return stands;
  }
}

/** Whether a node of the database has the group's log up to there. */
async function isUpTo(node: PostgresNode, { head, hash }: Stand): Promise<boolean> {
  const [row] = await node.query("SELECT head::float8 AS head, hash FROM zgroup.log", "zgroup");
  return row.head === head && Buffer.from(row.hash as Uint8Array).toString("base64url") === hash;
}
