/** `group.ts`: keeps the log of one group and serves its members. */

import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { shortKey } from "../identity/keys.ts";
import {
  checkedAddress,
  DEFAULT_REGISTRY,
  parseAddress,
  splitRegistry,
} from "../text/addresses.ts";
import { safeLine } from "../text/filter.ts";
import { checkedName, nameProblem, normalName } from "../text/names.ts";
import { parseDuration } from "../text/time.ts";
import { atMost, type Given, wholeNumber } from "./args.ts";
import { COPY_TEXT, COPY_USAGE, copyCommand, type CopyDoors, isCopyCommand } from "./copies.ts";
import { type Environment, homeFolder, registriesOf, transportOf } from "./home.ts";
import {
  type About,
  type GroupOptions,
  type OpenGroup,
  type OpenLog,
  type Run,
  serve,
  withArgs,
} from "./program.ts";
import type { Ask, Output } from "./streams.ts";

const ABOUT: About = {
  program: "group.ts",
  usage: [
    "group.ts NAME IP:PORT [--registry HOST:PORT …]",
    "group.ts   (on a terminal: it asks)",
    ...COPY_USAGE,
  ],
  text: [
    "Runs a group: it keeps the group's log and brings every message to every member.",
    "IP:PORT is where it listens; port 0 takes a free one.",
    "",
    ...COPY_TEXT,
  ],
  options: {
    registry: {
      type: "list",
      value: "HOST:PORT[#KEY]",
      help: `registry to be listed in (else $ZGROUP_REGISTRY), default ${DEFAULT_REGISTRY}`,
    },
    data: { type: "text", value: "DIR", help: "folder of this group's log" },
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
    quiet: { type: "flag", help: "log warnings only" },
    "log-json": { type: "flag", help: "log one JSON object a line" },
  },
  examples: [
    'deno run -A group.ts "Cool Group" 127.0.0.1:5560',
    "deno run -A group.ts Lab 192.168.3.97:5561 --registry 192.168.3.1:5555 --data /srv/lab",
    "deno run -A group.ts Scratch 127.0.0.1:0 --memory",
    "deno run -A group.ts backup Lab lab.db --data /srv/lab",
  ],
};

/** The processes' doors, handed in by the entry script. */
export interface GroupDoors extends CopyDoors {
  readonly openGroup: OpenGroup;
  readonly openLog: OpenLog;
  /** Asks on the terminal; undefined when there is none. */
  readonly ask?: Ask;
}

/** Runs the group program; the exit code. */
export function groupProgram(
  argv: readonly string[],
  { openGroup, openLog, ask, ...copying }: GroupDoors,
  output: Output,
  environment: Environment,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
    if (isCopyCommand(given)) return await copyCommand(given, copying, output, environment);
    const what = await whatToRun(given, environment, ask);
    const log = openLog({ quiet: given.flags.has("quiet"), json: given.flags.has("log-json") });
    const home = homeFolder(given, environment);
    return await serve(
      log,
      () => openGroup({ home, log, ...what, ...servingOf(given) }),
      ({ address, name, key }) =>
        `Group ${safeLine(name ?? what.name)} listens on ${address}, ` +
        `registry ${what.registries.join(", ")} (short key ${shortKey(key)}; Ctrl-C stops it)`,
      output,
      run,
    );
  });
}

type What = Pick<GroupOptions, "name" | "address" | "registries">;

async function whatToRun(
  given: Given,
  environment: Environment,
  ask: GroupDoors["ask"],
): Promise<What> {
  const [name, address] = given.positionals;
  atMost(given.positionals, 2);
  const registries = registriesOf(given, environment);
  if (name !== undefined && address !== undefined) {
    return {
      name: checkedName(name),
      address: checkedAddress("the address", address, { free: true }),
      registries,
    };
  }
  if (!ask) {
    throw new UsageError(
      'Cannot start a group: expected NAME IP:PORT, for example "Cool Group" 127.0.0.1:5560',
    );
  }
  const [registry, port, asked] = await ask([
    {
      text: "Registry",
      standard: registries[0],
      problem: (typed) => splitRegistry(typed) ? undefined : "expected HOST:PORT",
    },
    {
      text: "Port of the group (0 takes a free one)",
      standard: "5560",
      problem: (typed) =>
        parseAddress(`x:${typed}`) || parseAddress(typed) ? undefined : "expected 0 to 65535",
    },
    {
      text: "Name of the group",
      ...(name === undefined ? {} : { standard: name }),
      problem: (typed) => nameProblem(normalName(typed)),
    },
  ]);
  return {
    name: normalName(asked),
    address: parseAddress(port) ? port : `127.0.0.1:${port}`,
    registries: [registry, ...registries.slice(1)],
  };
}

/** What options say of how the group is served. */
function servingOf(given: Given): Partial<GroupOptions> {
  const data = given.texts.get("data");
  const advertise = given.texts.get("advertise");
  const [rate, keep] = [given.texts.get("rate"), given.texts.get("keep")];
  const [keepFor, memory] = [given.texts.get("keep-for"), given.texts.get("max-memory")];
  return {
    ...(data === undefined ? {} : { data: join(data) }),
    ...(given.flags.has("memory") ? { memory: true } : {}),
    ...(given.flags.has("plain") ? { plain: true } : {}),
    ...(given.flags.has("private") ? { private: true } : {}),
    ...(given.flags.has("unlisted") ? { unlisted: true } : {}),
    ...(rate === undefined
      ? {}
      : { rate: rate === "off" ? Infinity : wholeNumber("--rate", rate, 1) }),
    ...(keep === undefined ? {} : { keep: wholeNumber("--keep", keep, 1) }),
    ...(keepFor === undefined ? {} : { keepFor: parseDuration(keepFor) }),
    ...(memory === undefined
      ? {}
      : { memoryLimit: wholeNumber("--max-memory", memory, 16, 1_048_576) * 1_048_576 }),
    ...(advertise === undefined ? {} : { advertise }),
    ...transportOf(given),
  };
}
