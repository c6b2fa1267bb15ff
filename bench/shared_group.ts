/** A group on several servers, over three nodes of PostgreSQL, and a registry beside them. */

import process from "node:process";
import { until } from "../tests/support.ts";
import { Folder } from "../tests/support/folder.ts";
import { freePort } from "../tests/support/port.ts";
import { PostgresCluster } from "../tests/support/postgres.ts";
import { type Running, start } from "./processes.ts";
import { deno, NAME, startRegistry } from "./servers.ts";

/** What only a defect reaches, ms. */
const LONG = 60_000;

/** One of its servers: always at the same address, each time it is started another process. */
export class Server implements AsyncDisposable {
  readonly address: string;
  readonly #command: readonly string[];
  readonly #folder = new Folder();
  #running: Running | undefined;

  constructor(address: string, log: string, registry: string) {
    this.address = address;
    this.#command = deno("group.ts", [
      ...[NAME, address, "--log", log, "--registry", registry, "--rate", "off"],
      ...["--home", `${this.#folder.path}/home`],
    ]);
  }

  get pid(): number {
    return this.#running!.pid;
  }

  /** Resolves when it is ready to serve, as the holder or a relay. */
  async start(): Promise<void> {
    const ready = /listens on (\S+:\d+)\S*, registry/;
    this.#running = await start({ command: this.#command, folder: this.#folder.path, ready });
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running?.[Symbol.asyncDispose]();
    await this.#folder[Symbol.asyncDispose]();
  }
}

/** See the head of this file. */
export class SharedGroup implements AsyncDisposable {
  readonly postgres: PostgresCluster;
  /** `HOST:PORT` of its registry. */
  readonly registry: string;
  readonly servers: readonly Server[];
  readonly #stack: AsyncDisposableStack;

  private constructor(
    postgres: PostgresCluster,
    registry: string,
    servers: readonly Server[],
    stack: AsyncDisposableStack,
  ) {
    this.postgres = postgres;
    this.registry = registry;
    this.servers = servers;
    this.#stack = stack;
  }

  /** Resolves when each server is ready; the first to start holds the group. */
  static async start(servers = 3): Promise<SharedGroup> {
    await using stack = new AsyncDisposableStack();
    const postgres = stack.use(await PostgresCluster.start({ nodes: 3 }));
    const folder = stack.use(new Folder());
    const registry = stack.use(await startRegistry(folder.path)).ready[1];
    const all: Server[] = [];
    for (let i = 0; i < servers; i++) {
      const address = `127.0.0.1:${await freePort()}`;
      const server = stack.use(new Server(address, postgres.url, registry));
      await server.start();
      all.push(server);
    }
    return new SharedGroup(postgres, registry, all, stack.move());
  }

  /** The server that holds the group now. */
  async holder(): Promise<Server> {
    return await until(
      async () => {
        const [row] = await this.postgres.primary.query(
          "SELECT holder FROM zgroup.groups",
          "zgroup",
        );
        return this.servers.find(({ address }) => address === row?.holder);
      },
      LONG,
      "a server that holds the group",
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
