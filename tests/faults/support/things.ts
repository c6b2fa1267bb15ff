/** What a world is made of and can lose: programs of ours, and nodes of a database. */

import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { PostgresCluster, PostgresNode } from "../../support/postgres.ts";
import { Process } from "../../support/process.ts";
import { usage } from "../../support/usage.ts";

/** How a thing is: it answers, stands still (SIGSTOP), or is gone. */
export type Health = "up" | "stopped" | "dead";

/** One that can be killed, stopped, let go on, and started again. */
export interface Thing {
  /** How it is called at a prompt. */
  readonly name: string;
  readonly health: Health;
  /** All pids it has. */
  readonly pids: readonly number[];
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP. */
  stop(): Promise<void>;
  /** SIGCONT. */
  continue(): Promise<void>;
  /** Starts it where it was, with what it has kept; resolves when it serves. */
  start(): Promise<void>;
}

/** A server starts within this, ms. */
const STARTS_WITHIN = 60_000;

export interface ProgramOptions {
  readonly name: string;
  /** `group.ts` or `registry.ts`. */
  readonly file: string;
  /** Its arguments; `address` is the one that it had before, `IP:0` at first. */
  arguments(address: string): readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What it says in its log. */
  onSaid(said: Said): void;
}

/** A line of a server's log, or of its standard error. */
export interface Said {
  readonly level: "info" | "warn";
  readonly text: string;
}

/** A registry or a server of a group, with its sockets at the same address in each of its lives. */
export class Program implements Thing {
  readonly name: string;
  /** `HOST:PORT`. */
  address = "127.0.0.1:0";
  readonly #options: ProgramOptions;
  #process: Process | undefined;
  #stopped = false;

