#!/usr/bin/env node
/** `zgroup PROGRAM …` or `zgroup COMMAND …`: one command for all, as npm installs it. */

import "./prepare.ts";
import process from "node:process";
import { VERSION } from "../lib/cli/program.ts";

const PROGRAMS: Readonly<Record<string, () => Promise<unknown>>> = {
  registry: () => import("../registry.ts"),
  group: () => import("../group.ts"),
  user: () => import("../user.ts"),
};

/** What there is: the programs, and the families of a user's commands. */
async function help(): Promise<string> {
  const { PLACE } = await import("../lib/cli/user_program.ts");
  const { entryRows, familyRows } = await import("../lib/cli/help.ts");
  return [
    `zgroup ${VERSION}: group messaging over ZeroMQ, on your own machines.`,
    "",
    ...entryRows([
      ["zgroup start", "registry, the group Lobby and the prompt in one"],
      ["zgroup user", "the prompt: list, join, talk"],
      ["zgroup COMMAND …", "one command and out: zgroup send Lobby Hello"],
      ["zgroup group NAME IP:PORT", "run a group: keeps the log, brings the messages"],
      ["zgroup registry", "run a registry: it says where groups are"],
    ]),
    "",
    "Commands:",
    ...familyRows(PLACE.entries),
    "",
    "zgroup help COMMAND shows one, with an example; zgroup help talk (or another",
    "family) what they do; zgroup group --help and so on what a program takes.",
  ].join("\n");
}

const [first, second] = process.argv.slice(2);
if (first === undefined || (["help", "--help", "-h"].includes(first) && second === undefined)) {
  console.log(await help());
} else if (first === "help" && Object.hasOwn(PROGRAMS, second)) {
  process.argv.splice(2, 2, "--help");
  await PROGRAMS[second]();
} else if (Object.hasOwn(PROGRAMS, first)) {
  process.argv.splice(2, 1);
  await PROGRAMS[first]();
} else if (first === "--version") {
  console.log(`zgroup ${VERSION}`);
} else {
  await PROGRAMS.user(); // A command of the user, or its sentence for what is none.
}
