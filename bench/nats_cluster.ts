/** JetStream on three nodes: three processes of nats-server, each with a store of its own. */

import { mkdirSync } from "node:fs";
import { Folder } from "../tests/support/folder.ts";
import { freePort } from "../tests/support/port.ts";
import { start } from "./processes.ts";
import { NAME } from "./servers.ts";

const NODES = 3;

/** Running nodes, and where clients reach them. */
export interface NatsCluster extends AsyncDisposable {
  /** `HOST:PORT` of each, separated by commas. */
  readonly address: string;
  readonly pids: readonly number[];
}

/** What a node says once it listens and knows who leads. */
const READY =
  /Listening for client connections on (\S+:\d+)[\s\S]*new (JetStream cluster )?metadata leader/;

/** Starts the nodes; resolves when they have chosen who leads. */
export async function startNatsCluster(): Promise<NatsCluster> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(new Folder());
  const ports = await Promise.all(Array.from({ length: NODES }, freePort));
  const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
  const starting = routes.map((route, i) => {
    const store = `${folder.path}/node-${i + 1}`;
    mkdirSync(store);
    const command = [
      ...[
        "nats-server",
        "-n",
        `node-${i + 1}`,
        "-a",
        "127.0.0.1",
        "-p",
        "-1",
        "-js",
        "-sd",
        "store",
      ],
      ...["--cluster_name", NAME, "--cluster", route, "--routes", routes.join(",")],
    ];
    return start({ command, folder: store, ready: READY });
  });
  const started = await Promise.allSettled(starting);
  const nodes = started.flatMap((one) => one.status === "fulfilled" ? [stack.use(one.value)] : []);
  for (const one of started) if (one.status === "rejected") throw one.reason;
  const all = stack.move();
  return {
    address: nodes.map(({ ready }) => ready[1]).join(","),
    pids: nodes.map(({ pid }) => pid),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
