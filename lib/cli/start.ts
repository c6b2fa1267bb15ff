/**
 * `user.ts start`: registry, group `Lobby` and prompt in one process. Where a registry answers
 * already, it joins the Lobby found there, as another user.
 */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Unreachable } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { checkedName } from "../text/names.ts";
import type { User } from "../user/user.ts";
import { atMost, type Given, type Options, wholeNumber } from "./args.ts";
import type { Host } from "./console/prompt.ts";
import { runPrompt, type RunPromptOptions, runScript } from "./console/run.ts";
import { keepLocalOf, takeProfile, type Where } from "./home.ts";
import type { Call, OpenLog, Run, Running, UserDoors } from "./program.ts";
import { notice } from "./render.ts";
import { linesOf } from "./streams.ts";

/** The group that everybody starts in. */
const LOBBY = "Lobby";

/** Runs `start`; the exit code. */
export async function start({ given, home, doors, output, run }: Call): Promise<number> {
  atMost(given.positionals, 1);
  const { texts } = given;
  const registry = `127.0.0.1:${wholeNumber(given, "port", 1, 65_535) ?? 5555}`;
  const profile = await takeProfile(home, doors.hold, texts.get("profile"));
  run.onClose(() => profile.release());
  const { folder, suffix } = profile;

  const known = await doors.keptName(folder);
  const name = texts.get("name") ?? known ?? texts.get("profile") ??
    await doors.systemName() + suffix;
  const where = { home: folder, registries: [registry], transport: texts.get("transport") };
  const opened = await registryAt(where, doors, run);
  const chosen = name === known ? undefined : checkedName(name);
  const user = await doors.openUser({ ...where, name: chosen, keepLocal: keepLocalOf(given) });
  run.onClose(() => user.close());
  const host = hosting(where, doors, run);
  const group = await enterLobby(user, host, registry);
  const lobby = `${LOBBY} ${group.address} (short key ${shortKey(group.key)})`;
  const how = opened
    ? `registry ${registry} (short key ${shortKey(opened.key)}) and ${lobby} run in this ` +
      "program; start it again in another terminal to talk to yourself"
    : `joined ${lobby} of the registry ${registry}, which runs already`;
  await output.print(notice(how, output.style));
  return await talk({
    user,
    home: folder,
    host,
    output,
    run,
    group: group.id,
    ...screenOptions(given),
  }, doors);
}

/** Starts a registry unless one is there; undefined when it was not started. */
async function registryAt(
  { home, registries: [address], transport }: Where,
  { openRegistry, openLog, isListening }: UserDoors,
  { onClose }: Run,
): Promise<Running | undefined> {
  if (await isListening(address)) return undefined;
  const log = await serverLog(home, openLog, onClose);
  const [host, port] = address.split(":");
  try {
    const registry = await openRegistry({ home, transport, host, port: Number(port), log });
    onClose(() => registry.close());
    return registry;
  } catch (error) {
    // Another start was faster.
    if (await isListening(address)) return undefined;
    throw error;
  }
}

/** Joins the Lobby that is listed, or hosts it. */
async function enterLobby(user: User, host: Host, registry: string) {
  const listed = await user.list({ prefix: LOBBY }).catch((cause: unknown) => {
    if (!(cause instanceof Unreachable)) throw cause;
    throw new Error(
      `Cannot start: something listens on ${registry} and does not answer as a registry; ` +
        "choose another port with --port",
      { cause },
    );
  });
  const there = listed.find(({ name, state }) => name === LOBBY && state === "live");
  if (there) return await user.join(LOBBY);
  const { address } = await host(LOBBY, "127.0.0.1:0");
  return await user.join(address);
}

/** Options of the prompt. */
export const SCREEN_OPTIONS: Options = {
  all: { type: "flag", help: "prompt: show the messages of every group as they come" },
  "no-bell": { type: "flag", help: "prompt: no bell, no notice on the desktop at a mention" },
  say: { type: "flag", help: "a script's lines that are no command are texts" },
};

export function screenOptions({ flags }: Given): Pick<RunPromptOptions, "all" | "bell" | "say"> {
  return { all: flags.has("all"), bell: !flags.has("no-bell"), say: flags.has("say") };
}

/** Runs the prompt on a terminal, otherwise the commands of standard input; the exit code. */
export async function talk(
  options: RunPromptOptions,
  { ask, stdin }: UserDoors,
): Promise<number> {
  if (ask) return await runPrompt(options);
  const { run: { signal }, ...rest } = options;
  return await runScript({ ...rest, lines: linesOf(stdin), signal });
}

/** Starts a group in this process, its log lines in a file of the home. */
export function hosting(
  where: Where,
  { openGroup, openLog }: UserDoors,
  { onClose }: Run,
): Host {
  return async (name, address) => {
    const log = await serverLog(where.home, openLog, onClose);
    const group = await openGroup({ ...where, name, address, log });
    onClose(() => group.close());
    return group;
  };
}

/** The log of servers beside a prompt, a file of the home. */
async function serverLog(home: string, openLog: OpenLog, onClose: Run["onClose"]) {
  await mkdir(join(home, "logs"), { recursive: true, mode: 0o700 });
  const log = openLog({ file: join(home, "logs", "servers.log") });
  onClose(() => log.close());
  return log;
}
