/** `group.ts`: keeps the log of one group and serves its members. */

import { normalize } from "node:path";
import { UsageError } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import {
  checkedAddress,
  DEFAULT_REGISTRY,
  isAddress,
  parseAddress,
  splitRegistry,
} from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { checkedName, nameProblem, normalName } from "../text/names.ts";
import { parseDuration } from "../text/time.ts";
import { atMost, COMMON, type Given, type Options, valueOf, wholeNumber } from "./args.ts";
import {
  COPY_ENTRIES,
  COPY_OPTIONS,
  copyCommand,
  type CopyDoors,
  isCopyCommand,
} from "./copies.ts";
import { commandPage, entryRows, optionRows, pageOfOptions } from "./help.ts";
import { homeFolder, whereOf } from "./home.ts";
import {
  type About,
  type OpenGroupOptions,
  type Run,
  type ServerDoors,
  withArgs,
} from "./program.ts";
import { LOG_OPTIONS, OUTPUT_PAGE, serve } from "./serve.ts";
import type { Output, Question } from "./streams.ts";

const OPTIONS: Options = {
  registry: {
    type: "list",
    value: "HOST:PORT[#KEY]",
    help: `registry to be listed in (else $ZGROUP_REGISTRY), default ${DEFAULT_REGISTRY}`,
  },
  data: { type: "text", value: "DIR", help: "folder of this group's log" },
  log: {
    type: "text",
    value: "URL",
    help: "in PostgreSQL, postgres://HOST,…/DB, for several servers: see OPERATE.md",
  },
  "relay-only": { type: "flag", help: "of a log in PostgreSQL: serve members, never decide" },
  "single-copy": { type: "flag", help: "of a log in PostgreSQL: one disk is enough" },
  memory: { type: "flag", help: "keep the log in memory: it is gone at the end" },
  plain: { type: "flag", help: "also serve programs that claim an id without proof" },
  private: { type: "flag", help: "let in only who is invited" },
  unlisted: { type: "flag", help: "tell no registry" },
  rate: {
    type: "text",
    value: "N|off",
    help: "messages a second of one user, default 500; off lifts every limit",
  },
  keep: { type: "text", value: "N", help: "keep the content of the newest N entries only" },
  "keep-for": { type: "text", value: "TIME", help: "keep content so long, like 90d" },
  "max-memory": {
    type: "text",
    value: "MIB",
    help: "what all connections together may hold, default 256; beyond, the greediest are cut",
  },
  advertise: { type: "text", value: "HOST", help: "host that others reach this machine by" },
  ...COPY_OPTIONS,
  ...LOG_OPTIONS,
};

/** Pages about options; those that no page names stand on the first one. */
const PAGES: Readonly<Record<string, readonly [about: string, options: readonly string[]]>> = {
  log: [
    "log: where it is kept, and for how long",
    ["data", "log", "relay-only", "single-copy", "memory", "keep", "keep-for"],
  ],
  network: [
    "network: who reaches the group, and how much they may",
    ["advertise", "unlisted", "plain", "rate", "max-memory"],
  ],
  output: [OUTPUT_PAGE, Object.keys(LOG_OPTIONS)],
  copies: ["", Object.keys(COPY_OPTIONS)],
};

/** What `group.ts --help` and `group.ts help` say. */
export const ABOUT: About = {
  program: "group.ts",
  options: OPTIONS,
  page(words) {
    const [word] = words[0] === "help" ? words.slice(1) : words;
    if (word === undefined) return firstPage();
    if (word === "copies") return copiesPage();
    if (Object.hasOwn(PAGES, word)) return optionsPage(word);
    const copying = COPY_ENTRIES.find(({ names }) => names[0] === word);
    if (copying) return commandPage(copying, PLACE);
    if (words[0] !== "help") return firstPage(); // The name of a group.
    const known = [...Object.keys(PAGES), ...COPY_ENTRIES.map(({ names }) => names[0])].join(", ");
    throw new UsageError(`Cannot show help on "${safeLine(word)}": expected ${known}`);
  },
};

const PLACE = { program: "group.ts ", run: "deno run -A group.ts " };

function firstPage(): string[] {
  const elsewhere = new Set(Object.values(PAGES).flatMap(([, options]) => options));
  const own = Object.entries({ ...OPTIONS, ...COMMON }).filter(([name]) => !elsewhere.has(name));
  return [
    "Usage: group.ts NAME IP:PORT [--registry HOST:PORT …]",
    "       group.ts              (on a terminal: it asks)",
    "",
    "Runs a group: it keeps the group's log and brings every message to every member.",
    "IP:PORT is where it listens; port 0 takes a free one.",
    "",
    "Options:",
    ...optionRows(Object.fromEntries(own)),
    "",
    `More: group.ts help ${Object.keys(PAGES).join(", ")}`,
    'Example: deno run -A group.ts "Cool Group" 127.0.0.1:5560',
  ];
}

