/** Our servers and the peers', each on a free port, with its data in a temporary folder. */

import { freePort, type Running, start, temporaryFolder } from "./processes.ts";

/** Who is measured. `zgroup-curve` is the same group with encryption on. */
export type SideName = "zgroup" | "zgroup-curve" | "nats" | "redis";

/** A server, and how its clients reach it. */
export interface Service extends AsyncDisposable {
  readonly side: SideName;
  readonly pid: number;
  /** `HOST:PORT`; for ours the registry. */
  readonly address: string;
  readonly startedIn: number;
}

/** One of our groups beside its registry. */
export interface GroupService extends Service {
  readonly registry: Running;
}

/** Name of the group, the stream and the subject. */
export const NAME = "Bench";

const root = new URL("..", import.meta.url).pathname;
/** The command that runs one of our scripts. */
export const deno = (script: string, ...args: string[]): string[] => [
  Deno.execPath(),
  "run",
  "-A",
  "-q",
  `--config=${root}deno.json`,
  root + script,
  ...args,
];

/** Options of `group.ts` that this version has. */
let known: Promise<string> | undefined;

async function helpOfGroup(): Promise<string> {
  const [command, ...args] = deno("group.ts", "--help");
  const { stdout } = await new Deno.Command(command, { args }).output();
  return new TextDecoder().decode(stdout);
}

/** A registry as people start it. */
export function startRegistry(folder: string): Promise<Running> {
  const command = deno("registry.ts", "--port", "0", "--home", `${folder}/home`);
  return start({ command, folder, ready: /listens on (\S+:\d+)/ });
}

/** A registry and a group as people start them: on disk, with their logs. */
export async function startGroup(encrypted: boolean): Promise<GroupService> {
  const folder = await temporaryFolder();
  const registry = await startRegistry(folder.path);
  const address = registry.ready[1];
  const help = await (known ??= helpOfGroup());
  const options = [
    ...["--registry", address, "--home", `${folder.path}/home`, "--data", `${folder.path}/data`],
    ...(encrypted ? [] : ["--plain"]),
    ...(help.includes("--rate") ? ["--rate", "off"] : []),
  ];
  const command = deno("group.ts", NAME, "127.0.0.1:0", ...options);
  const group = await start({
    command,
    folder: folder.path,
    ready: /listens on (\S+:\d+), registry/,
  });
  return {
    side: encrypted ? "zgroup-curve" : "zgroup",
    pid: group.pid,
    address,
    startedIn: group.startedIn,
    registry,
    [Symbol.asyncDispose]: () => disposeAll(group, registry, folder),
  };
}

/** nats-server with JetStream's file store. */
export async function startNats(): Promise<Service> {
  const folder = await temporaryFolder();
  const command = ["nats-server", "-a", "127.0.0.1", "-p", "-1", "-js", "-sd", "store"];
  const server = await start({
    command,
    folder: folder.path,
    ready: /Listening for client connections on (\S+:\d+)[\s\S]*Server is ready/,
  });
  return serviceOf("nats", server, server.ready[1], folder);
}

/** redis-server that syncs each write. */
export async function startRedis(): Promise<Service> {
  const folder = await temporaryFolder();
  const port = `${freePort()}`;
  const server = await start({
    command: [
      "redis-server",
      ...["--bind", "127.0.0.1", "--port", port, "--dir", folder.path, "--save", ""],
      ...["--appendonly", "yes", "--appendfsync", "always"],
    ],
    folder: folder.path,
    ready: /Ready to accept connections/,
  });
  return serviceOf("redis", server, `127.0.0.1:${port}`, folder);
}

/** The server of a side. */
export function startSide(side: SideName): Promise<Service> {
  switch (side) {
    case "nats":
      return startNats();
    case "redis":
      return startRedis();
    case "zgroup":
    case "zgroup-curve":
      return startGroup(side === "zgroup-curve");
  }
}

function serviceOf(
  side: SideName,
  server: Running,
  address: string,
  folder: AsyncDisposable,
): Service {
  const { pid, startedIn } = server;
  return {
    side,
    pid,
    address,
    startedIn,
    [Symbol.asyncDispose]: () => disposeAll(server, folder),
  };
}

async function disposeAll(...all: readonly AsyncDisposable[]): Promise<void> {
  for (const one of all) await one[Symbol.asyncDispose]();
}
