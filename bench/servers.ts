/** The servers that are measured, each on a free port, with its data in a temporary folder. */

import { Folder } from "../tests/support/folder.ts";
import { freePort } from "../tests/support/port.ts";
import { type Running, start } from "./processes.ts";
import { OURS, type Tree } from "./trees.ts";

/**
 * Who is measured. `before` is a group of the version before in the clear, as it was measured when
 * it was ours; `before-curve` the same encrypted, as it was by default.
 */
export type SideName = Measured | "before" | "before-curve";

/** Who is measured by programs of this tree. */
export type Measured = "ours" | "nats" | "redis";

/** A server, and how its clients reach it. */
export interface Service extends AsyncDisposable {
  readonly side: SideName;
  readonly pid: number;
  /** `HOST:PORT`; for a group its registry. */
  readonly address: string;
  /** From the start of the process to its ready line, ms. */
  readonly startedIn: number;
  /** Whether the process has ended by itself. */
  ended(): boolean;
  /** The registry beside a group. */
  readonly registry?: Running;
}

/** Name of the group, the stream and the subject. */
export const NAME = "Bench";

/** The command that runs a script of a tree. `preload` is a file of our bench that runs before it. */
export function deno(
  script: string,
  args: readonly string[],
  { tree = OURS, preload }: { readonly tree?: Tree; readonly preload?: string } = {},
): string[] {
  return [
    ...[Deno.execPath(), "run", "-A", "-q", `--config=${tree.root}deno.json`],
    ...(preload ? [`--preload=${OURS.root}bench/${preload}`] : []),
    tree.root + script,
    ...args,
  ];
}

/** A registry as people start it. */
export function startRegistry(folder: string, tree: Tree = OURS): Promise<Running> {
  const command = deno("registry.ts", ["--port", "0", "--home", `${folder}/home`], { tree });
  return start({ command, folder, ready: /listens on (\S+:\d+)/ });
}

/** Which group is started. */
interface GroupChoice {
  /** Default the bench's own. */
  readonly name?: string;
  /** Where its log is: the URL of a database; default a file of its own. */
  readonly log?: string;
  readonly side?: "ours" | "before" | "before-curve";
  readonly tree?: Tree;
  readonly preload?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A registry and a group as people start them: on disk, with their logs. */
export async function startGroup(choice: GroupChoice = {}): Promise<Service> {
  const { name = NAME, log, side = "ours", tree = OURS, preload, env } = choice;
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(new Folder());
  const registry = stack.use(await startRegistry(folder.path, tree));
  const address = registry.ready[1];
  const command = deno("group.ts", [
    ...[name, "127.0.0.1:0", "--registry", address, "--rate", "off"],
    ...["--home", `${folder.path}/home`],
    ...(log === undefined ? ["--data", `${folder.path}/data`] : ["--log", log]),
    ...(side === "before" && !("seals" in tree && tree.seals) ? ["--plain"] : []),
  ], { tree, preload });
  const ready = /listens on (\S+:\d+)\S*, registry/;
  const group = stack.use(await start({ command, folder: folder.path, ready, env }));
  return { ...serviceOf(side, group, address, stack.move()), registry };
}

/** nats-server with JetStream's file store. */
async function startNats(): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(new Folder());
  const command = ["nats-server", "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", "store"];
  const ready = /Listening for client connections on (\S+:\d+)[\s\S]*Server is ready/;
  const server = stack.use(await start({ command, folder: folder.path, ready }));
  return serviceOf("nats", server, server.ready[1], stack.move());
}

/** redis-server that syncs each write. */
async function startRedis(): Promise<Service> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(new Folder());
  const port = `${await freePort()}`;
  const command = [
    "redis-server",
    ...["--bind", "127.0.0.1", "--port", port, "--dir", folder.path, "--save", ""],
    ...["--appendonly", "yes", "--appendfsync", "always"],
  ];
  const ready = /Ready to accept connections/;
  const server = stack.use(await start({ command, folder: folder.path, ready }));
  return serviceOf("redis", server, `127.0.0.1:${port}`, stack.move());
}

/** The server of a side; `before` is the tree of the version before. */
export function startSide(side: SideName, before?: Tree): Promise<Service> {
  switch (side) {
    case "nats":
      return startNats();
    case "redis":
      return startRedis();
    case "ours":
      return startGroup();
    case "before":
    case "before-curve":
      if (!before) throw new Error(`Cannot start "${side}": there is no version before`);
      return startGroup({ side, tree: before });
  }
}

/** `all`: what ends with the service. */
function serviceOf(
  side: SideName,
  server: Running,
  address: string,
  all: AsyncDisposable,
): Service {
  const { pid, startedIn, ended } = server;
  return {
    ...{ side, pid, address, startedIn, ended },
    [Symbol.asyncDispose]: () => Promise.resolve(all[Symbol.asyncDispose]()),
  };
}
