/**
 * `user.ts servers`: the process beside a screen that a registry and groups run in. It ends with who
 * started it, which is when its standard input ends, unless it was told to outlast that.
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Run } from "../cli/program.ts";
import type { Served } from "../cli/servers.ts";
import { FolderUnusable, UsageError } from "../errors.ts";
import { holdFolder } from "./hold.ts";
import { Holder } from "./holder.ts";
import { openLog } from "./logging.ts";
import { failureOf } from "./requests.ts";
import { Serving } from "./serving.ts";
import {
  serversFolder,
  serversLog,
  type ServersNews,
  type ServersRequest,
  serversRequest,
} from "./servers_requests.ts";

/** What it answers a request with that changes nothing else. */
const DONE = {};

/** Serves a home until it is told to end; the exit code. */
export async function serveHome(argv: readonly string[], { signal, onClose }: Run) {
  const { home, host, transport } = optionsOf(argv);
  const folder = serversFolder(home);
  const release = holdFolder(folder);
  if (!release) {
    say({ held: true });
    return 0;
  }
  onClose(release);
  const file = serversLog(home);
  mkdirSync(join(home, "logs"), { recursive: true, mode: 0o700 });
  const log = openLog({ file });
  onClose(() => log.close());
  const trouble = (text: string) => {
    log.warn(text);
    say({ trouble: text });
  };
  const serving = new Serving({ home, host, transport, log, trouble });
  onClose(() => serving.close());

  const over = Promise.withResolvers<void>();
  const since = Date.now();
  let background = false;
  let stopping = false;
  const handle = async (request: ServersRequest): Promise<object> => {
    switch (request.op) {
      case "registry":
        return await serving.registry(request.address);
      case "host":
        return await serving.host(request.name, request);
      case "revive":
        return await serving.revive(request.registries);
      case "unhost":
        return { found: await serving.unhost(request.name) };
      case "look": {
        const found = serving.look(request.except);
        return {
          folder: home,
          pid: process.pid,
          background,
          since,
          log: file,
          ...found,
        } satisfies Served;
      }
      case "detach":
        background = true;
        say({ background });
        return DONE;
      case "stop":
        stopping = true;
        return DONE;
    }
  };
  const holder = new Holder(serversRequest, handle, () => {
    if (stopping) over.resolve();
  });
  onClose(() => holder.close());
  try {
    await holder.listen(folder);
  } catch (cause) {
    throw new FolderUnusable(`Cannot take requests in ${folder}: no socket can be made there`, {
      cause,
    });
  }
  process.stdin.resume().on("end", () => background || over.resolve()).on("error", () => {});
  signal.addEventListener("abort", () => over.resolve(), { once: true });
  say({ ready: true });
  await over.promise;
  return 0;
}

/** As {@linkcode serveHome}; why it could not begin is told to who started it. */
export async function serversProgram(argv: readonly string[], run: Run): Promise<number> {
  process.stdout.on("error", () => {}); // Nobody listens any more.
  try {
    return await serveHome(argv, run);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    say({ failure: failureOf(error) });
    return 1;
  }
}

function optionsOf(argv: readonly string[]) {
  const text = { type: "string" } as const;
  const { values: { home, host = "127.0.0.1", transport } } = parseArgs({
    args: [...argv],
    options: { home: text, host: text, transport: text },
  });
  if (home !== undefined && !process.stdin.isTTY) return { home, host, transport };
  throw new UsageError("Cannot run servers by itself: user.ts start --detach starts it");
}

function say(news: ServersNews): void {
  process.stdout.write(JSON.stringify(news) + "\n");
}
