/** `group.ts`: keeps the log of one group and serves its members. */

import { normalize } from "node:path";
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
import { atMost, type Given, valueOf, wholeNumber } from "./args.ts";
import { COPY_TEXT, COPY_USAGE, copyCommand, type CopyDoors, isCopyCommand } from "./copies.ts";
import { homeFolder, whereOf } from "./home.ts";
import {
  type About,
  type OpenGroupOptions,
  type Run,
  type ServerDoors,
  withArgs,
} from "./program.ts";
import { LOG_OPTIONS, serve } from "./serve.ts";
import type { Output } from "./streams.ts";

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
    log: {
      type: "text",
      value: "URL",
      help:
        "log in PostgreSQL, postgres://HOST,…/DB: for servers on several machines, see OPERATE.md",
    },
    "relay-only": { type: "flag" },
    "single-copy": { type: "flag" },
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
    from: { type: "text", value: "PLACE" },
    to: { type: "text", value: "PLACE" },
    ...LOG_OPTIONS,
  },
  examples: [
    'deno run -A group.ts "Cool Group" 127.0.0.1:5560',
    "deno run -A group.ts Lab 192.168.3.97:5561 --registry 192.168.3.1:5555 --data /srv/lab",
    "deno run -A group.ts Scratch 127.0.0.1:0 --memory",
    "deno run -A group.ts backup Lab lab.db --data /srv/lab",
  ],
};

/** Runs the group program; the exit code. */
export function groupProgram(
  argv: readonly string[],
  { openGroup, openLog, ask, ...copying }: Omit<ServerDoors, "openRegistry"> & CopyDoors,
  output: Output,
  run: Run,
): Promise<number> {
  return withArgs(argv, ABOUT, output, async (given) => {
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

/** What is served, and where: given, or asked for. */
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
  const [registry, port, asked] = await ask([
    {
      text: "Registry",
      standard: where.registries[0],
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
      standard: name,
      problem: (typed) => nameProblem(normalName(typed)),
    },
  ]);
  return {
    ...where,
    name: normalName(asked),
    address: parseAddress(port) ? port : `127.0.0.1:${port}`,
    registries: [registry, ...where.registries.slice(1)],
  };
}

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
