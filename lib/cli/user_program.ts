/** `user.ts`: one command and out, the interactive prompt, or commands from a file. */

import { UsageError } from "../errors.ts";
import { DEFAULT_REGISTRY } from "../text/addresses.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import { checkedName } from "../text/names.ts";
import { atMost, columns, type Options, valueOf } from "./args.ts";
import { refuseOthers } from "./commands/command.ts";
import { COMMAND_OPTIONS, ONCE_COMMANDS } from "./commands/table.ts";
import { doctor } from "./doctor.ts";
import { homeFolder, whereOf } from "./home.ts";
import { findCommand, runOnce } from "./once.ts";
import { type About, type Call, helpText, type Run, type UserDoors, withArgs } from "./program.ts";
import { failed, notice } from "./render.ts";
import { hosting, SCREEN_OPTIONS, screenOptions, start, talk } from "./start.ts";
import type { Output } from "./streams.ts";

const OPTIONS: Options = {
  registry: {
    type: "list",
    value: "HOST:PORT[#KEY]",
    help: `registry to ask (else $ZGROUP_REGISTRY), default ${DEFAULT_REGISTRY}`,
  },
  name: { type: "text", value: "NAME", help: "the name that others see; it is kept" },
  ...COMMAND_OPTIONS,
  ...SCREEN_OPTIONS,
  port: { type: "text", value: "PORT", help: "start: port of the registry, default 5555" },
  profile: { type: "text", value: "NAME", help: "start: be another user of this folder" },
  log: { type: "text", value: "URL" },
  "single-copy": { type: "flag" },
  "new-user": { type: "flag", help: "restore: begin as a new user, where the key is lost" },
};

/** Options of one command that opens no user before. */
const OWN_OPTIONS = {
  port: "start",
  profile: "start",
  log: "doctor",
  "single-copy": "doctor",
  "new-user": "restore",
} as const;

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
    ...columns(ONCE_COMMANDS.map(({ once, program, help }) => {
      const { usage, help: own = help } = (once ?? program)!;
      return [usage, own];
    })),
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

/** Runs the user program; the exit code. */
export function userProgram(
  argv: readonly string[],
  doors: UserDoors,
  output: Output,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
    const [command] = given.positionals;
    const row = ONCE_COMMANDS.find(({ names, program }) => program && names[0] === command);
    if (row?.program) {
      const { program: { usage }, options = [] } = row;
      refuseOthers(given, COMMAND_OPTIONS, options, { name: command, usage });
    }
    if (command === "help") {
      await output.print(helpText(ABOUT));
      return 0;
    }
    const call = { given, home: homeFolder(given), doors, output, run };
    for (const [option, owner] of Object.entries(OWN_OPTIONS)) {
      if (owner !== command && (given.texts.has(option) || given.flags.has(option))) {
        throw new UsageError(`Cannot use --${option}: it belongs to user.ts ${owner}`);
      }
    }
    for (const option of Object.keys(SCREEN_OPTIONS)) {
      if (command === undefined || command === "start" || !given.flags.has(option)) continue;
      throw new UsageError(`Cannot use --${option} with ${command}: it belongs to the prompt`);
    }
    if (command === "start") return await start(call);
    if (command === "doctor") return await doctor(call);
    if (command === "restore") return await restore(call);
    return command === undefined ? await openPrompt(call) : await oneCommand(call);
  });
}

async function restore({ given, home, doors, output }: Call): Promise<number> {
  atMost(given.positionals, 1);
  const name = valueOf(given, "name", checkedName);
  const told = await doors.restoreHome(home, { newUser: given.flags.has("new-user"), name });
  const json = given.flags.has("json");
  for (const text of told) await output.print(json ? safeJson({ text }) : safeLine(text));
  return 0;
}

async function oneCommand(call: Call): Promise<number> {
  const { given, home, doors, output, run } = call;
  const where = whereOf(given, home);
  const command = findCommand(given);
  const name = valueOf(given, "name", checkedName);
  const user = await doors.openUser({ ...where, name, stays: true });
  run.onClose(() => user.close());
  user.on((event) => {
    if (event.type === "warning") void output.complain(notice(event.text));
    if (event.type === "alarm") void output.complain(failed(event.text));
  });
  return await runOnce(command, user, call);
}

async function openPrompt({ given, home, doors, output, run }: Call): Promise<number> {
  const where = whereOf(given, home);
  atMost(given.positionals, 0);
  for (const option of [...given.flags, ...given.texts.keys()]) {
    if (!Object.hasOwn(COMMAND_OPTIONS, option)) continue;
    throw new UsageError(`Cannot use --${option} without a command, for example read G --last 10`);
  }
  const name = valueOf(given, "name", checkedName) ?? await firstName(home, doors);
  const user = await doors.openUser({ ...where, name });
  run.onClose(() => user.close());
  const host = hosting(where, doors, run);
  return await talk({ user, home, host, output, run, ...screenOptions(given) }, doors);
}

async function firstName(home: string, { ask, keptName, systemName }: UserDoors) {
  if (!ask || await keptName(home) !== undefined) return undefined;
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
  return checkedName(name);
}
