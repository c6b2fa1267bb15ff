/**
 * `user.ts start`: registry, group `Lobby` and prompt in one process. Where a registry answers
 * already, it joins the Lobby found there, as another user.
 */

import { Unreachable } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { atMost, type Given, wholeNumber } from "./args.ts";
import { checkedName } from "./group_program.ts";
import { transportOf } from "./home.ts";
import { hosting, logFile } from "./hosting.ts";
import type { Output } from "./output.ts";
import type { Run, Running, UserPort } from "./ports.ts";
import { takeProfile } from "./profiles.ts";
import { promptLoop } from "./prompt.ts";
import { notice } from "./render.ts";
import { runScript } from "./script.ts";
import { linesOf } from "./input.ts";
import type { Host } from "./session.ts";
import type { UserDoors } from "./user_program.ts";

/** The group that everybody starts in. */
const LOBBY = "Lobby";

export interface StartOptions {
  readonly given: Given;
  readonly home: string;
  readonly doors: UserDoors;
  readonly output: Output;
  readonly run: Run;
}

/** Runs `start`; the exit code. */
export async function start({ given, home, doors, output, run }: StartOptions): Promise<number> {
  atMost(given.positionals, 1);
  const { texts } = given;
  const port = wholeNumber("--port", texts.get("port") ?? "5555", 1, 65_535);
  const registry = `127.0.0.1:${port}`;
  const profile = await takeProfile(home, texts.get("profile"));
  run.onClose(() => profile.release());
  const { folder, suffix } = profile;

  const known = await doors.keptName(folder);
  const name = texts.get("name") ?? known ?? texts.get("profile") ??
    await doors.systemName() + suffix;
  const engine = transportOf(given);
  const opened = await registryAt(registry, { home: folder, ...engine }, doors, run);
  const user = await doors.openUser({
    home: folder,
    registries: [registry],
    ...engine,
    ...(name === known ? {} : { name: checkedName(name) }),
  });
  run.onClose(() => user.close());
  const host = hosting({ home: folder, registries: [registry], ...engine }, doors, run);
  const group = await enterLobby(user, host, registry);
  const lobby = `${LOBBY} ${group.address} (short key ${shortKey(group.key)})`;
  const how = opened
    ? `registry ${registry} (short key ${
      shortKey(opened.key)
    }) and ${lobby} run in this program; ` +
      "start it again in another terminal to talk to yourself"
    : `joined ${lobby} of the registry ${registry}, which runs already`;
  await output.print(notice(how, output.style));
  return doors.ask
    ? await promptLoop({ user, home: folder, host, output, run, group: group.id })
    : await runScript({ user, host, output, lines: linesOf(doors.stdin), signal: run.signal });
}

/** Starts a registry unless one is there; undefined when it was not started. */
async function registryAt(
  address: string,
  where: { home: string; transport?: string },
  { openRegistry, openLog, isListening }: UserDoors,
  { onClose }: Run,
): Promise<Running | undefined> {
  if (await isListening(address)) return undefined;
  const log = openLog({ file: await logFile(where.home) });
  onClose(() => log.close());
  const [host, port] = address.split(":");
  try {
    const registry = await openRegistry({ ...where, host, port: Number(port), log });
    onClose(() => registry.close());
    return registry;
  } catch (error) {
    // Another start was faster.
    if (await isListening(address)) return undefined;
    throw error;
  }
}

/** Joins the Lobby that is listed, or hosts it. */
async function enterLobby(user: UserPort, host: Host, registry: string) {
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
