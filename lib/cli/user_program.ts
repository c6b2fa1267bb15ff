/** `user.ts`: one command and out, the interactive prompt, or commands from a file. */

import { DEFAULT_REGISTRY } from "../text/addresses.ts";
import { UsageError } from "../errors.ts";
import { atMost, type Given, type Options } from "./args.ts";
import type { Question } from "./ask.ts";
import { safeLine } from "../text/filter.ts";
import { doctor } from "./doctor.ts";
import { type About, columns, helpText, withArgs } from "./help.ts";
import { hosting } from "./hosting.ts";
import { homeFolder, registriesOf, type Surroundings, transportOf } from "./home.ts";
import { type Bytes, linesOf } from "./input.ts";
import { COMMAND_OPTIONS, findOneShot, ONESHOTS, runOneShot } from "./oneshot.ts";
import type { Output } from "./output.ts";
import { checkedName } from "./group_program.ts";
import type { MachineInfo, OpenGroup, OpenLog, OpenRegistry, OpenUser, Run } from "./ports.ts";
import { promptLoop } from "./prompt.ts";
import { notice } from "./render.ts";
import { runScript } from "./script.ts";
import { start } from "./start.ts";

const OPTIONS: Options = {
  registry: {
    type: "list",
    value: "HOST:PORT[#KEY]",
    help: `registry to ask (else $ZGROUP_REGISTRY), default ${DEFAULT_REGISTRY}`,
  },
  name: { type: "text", value: "NAME", help: "the name that others see; it is kept" },
  ...COMMAND_OPTIONS,
  port: { type: "text", value: "PORT", help: "start: port of the registry, default 5555" },
  profile: { type: "text", value: "NAME", help: "start: be another user of this folder" },
};

/** What `user.ts --help` says; commands come from their table. */
export const ABOUT: About = {
  program: "user.ts",
  usage: [
    "user.ts                 (the prompt; commands line by line when stdin is no terminal)",
    "user.ts start           (registry, group and prompt in one: the quickest way to try it)",
    "user.ts COMMAND …       (one command and out)",
  ],
  text: [
    "Commands:",
    ...columns([
      ...ONESHOTS.map(({ usage, help }) => [usage, help] as const),
      ["start [--port PORT] [--profile NAME]", "a registry, the group Lobby and the prompt"],
      ["doctor", "what is wrong here, and what to do"],
      ["help", "this text"],
    ]),
    "",
    "G is a group's name or its IP:PORT. TIME is HH:MM[:SS] (today), YYYY-MM-DD [HH:MM[:SS]],",
    "ISO 8601, or an age: 15m, 2h, 3d. Exit codes: 0 done, 1 refused or failed, 2 wrong usage.",
  ],
  options: OPTIONS,
  examples: [
    "deno run -A user.ts",
    'deno run -A user.ts join "Cool Group"',
    'deno run -A user.ts send "Cool Group" Hello everybody',
    'deno run -A user.ts read "Cool Group" --since 2h --json',
    "sensor | deno run -A user.ts send 127.0.0.1:5560 - --lines",
  ],
};

/** The process's doors, handed in by the entry script. */
export interface UserDoors {
  readonly openUser: OpenUser;
  readonly openGroup: OpenGroup;
  readonly openRegistry: OpenRegistry;
  readonly openLog: OpenLog;
  /** The name kept in a home; undefined on the first run. */
  readonly keptName: (home: string) => Promise<string | undefined>;
  /** The name of the system's user. */
  readonly systemName: () => Promise<string>;
  /** What this machine gives a user of a home. */
  readonly machine: (home: string, transport?: string) => Promise<MachineInfo>;
  /** Whether anything listens at an address. */
  readonly isListening: (address: string) => Promise<boolean>;
  readonly stdin: Bytes;
  /** Asks on the terminal; undefined when stdin is none. */
  readonly ask?: (questions: readonly Question[]) => Promise<string[]>;
}

/** Runs the user program; the exit code. */
export function userProgram(
  argv: readonly string[],
  doors: UserDoors,
  output: Output,
  surroundings: Surroundings,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
    const [command] = given.positionals;
    if (command === "help") {
      await output.print(helpText(ABOUT));
      return 0;
    }
    const home = homeFolder(given, surroundings);
    if (command === "start") return await start({ given, home, doors, output, run });
    for (const option of ["port", "profile"]) {
      if (given.texts.has(option)) {
        throw new UsageError(`Cannot use --${option}: it belongs to user.ts start`);
      }
    }
    const registries = registriesOf(given, surroundings);
    if (command === "doctor") return await doctor({ given, home, registries, doors, output, run });
    return command === undefined
      ? await talk(given, home, registries, doors, output, run)
      : await once(given, home, registries, doors, output, run);
  });
}

async function once(
  given: Given,
  home: string,
  registries: string[],
  { openUser, stdin }: UserDoors,
  output: Output,
  { signal, onClose }: Run,
): Promise<number> {
  const command = findOneShot(given);
  const user = await openUser({ home, registries, ...chosenName(given), ...transportOf(given) });
  onClose(() => user.close());
  user.on((event) => {
    if (event.type === "warning") void output.complain(notice(event.text));
  });
  return await runOneShot(command, {
    user,
    given,
    words: given.positionals.slice(1),
    json: given.flags.has("json"),
    home,
    output,
    stdin,
    signal,
    now: Date.now,
  });
}

async function talk(
  given: Given,
  home: string,
  registries: string[],
  doors: UserDoors,
  output: Output,
  run: Run,
): Promise<number> {
  atMost(given.positionals, 0);
  for (const option of [...given.flags, ...given.texts.keys()]) {
    if (!Object.hasOwn(COMMAND_OPTIONS, option)) continue;
    throw new UsageError(`Cannot use --${option} without a command, for example read G --last 10`);
  }
  const name = given.texts.has("name") ? chosenName(given) : await firstName(home, doors);
  const engine = transportOf(given);
  const user = await doors.openUser({ home, registries, ...name, ...engine });
  run.onClose(() => user.close());
  const host = hosting({ home, registries, ...engine }, doors, run);
  return doors.ask
    ? await promptLoop({ user, home, host, output, run })
    : await runScript({ user, host, output, lines: linesOf(doors.stdin), signal: run.signal });
}

function chosenName(given: Given): { name?: string } {
  const name = given.texts.get("name");
  return name === undefined ? {} : { name: checkedName(name) };
}

async function firstName(home: string, { ask, keptName, systemName }: UserDoors) {
  if (!ask || await keptName(home) !== undefined) return {};
  const standard = safeLine(await systemName());
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
  return { name: checkedName(name) };
}
