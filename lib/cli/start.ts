/**
 * `user.ts start`: a registry, the group `Lobby` and a prompt. The servers run in a process beside
 * it. Where a registry answers already, it joins the Lobby found there, as another user.
 */

import { Refusal, Unreachable, UsageError } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import { splitRegistry } from "../text/addresses.ts";
import { counted } from "../text/counted.ts";
import { safeLine } from "../text/filter.ts";
import { checkedName, typedName } from "../text/names.ts";
import type { JoinedGroup } from "../user/types.ts";
import type { User } from "../user/user.ts";
import { atMost, columns, type Given, valueOf } from "./args.ts";
import { elsewhere, nextSteps, summary } from "./background.ts";
import { askKey } from "./console/key_question.ts";
import { runPrompt, type RunPromptOptions, runScript } from "./console/run.ts";
import { freeUsers, homeOption, keepLocalOf, takeProfile } from "./home.ts";
import { type Meeting, meetingOf, remember, runningIn } from "./meeting.ts";
import type { Call, OpenUserOptions, UserDoors } from "./program.ts";
import { notice } from "./render.ts";
import { type End, endOf, type Served, type ServedRegistry, type Servers } from "./servers.ts";
import { linesOf } from "./streams.ts";

/** The group that everybody starts in. */
const LOBBY = "Lobby";

/** Runs `start`; the exit code. */
export async function start(call: Call): Promise<number> {
  const { given, home, doors, output, run } = call;
  atMost(given.positionals, 1);
  if (given.flags.has("detach")) return await startInBackground(call);
  const profile = await takeProfile(home, doors.hold, {
    profile: given.texts.get("profile"),
    user: given.texts.get("name"),
    nameOf: doors.keptName,
  });
  run.onClose(() => profile.release());
  const { folder, suffix } = profile;
  const meeting = await meetingOf(call, folder);
  const { registries, own, host } = meeting;
  const where = { home: folder, registries, transport: given.texts.get("transport") };

  const name = await chosenName(call, folder, suffix);
  const servers = await doors.servers({ ...where, home: profile.servers, host });
  run.onClose(() => servers.close());
  const [opened, user] = await Promise.all([
    own === undefined ? undefined : registryAt(own, servers, call),
    openAs(name, { ...where, keepLocal: keepLocalOf(given) }, doors),
  ]);
  run.onClose(() => user.close());
  const lobby = await lobbyAt(
    user,
    servers,
    meeting,
    () => runningIn([profile.servers, home], doors),
  );
  const group = lobby && await user.join(lobby.address ?? LOBBY, lobby);
  await remember(meeting, folder, doors);
  const end = await endOf(servers);
  const others = opened ? waysIn(call, { meeting, opened, end }) : [];
  const how = notice(howItIs({ meeting, opened, group, end }), output.style);
  await output.print([how, ...columns(others), ...namesakes(user, group)].join("\n"));
  const revived = servers.revive();
  return await talk({
    user,
    home: folder,
    servers,
    output,
    run,
    group: group?.id,
    who: whoOne(call, user.name, await freeUsers(home, doors.hold, doors.keptName)),
    ...screenOptions(given),
    begin: group ? undefined : "list_groups",
    news: revived.then(({ groups, troubles }) => [
      ...groups.map(({ name, address }) => `${safeLine(name)}, made here, is at ${address} again`),
      ...troubles,
    ]),
  }, call);
}

/** What runs where, as the first line says it. */
function howItIs({ meeting, opened, group, end }: {
  readonly meeting: Meeting;
  readonly opened: ServedRegistry | undefined;
  readonly group: JoinedGroup | undefined;
  readonly end: End;
}): string {
  const again = asLastTime(meeting);
  const [address] = meeting.registries.map((typed) => splitRegistry(typed)?.address);
  if (!group) {
    return `the registry ${address} lists no ${LOBBY}: join_group G, or create_group NAME${again}`;
  }
  const lobby = `${LOBBY} ${group.address} (short key ${shortKey(group.key)})`;
  if (!opened) return `joined ${lobby} of the registry ${address}, which runs already${again}`;
  const registry = `registry ${address} (short key ${shortKey(opened.key)})`;
  const until = {
    here: "run beside this window and end with it (start --detach lets them go on)",
    elsewhere: "run beside another prompt of this folder and end with that",
    background: "run in the background",
  }[end];
  return `${registry} and ${lobby} ${until}${again}`;
}

function asLastTime({ alone }: Meeting): string {
  return alone === undefined ? "" : ` (as last time; ${alone} is this machine alone)`;
}

