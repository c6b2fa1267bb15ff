/**
 * PostgreSQL on this machine: one node, or a primary with two synchronous standbys, made of real
 * servers in a temporary folder, each on a free port of 127.0.0.1, with fsync and checksums.
 *
 * Everything ends with the process that made it, however that ends.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chownSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.ts";
import { type NodePlace, PostgresNode } from "./postgres_node.ts";
import { account, unavailable } from "./postgres_programs.ts";

/** Why there is no PostgreSQL here; undefined where there is. For `{ skip }`. */
export function availablePostgres(): string | undefined {
  return unavailable();
}

/** What a cluster is made of. */
export interface ClusterOptions {
  /** One node, or a primary and two standbys, one of which must have each commit; default 1. */
  readonly nodes?: 1 | 3;
  /** Settings of each node, beside those of `postgres_node.ts`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where the nodes `n1`, `n2`, `n3` are; default: here. */
  place?(name: string): NodePlace;
}

/** The role that groups use, its database, and who may do all else. */
const [ROLE, DATABASE, ADMIN] = ["zgroup", "zgroup", "postgres"];

/** Running nodes. */
export class PostgresCluster implements AsyncDisposable {
  /** The first is the primary at the start. */
  readonly nodes: readonly PostgresNode[];
  /** The password of the role `zgroup`, which owns its database and nothing else. */
  readonly password: string;
  readonly folder: string;
  readonly #watchdog: ChildProcess;

  private constructor(
    folder: string,
    nodes: readonly PostgresNode[],
    password: string,
    watchdog: ChildProcess,
  ) {
    this.folder = folder;
    this.nodes = nodes;
    this.password = password;
    this.#watchdog = watchdog;
  }

  static async start(options: ClusterOptions = {}): Promise<PostgresCluster> {
    const { nodes = 1, settings = {}, place = () => ({}) } = options;
    const why = unavailable();
    if (why) throw new Error(`Cannot start PostgreSQL: ${why}`);
    const folder = mkdtempSync(join(tmpdir(), "zgroup-postgres-"));
    const { uid, gid } = account();
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    const [admin, password] = [secret(), secret()];
    const ports = await freePorts(nodes);
    const made = ports.map((port, i) => {
      const name = `n${i + 1}`;
      const who = { admin: ADMIN, password: admin };
      return new PostgresNode({ name, folder, port, ...who, settings, place: place(name) });
    });
    const watchdog = watch([...made.map(({ data }) => data), folder]);
    const cluster = new PostgresCluster(folder, made, password, watchdog);
    try {
      await cluster.#fill();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  async #fill(): Promise<void> {
    const [primary, ...standbys] = this.nodes;
    await primary.init();
    await primary.start();
    // The password has no quote in it.
    await primary.query(`CREATE ROLE ${ROLE} LOGIN PASSWORD '${this.password}'`);
    await primary.query(`CREATE DATABASE ${DATABASE} OWNER ${ROLE}`);
    if (standbys.length === 0) return;
    await Promise.all(standbys.map((node) => node.copyOf(primary)));
    await primary.conf("synchronous_standby_names", anyOf(standbys));
    await Promise.all(standbys.map((node) => node.start()));
    await primary.hasStandbys(standbys.length);
  }

  /** `postgres://…` of all nodes, with the password of the role. */
  get url(): string {
    return this.urlOf(...this.nodes);
  }

  /** The same of some of them. */
  urlOf(...nodes: readonly PostgresNode[]): string {
    const hosts = nodes.map(({ address }) => address).join(",");
    return `postgres://${ROLE}:${this.password}@${hosts}/${DATABASE}`;
  }

  /** The node that was started or promoted last of those that run and are no standby. */
  get primary(): PostgresNode {
    const [primary] = this.nodes.filter(({ running, standby }) => running && !standby)
      .sort((a, b) => b.since - a.since);
    if (!primary) throw new Error("No node is the primary");
    return primary;
  }

  /** Those of the others that run and have the greatest LSN first. */
  async byLsn(): Promise<PostgresNode[]> {
    const running = this.nodes.filter(({ running, standby, paused }) =>
      running && standby && !paused
    );
    const known = await Promise.all(running.map(async (node) => ({ node, lsn: await node.lsn() })));
    return known.sort((a, b) => b.lsn - a.lsn).map(({ node }) => node);
  }

  /**
   * What an operator does when the primary is gone: makes the standby with the greatest LSN the
   * primary, with the other as its synchronous standby; answers it.
   */
  async failOver(): Promise<PostgresNode> {
    const [next, ...others] = await this.byLsn();
    if (!next) throw new Error("No standby runs");
    const rest = this.nodes.filter((node) => node !== next);
    await next.conf("synchronous_standby_names", anyOf(rest));
    await next.promote();
    await Promise.all(others.map((node) => node.follow(next)));
    return next;
  }

  /** Ends all nodes and removes the folder; again is harmless. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.close()));
    const watchdog = this.#watchdog;
    if (watchdog.exitCode !== null) return;
    watchdog.ref();
    const gone = once(watchdog, "exit");
    watchdog.stdin!.end();
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function anyOf(standbys: readonly PostgresNode[]): string {
  return `ANY 1 (${standbys.map(({ name }) => name).join(", ")})`;
}

/** Without characters that need quotes, in SQL or in a URL. */
function secret(): string {
  return randomBytes(16).toString("hex");
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

/**
 * Ends each server of the folders when its standard input ends, which it does with this process,
 * and removes the folders. A server is known by its file `postmaster.pid`, and by the folder that it
 * is in; its children by their parent, as each of them leads a session of its own.
 */
const WATCHDOG = `trap '' HUP INT TERM
cat >/dev/null
for folder in "$@"; do
  [ -f "$folder/postmaster.pid" ] || continue
  pid=$(head -n 1 "$folder/postmaster.pid")
  [ "$(readlink "/proc/$pid/cwd")" = "$folder" ] || continue
  kill -STOP "$pid"
  kill -KILL $(cat "/proc/$pid/task/$pid/children") "$pid"
done 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf "$@" 2>/dev/null && break
  sleep 0.1
done`;

function watch(folders: readonly string[]): ChildProcess {
  const child: ChildProcess = spawn("sh", ["-c", WATCHDOG, "postgres-watchdog", ...folders], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  child.unref();
  (child.stdin as unknown as { unref?(): void }).unref?.();
  return child;
}

export type { PostgresNode };