function optionsPage(word: string): string[] {
  const [about, options] = PAGES[word];
  return pageOfOptions(about, Object.fromEntries(options.map((name) => [name, OPTIONS[name]])));
}

function copiesPage(): string[] {
  return [
    "Copies of a group, and moving it:",
    "",
    ...entryRows(COPY_ENTRIES.map(({ usage, help }) => [usage, help])),
    "",
    "group.ts help backup and so on show one of them, with an example.",
  ];
}

/** Runs the group program; the exit code. */
export function groupProgram(
  argv: readonly string[],
  { openGroup, openLog, ask, ...copying }: Omit<ServerDoors, "openRegistry"> & CopyDoors,
  output: Output,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
    if (isHelp(given)) {
      await output.print(ABOUT.page(given.positionals).join("\n"));
      return 0;
    }
    if (isCopyCommand(given)) return await copyCommand(given, copying, output, run);
    const what = await whatToRun(given, ask);
    return await serve(
      given,
      openLog,
      (log) => openGroup({ ...what, ...servingOf(given), log }),
      ({ address, name, key }) =>
        `Group ${safeLine(name ?? what.name)} listens on ${address}, ` +
        (given.flags.has("unlisted") ? "unlisted" : `registry ${what.registries.join(", ")}`) +
        ` (short key ${shortKey(key)}; Ctrl-C stops it)`,
      output,
      run,
    );
  });
}

/** Whether help is asked for, and not a group of that name started. */
function isHelp({ positionals: [word, second] }: Given): boolean {
  return word === "help" && (second === undefined || !isAddress(second));
}

/** What is served, and where: given, or asked for, each by itself. */
async function whatToRun(given: Given, ask: ServerDoors["ask"]) {
  const [name, address] = given.positionals;
  atMost(given.positionals, 2);
  const where = whereOf(given, homeFolder(given));
  if (name !== undefined && address !== undefined) {
    return {
      ...where,
      name: checkedName(name),
      address: checkedAddress("the address", address, { free: true }),
    };
  }
  if (!ask) {
    throw new UsageError(
      'Cannot start a group: expected NAME IP:PORT, for example "Cool Group" 127.0.0.1:5560',
    );
  }
  const known = given.lists.has("registry") ? where.registries : undefined;
  const named = name === undefined ? undefined : checkedName(name);
  const answers = await ask([
    ...(known ? [] : [registryQuestion(where.registries[0])]),
    PORT_QUESTION,
    ...(named === undefined ? [NAME_QUESTION] : []),
  ]);
  const registries = known ?? [answers.shift()!, ...where.registries.slice(1)];
  const [port, asked] = answers;
  return {
    ...where,
    name: named ?? normalName(asked),
    address: parseAddress(port) ? port : `127.0.0.1:${port}`,
    registries,
  };
}

function registryQuestion(standard: string): Question {
  const problem = (typed: string) => splitRegistry(typed) ? undefined : "expected HOST:PORT";
  return { text: "Registry", standard, problem };
}

const PORT_QUESTION: Question = {
  text: "Port of the group (0 takes a free one)",
  standard: "5560",
  problem: (typed) =>
    parseAddress(`x:${typed}`) || parseAddress(typed) ? undefined : "expected 0 to 65535",
};

const NAME_QUESTION: Question = {
  text: "Name of the group",
  problem: (typed) => nameProblem(normalName(typed)),
};

/** What options say of how the group is served. */
function servingOf(given: Given): Partial<OpenGroupOptions> {
  const { flags, texts } = given;
  const memory = wholeNumber(given, "max-memory", 16, 1_048_576);
  return {
    data: valueOf(given, "data", normalize),
    memory: flags.has("memory"),
    database: texts.get("log"),
    relayOnly: flags.has("relay-only"),
    singleCopy: flags.has("single-copy"),
    plain: flags.has("plain"),
    private: flags.has("private"),
    unlisted: flags.has("unlisted"),
    rate: texts.get("rate") === "off" ? Infinity : wholeNumber(given, "rate", 1),
    keep: wholeNumber(given, "keep", 1),
    keepFor: valueOf(given, "keep-for", parseDuration),
    memoryLimit: memory && memory * 1_048_576,
    advertise: texts.get("advertise"),
  };
}
