#!/usr/bin/env node
/** `zgroup PROGRAM …`: one command for the three programs, as npm installs it. */

import "./prepare.ts";
import process from "node:process";
import { safeLine } from "../lib/text/filter.ts";
import { VERSION } from "../lib/cli/program.ts";

const HELP = `Group messaging over ZeroMQ on your own machines.

  zgroup start                      a registry, the group Lobby and the prompt in one
  zgroup registry                   run a registry: it says where groups are
  zgroup group "Cool Group" IP:PORT run a group: it keeps the log and brings the messages
  zgroup user                       the prompt: list, join, talk
  zgroup user send G Hello          one command and out; zgroup user --help shows them all

  zgroup registry|group|user --help shows what each takes, zgroup --version the version.`;

const PROGRAMS: Readonly<Record<string, () => Promise<unknown>>> = {
  registry: () => import("../registry.ts"),
  group: () => import("../group.ts"),
  user: () => import("../user.ts"),
};

const [program] = process.argv.slice(2);
if (program === undefined || ["help", "--help", "-h"].includes(program)) {
  console.log(HELP);
} else if (program === "--version") {
  console.log(`zgroup ${VERSION}`);
} else if (program === "start") {
  await PROGRAMS.user();
} else if (Object.hasOwn(PROGRAMS, program)) {
  process.argv.splice(2, 1);
  await PROGRAMS[program]();
} else {
  console.error(
    `FAILED: Cannot run "${safeLine(program)}": expected start, registry, group or user\n` +
      "See zgroup --help",
  );
  process.exitCode = 2;
}