/** Which is which, where other groups are known by the name of the one that was joined. */
function namesakes(user: User, group: JoinedGroup | undefined): string[] {
  const others = user.joined().filter(({ id, name }) => name === group?.name && id !== group.id);
  return others.map(({ address, key }) => {
    const which = `another ${LOBBY} that you are in, at ${address} (short key ${shortKey(key)})`;
    return `  ${which}, stays as it was: name it by its address`;
  });
}

/** Who one is, and how to be another; undefined where the folder has nobody else who is free. */
function whoOne({ given, doors }: Call, name: string, others: readonly string[]) {
  const [other] = others.filter((other) => other !== name);
  if (other === undefined) return undefined;
  const command = doors.typed(`start --name ${typedName(other)}${homeOption(given)}`);
  return `you are ${safeLine(name)}; ${command} is ${safeLine(other)}`;
}

/** What others type to come, and where. */
function waysIn(
  { given, doors }: Call,
  { meeting, opened, end }: {
    readonly meeting: Meeting;
    readonly opened: ServedRegistry;
    readonly end: End;
  },
): (readonly [string, string])[] {
  const here = doors.typed(`start${homeOption(given)}`);
  return [
    ...(end === "here" ? [["in another terminal", here] as const] : []),
    ...elsewhere({ doors }, { registry: opened }, meeting.host !== undefined),
  ];
}

/** `start --detach`: the servers alone, which go on when this ends. */
async function startInBackground(call: Call): Promise<number> {
  const { given, home, doors, output, run } = call;
  if (given.texts.has("profile")) {
    throw new UsageError("Cannot use --profile with --detach: servers are those of a whole folder");
  }
  const meeting = await meetingOf(call, home);
  const { registries, own, host } = meeting;
  const where = { home, registries, transport: given.texts.get("transport") };
  const servers = await doors.servers({ ...where, host });
  run.onClose(() => servers.close());
  const opened = own === undefined ? undefined : await registryAt(own, servers, call);
  const name = valueOf(given, "name", checkedName);
  const looking =
    await (name === undefined ? doors.lookingUser(where) : openAs(name, where, doors));
  run.onClose(() => looking.close());
  await lobbyAt(looking, servers, meeting, () => runningIn([home], doors));
  await remember(meeting, home, doors);
  const { troubles } = await servers.revive();
  for (const trouble of troubles) await output.complain(notice(trouble));
  const served = await servers.look();
  if (!served) {
    const what = `the registry ${registries[0]} runs already, and no group was made here`;
    await output.print(notice(`nothing to start: ${what}${asLastTime(meeting)}`, output.style));
    return 0;
  }
  await servers.detach();
  const text = `in the background, pid ${served.pid}: ${summary(served)}${asLastTime(meeting)}`;
  const others = opened ? waysIn(call, { meeting, opened, end: "background" }) : [];
  await output.print(
    [notice(text, output.style), ...columns([...others, ...nextSteps(call)])].join("\n"),
  );
  return 0;
}

/** Serves a registry unless one is there; undefined when it is not this folder's own. */
async function registryAt(
  address: string,
  servers: Servers,
  { given, doors: { isListening, typed } }: Call,
): Promise<ServedRegistry | undefined> {
  const { registry } = await servers.look() ?? {};
  if (await isListening(address)) return registry?.address === address ? registry : undefined;
  if (registry && registry.address !== address) {
    throw new Refusal(
      "address_taken",
      `Cannot start a registry at ${address}: the servers of this folder have one at ` +
        `${registry.address}; end them first with "${typed(`stop${homeOption(given)}`)}"`,
    );
  }
  try {
    return await servers.registry(address);
  } catch (error) {
    // Another start was faster.
    if (await isListening(address)) return undefined;
    throw error;
  }
}

/** The Lobby: the one that is listed, else, where the registry is one's own, one that is served. */
async function lobbyAt(
  user: User,
  servers: Servers,
  { registries, own, alone }: Meeting,
  running: () => Promise<Served[]>,
): Promise<{ readonly address?: string; readonly key?: string } | undefined> {
  const isListed = async () => {
    const listed = await user.list({ prefix: LOBBY });
    return listed.some(({ name, state }) => name === LOBBY && state === "live");
  };
  /** One that the servers of this folder serve is known by its key, whatever else has its name. */
  const listed = async () => {
    const here = own === undefined
      ? undefined
      : (await running()).find(({ registry }) => registry?.address === own);
    return here?.groups.find(({ name }) => name === LOBBY) ?? {};
  };
  try {
    if (await isListed()) return await listed();
    return own === undefined ? undefined : await servers.host(LOBBY, { keep: false });
  } catch (cause) {
    // Another start was faster.
    if (cause instanceof Refusal && cause.code === "name_taken" && await isListed()) {
      return await listed();
    }
    if (!(cause instanceof Unreachable)) throw cause;
    const ownOne = `${alone ?? "leave out --registry"} to have one of your own`;
    throw new Error(
      own === undefined
        ? `Cannot start: no registry answers at ${registries.join(", ")}; look whether it runs ` +
          `and is to be reached from here, or ${ownOne}`
        : `Cannot start: something listens on ${own} and does not answer as a registry; ` +
          "choose another port with --port",
      { cause },
    );
  }
}

