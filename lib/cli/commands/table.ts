/**
 * THE table of a user's commands. Parser, help, completion and menu of the prompt, scripts, and one
 * command and out are made from it.
 */

import type { Options } from "../args.ts";
import { actions, ADMIN_OPTIONS, invite, invites, revoke, topic } from "./admin.ts";
import type { Command, ProgramCommand } from "./command.ts";
import { create, join, leave, rename, switchGroup, trust } from "./membership.ts";
import { follow, read, send } from "./messages.ts";
import { exit, fingerprint, groups, help, list, members, menu, whoami } from "./show.ts";

const start: ProgramCommand = {
  names: ["start"],
  family: "program",
  help: "a registry, the group Lobby and the prompt",
  program: { usage: "start [--port PORT] [--profile NAME]", example: "start" },
};

const doctor: ProgramCommand = {
  names: ["doctor"],
  family: "program",
  help: "what is wrong here, and what to do",
  program: { usage: "doctor [--log URL]", example: "doctor" },
  options: ["json"],
};

const restore: ProgramCommand = {
  names: ["restore"],
  family: "files",
  help: "make a damaged folder whole again, and say what is lost",
  program: { usage: "restore [--new-user]", example: "restore" },
  options: ["json"],
};

/** The rows of the prompt and of scripts, in the order of its help. */
export const PROMPT_COMMANDS: readonly Command[] = [
  list,
  join,
  leave,
  groups,
  read,
  send,
  create,
  members,
  switchGroup,
  invite,
  invites,
  revoke,
  ...actions,
  topic,
  trust,
  rename,
  whoami,
  menu,
  help,
  exit,
];

/** The rows of `user.ts COMMAND …`, in the order of its help. */
export const ONCE_COMMANDS: readonly (Command | ProgramCommand)[] = [
  list,
  join,
  leave,
  send,
  read,
  follow,
  members,
  fingerprint,
  groups,
  invite,
  invites,
  revoke,
  ...actions,
  topic,
  trust,
  rename,
  whoami,
  start,
  doctor,
  restore,
  help,
];

/** Options of single commands, in the order of help. */
export const COMMAND_OPTIONS: Options = {
  json: { type: "flag", help: "one JSON object a line" },
  since: { type: "text", value: "TIME", help: "from this time on, inclusive" },
  until: { type: "text", value: "TIME", help: "up to this time, inclusive" },
  after: { type: "text", value: "SEQ", help: "entries after this seq" },
  before: { type: "text", value: "SEQ", help: "entries before this seq" },
  limit: { type: "text", value: "N", help: "at most the first N" },
  last: { type: "text", value: "N", help: "the last N" },
  at: { type: "text", value: "SEQ", help: "up to this entry" },
  lines: { type: "flag", help: "send each line of standard input as one message" },
  ...ADMIN_OPTIONS,
};