  constructor(options: ProgramOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get health(): Health {
    if (!this.#process || this.#process.over) return "dead";
    return this.#stopped ? "stopped" : "up";
  }

  get pids(): readonly number[] {
    return this.health === "dead" ? [] : [this.#process!.pid];
  }

  async start(): Promise<void> {
    if (this.health !== "dead") return await this.continue();
    const { file, env, onSaid } = this.#options;
    const up = Promise.withResolvers<string>();
    up.promise.catch(() => {}); // It is told by `start` alone.
    const path = fileURLToPath(new URL(`../../../${file}`, import.meta.url));
    const run = "Deno" in globalThis ? ["run", "-A"] : [];
    const args = this.#options.arguments(this.address);
    const program = this.#process = new Process([process.execPath, ...run, path, ...args], {
      ...(env ? { env } : {}),
      onLine: (line) => {
        const [, address] = / listens on ([^\s#,]+)/.exec(line) ?? [];
        if (address) return up.resolve(address);
        const said = saidIn(line);
        if (said) onSaid(said);
      },
    });
    this.#stopped = false;
    void program.ended.then(({ code, signal }) => {
      const words = program.errors.trim();
      if (words) onSaid({ level: "warn", text: words });
      if (signal !== "SIGKILL" && code !== 0 && code !== null) {
        onSaid({ level: "warn", text: `ended with ${code}` });
      }
      up.reject(new Error(`${this.name} does not start: ${words}`));
    });
    const timer = setTimeout(
      () => up.reject(new Error(`${this.name} does not start`)),
      STARTS_WITHIN,
    );
    try {
      this.address = await up.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async kill(): Promise<void> {
    await this.#process?.kill();
  }

  async stop(): Promise<void> {
    this.#process?.signal("SIGSTOP");
    this.#stopped = true;
    await Promise.resolve();
  }

  async continue(): Promise<void> {
    this.#process?.signal("SIGCONT");
    this.#stopped = false;
    await Promise.resolve();
  }

  /** SIGTERM; its exit code. */
  async end(): Promise<number | null> {
    await this.continue();
    return this.#process ? await this.#process.stop() : 0;
  }
}

function saidIn(line: string): Said | undefined {
  try {
    const { level, text } = JSON.parse(line);
    return { level, text };
  } catch {
    return line.trim() === "" ? undefined : { level: "info", text: line };
  }
}

/** What a server of a group said of its part in it. */
export type Part = "holder" | "relay" | "waits";

/** A server of a group, and what part it said it has. */
export class GroupServer extends Program {
  part: Part = "waits";
  /** Of the lease, as far as it said so. */
  term = 0;

  constructor(options: ProgramOptions) {
    super({
      ...options,
      onSaid: (said) => {
        this.#hear(said.text);
        options.onSaid(said);
      },
    });
  }

  override async start(): Promise<void> {
    if (this.health === "dead") this.part = "waits";
    await super.start();
  }

  #hear(text: string): void {
    const [, term] = /^Holds the group .* term (\d+)/.exec(text) ?? [];
    if (term) [this.part, this.term] = ["holder", Number(term)];
    else if (text.startsWith("Follows ")) this.part = "relay";
    else if (text.startsWith("Waits ")) this.part = "waits";
  }
}

/** A node of the database. Who loses the primary makes the best standby the primary. */
export class Database implements Thing {
  readonly name: string;
  readonly node: PostgresNode;
  readonly #cluster: PostgresCluster;
  readonly #tell: (text: string) => void;

  constructor(cluster: PostgresCluster, node: PostgresNode, tell: (text: string) => void) {
    this.name = node.name;
    this.node = node;
    this.#cluster = cluster;
    this.#tell = tell;
  }

  get health(): Health {
    if (!this.node.running) return "dead";
    return this.node.paused ? "stopped" : "up";
  }

  get pids(): readonly number[] {
    const { pid } = this.node;
    return pid === undefined ? [] : [pid, ...childrenOf(pid)];
  }

  /** Whether it takes what is written, as far as the cluster knows. */
  get isPrimary(): boolean {
    return this.#cluster.nodes.some(({ running, standby }) => running && !standby) &&
      this.#cluster.primary === this.node;
  }

  async kill(): Promise<void> {
    const was = this.isPrimary;
    await this.node.kill();
    if (was) await this.#promote();
  }

  async stop(): Promise<void> {
    const was = this.isPrimary;
    this.node.pause();
    if (was) await this.#promote();
  }

  /** A primary that is awake again believes that it still is one; {@linkcode start} ends that. */
  async continue(): Promise<void> {
    this.node.resume();
    await Promise.resolve();
  }

  /** A former primary follows the one that is it now. */
  async start(): Promise<void> {
    const { primary } = this.#cluster.nodes.some(({ running, standby }) => running && !standby)
      ? this.#cluster
      : { primary: undefined };
    if (!primary) return await this.node.start();
    if (primary === this.node) return this.node.resume();
    this.node.resume();
    await this.node.follow(primary);
  }

  async #promote(): Promise<void> {
    const next = await this.#cluster.failOver();
    this.#tell(`${next.name} is the primary now`);
  }
}

/** What one takes: share of a core since it was asked last, per cent, and resident memory, MiB. */
export class Meter {
  #cpu = 0;
  #at = performance.now();

  read(pids: readonly number[]): { readonly cpu: number; readonly memory: number } {
    const used = pids.map(usage);
    const cpu = used.reduce((sum, one) => sum + one.cpu, 0);
    const now = performance.now();
    const share = Math.max(0, cpu - this.#cpu) / (now - this.#at) * 100_000;
    this.#cpu = cpu;
    this.#at = now;
    return { cpu: share, memory: used.reduce((sum, one) => sum + one.memory, 0) };
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** Connections that are open to a port of this machine, by port. */
export function connections(): Map<number, number> {
  const open = new Map<number, number>();
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/);
    if (state !== "01") continue;
    const port = parseInt(local.split(":")[1], 16);
    open.set(port, (open.get(port) ?? 0) + 1);
  }
  return open;
}