/** This home's user, by the name that is chosen for it; see {@linkcode openAs}. */
export async function openNamed(
  call: Call,
  options: OpenUserOptions & { readonly home: string },
): Promise<User> {
  return await openAs(await chosenName(call, options.home), options, call.doors);
}

/** A home's user. Groups that were joined under another name are told of the new one. */
async function openAs(
  name: string | undefined,
  options: OpenUserOptions & { readonly home: string },
  { keptName, openUser }: UserDoors,
): Promise<User> {
  const isNew = name !== undefined && name !== await keptName(options.home);
  const user = await openUser({ ...options, ...(name === undefined ? {} : { name }) });
  if (isNew) await user.rename(name);
  return user;
}

/** The name that was given or is asked for; undefined where the kept one, or the system's, will do. */
async function chosenName(
  { given, doors }: Pick<Call, "given" | "doors">,
  folder: string,
  suffix = "",
): Promise<string | undefined> {
  const { ask, keptName, systemName } = doors;
  const typed = given.texts.get("name");
  if (typed !== undefined) return checkedName(typed);
  if (await keptName(folder) !== undefined) return undefined;
  const profile = given.texts.get("profile");
  if (profile !== undefined) return checkedName(profile);
  const standard = safeLine(await systemName() + suffix);
  if (!ask) return suffix === "" ? undefined : standard;
  const [name] = await ask([{
    text: "Your name, as others see it",
    standard,
    problem: (typed) => {
      try {
        checkedName(typed);
      } catch (error) {
        return (error as Error).message;
      }
    },
  }]);
  return checkedName(name);
}

/** What the command line says of a prompt, or of a script in its place. */
export function screenOptions(
  { flags }: Given,
): Pick<RunPromptOptions, "all" | "bell" | "say" | "yes"> {
  return {
    all: flags.has("all"),
    bell: !flags.has("no-bell"),
    say: flags.has("say"),
    yes: flags.has("yes"),
  };
}

/** Runs the prompt on a terminal, otherwise the commands of standard input; the exit code. */
export async function talk(
  options: RunPromptOptions,
  call: Pick<Call, "given" | "doors">,
): Promise<number> {
  const { doors: { ask, stdin } } = call;
  const { run: { signal }, ...rest } = options;
  if (!ask) return await runScript({ ...rest, lines: linesOf(stdin), signal });
  let again: RunPromptOptions = options;
  for (let asked = 0;; asked++) {
    const { group } = await runPrompt(again);
    if (!await isToStay(options, call, asked > 0)) return 0;
    again = {
      ...options,
      group,
      begin: undefined,
      news: undefined,
      who: undefined,
      isBack: true,
    };
  }
}

/**
 * Where others are in the groups that would end with this program, asks what is to come of them; true
 * when the person goes back to the prompt.
 *
 * @param before it was asked before: Ctrl-C means it by now
 */
async function isToStay(
  options: RunPromptOptions,
  call: Pick<Call, "given" | "doors">,
  before: boolean,
): Promise<boolean> {
  const { servers, output, run: { signal } } = options;
  if (!servers.own || signal.aborted) return false;
  const key = await askKey(leavingQuestion(options), {
    style: output.style,
    keys: new Map([
      ["b", "background"],
      ["e", "end"],
      ...["enter", "n", "escape"].map((key) => [key, "stay"] as const),
      ["ctrl-c", before ? "end" : "stay"],
      ["ctrl-d", "end"],
    ]),
    end: "end",
    signal,
  });
  if (key !== "background") return key === "stay";
  await servers.detach();
  const served = await servers.look();
  const text = `in the background: ${served ? summary(served) : "nothing"}`;
  const next = [...elsewhere(call, served ?? {}), ...nextSteps(call)];
  await output.print([notice(text, output.style), ...columns(next)].join("\n"));
  return false;
}

/** Undefined where nobody else is there. */
async function leavingQuestion({ servers, user }: RunPromptOptions): Promise<string | undefined> {
  const { connected = 0, groups = [] } = await servers.look(user.id).catch(() => undefined) ?? {};
  if (connected === 0) return undefined;
  const where = groups.filter(({ connected }) => connected > 0).map(({ name }) => safeLine(name));
  const others = `${counted(connected, "other")} ${connected === 1 ? "is" : "are"}`;
  return `${others} in ${where.join(", ")} here, on servers that end with this window. ` +
    "b: they go on in the background; e: they end, for the others too; Enter: back to the prompt";
}
