/** `user.ts`: one command and out, the interactive prompt, or commands from a file. */

import { UsageError } from "../errors.ts";
import { DEFAULT_REGISTRY } from "../text/addresses.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import { checkedName } from "../text/names.ts";
import { atMost, COMMON, type Options, valueOf } from "./args.ts";
import { status, stop } from "./background.ts";
import { type Command, type ProgramCommand, refuseOthers } from "./commands/command.ts";
import { COMMAND_OPTIONS, ONCE_COMMANDS } from "./commands/table.ts";
import { doctor } from "./doctor.ts";
import { type Entry, familyRows, optionRows, pageAbout, type Place } from "./help.ts";
import { homeFolder, keepLocalOf, whereOf } from "./home.ts";
import { exportIdentity, importIdentity } from "./identity.ts";
import { findCommand, onceNames, onceOptions, runOnce } from "./once.ts";
import { type About, type Call, type Run, type UserDoors, withArgs } from "./program.ts";
import { failed, notice } from "./render.ts";
import { openNamed, screenOptions, start, talk } from "./start.ts";
import type { Output } from "./streams.ts";

const OPTIONS: Options = {
  registry: {
    type: "list",
    value: "HOST:PORT[#KEY]",
    help: `registry to ask (else $ZGROUP_REGISTRY), default ${DEFAULT_REGISTRY}`,
  },
  name: { type: "text", value: "NAME", help: "the name that others see; it is kept" },
  "keep-local": {
    type: "text",
    value: "N",
    help: "entries of each group that stay on this disk, default 10,000 (else $ZGROUP_KEEP_LOCAL)",
  },
  ...COMMAND_OPTIONS,
  all: { type: "flag", help: "the prompt shows messages of every group as they come" },
  "no-bell": { type: "flag", help: "no bell, no notice on the desktop at a mention" },
  say: { type: "flag", help: "a script's lines that are no command are texts" },
  yes: { type: "flag", help: "the prompt does not ask before a long paste goes out" },
  port: { type: "text", value: "PORT", help: "port of the registry, default 5555" },
  host: { type: "text", value: "IP", help: "serve others at this address of the machine" },
  detach: { type: "flag", help: "in the background; status shows it, stop ends it" },
  profile: { type: "text", value: "NAME", help: "be another user of this folder" },
  log: { type: "text", value: "URL", help: "a database to look at, postgres://HOST,…/DB" },
  "single-copy": { type: "flag", help: "one copy of each group in it is enough" },
  "new-user": { type: "flag", help: "begin as a new user, where the key is lost" },
  replace: { type: "flag", help: "set the user of this folder aside" },
};

/** Options of one command that opens no user before. */
const OWN_OPTIONS: Readonly<Record<string, string>> = {
  port: "start",
  host: "start",
  detach: "start",
  profile: "start",
  log: "doctor",
  "single-copy": "doctor",
  "new-user": "restore",
  replace: "import-identity",
};

/** Options of every command that concern these above all. */
const CONCERNING: Readonly<Record<string, readonly string[]>> = {
  get_messages: ["keep-local"],
  follow: ["keep-local"],
};

/** Options of what is typed line by line. */
const LINE_OPTIONS = {
  all: "the prompt",
  "no-bell": "the prompt",
  say: "lines of a script",
  yes: "what is pasted at the prompt",
} as const;

/** The table, and options, as help shows them on a command line. */
export const PLACE: Place = {
  entries: ONCE_COMMANDS.map(onceEntry),
  program: "user.ts ",
  run: "deno run -A user.ts ",
  more: "user.ts help shows the options of every command.",
};

/** A command as help shows it on a command line. */
function onceEntry(command: Command | ProgramCommand): Entry {
  const { family, help, once, program, options = [] } = command;
  const { usage, example, help: own = help } = (once ?? program)!;
  const [name] = command.names;
  const all = once ? [...onceOptions(command), ...CONCERNING[name] ?? []] : [
    ...options,
    ...Object.keys(OWN_OPTIONS).filter((one) => OWN_OPTIONS[one] === name),
    ...(name === "start" ? Object.keys(LINE_OPTIONS) : []),
  ];
  return {
    names: onceNames(command),
    family,
    help: own,
    usage,
    example,
    options: Object.fromEntries(all.map((option) => [option, OPTIONS[option]])),
  };
}

/** What `user.ts --help` and `user.ts help` say. */
export const ABOUT: About = {
  program: "user.ts",
  options: OPTIONS,
  page(words) {
    const [word] = words[0] === "help" ? words.slice(1) : words;
    return word === undefined ? firstPage() : pageAbout(word, PLACE);
  },
};

function firstPage(): string[] {
  const { registry, name, json } = OPTIONS;
  return [
    "Usage: user.ts            the prompt; in a pipe commands, with --say texts",
    "       user.ts COMMAND …  one command and out",
    "       user.ts start      registry, group and prompt in one",
    "",
    ...familyRows(PLACE.entries),
    "",
    "Options of every command:",
    ...optionRows({ registry, name, json, ...COMMON }),
    "",
    "user.ts help FAMILY, or help COMMAND, says more, with examples.",
    "G is a group's name or IP:PORT. Exit codes: 0 done, 1 refused or failed, 2 wrong",
    "usage. TIME is HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], ISO 8601, or 15m, 2h, 3d.",
  ];
}

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
      atMost(given.positionals, 2);
      await output.print(ABOUT.page(given.positionals).join("\n"));
      return 0;
    }
    for (const [option, use] of Object.entries(LINE_OPTIONS)) {
      if (!given.flags.has(option) || command === undefined || command === "start") continue;
      throw new UsageError(`Cannot use --${option} with ${safeLine(command)}: it is for ${use}`);
    }
    const call = { given, home: homeFolder(given), doors, output, run };
    for (const [option, owner] of Object.entries(OWN_OPTIONS)) {
      if (owner !== command && (given.texts.has(option) || given.flags.has(option))) {
        throw new UsageError(`Cannot use --${option}: it belongs to user.ts ${owner}`);
      }
    }
    if (command === "start") return await start(call);
    if (command === "status") return await status(call);
    if (command === "stop") return await stop(call);
    if (command === "doctor") return await doctor(call);
    if (command === "restore") return await restore(call);
    if (command === "export-identity") return await exportIdentity(call);
    if (command === "import-identity") return await importIdentity(call);
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
  const keepLocal = keepLocalOf(given);
  const user = await doors.openUser({ ...where, name, keepLocal, stays: true });
  run.onClose(() => user.close());
  user.on((event) => {
    if (event.type === "warning") void output.complain(notice(event.text));
    if (event.type === "alarm") void output.complain(failed(event.text));
  });
  return await runOnce(command, user, call);
}

async function openPrompt(call: Call): Promise<number> {
  const { given, home, doors, output, run } = call;
  const where = whereOf(given, home);
  atMost(given.positionals, 0);
  for (const option of [...given.flags, ...given.texts.keys()]) {
    if (!Object.hasOwn(COMMAND_OPTIONS, option)) continue;
    throw new UsageError(`Cannot use --${option} without a command, for example read G --last 10`);
  }
  const user = await openNamed(call, { ...where, keepLocal: keepLocalOf(given) });
  run.onClose(() => user.close());
  const servers = await doors.servers(where);
  run.onClose(() => servers.close());
  return await talk({
    user,
    home,
    servers,
    output,
    run,
    ...screenOptions(given),
  }, call);
}
