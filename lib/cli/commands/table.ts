/**
 * THE table of a user's commands. Parser, help, completion and menu of the prompt, scripts, and one
 * command and out are made from it.
 */

import type { Options } from "../args.ts";
import { LIKE_DURATION } from "../../text/time.ts";
import { actions, ADMIN_OPTIONS, invite, invites, revoke, topic } from "./admin.ts";
import type { Command, ProgramCommand } from "./command.ts";
import { create, join, leave, rename, switchGroup, trust } from "./membership.ts";
import { follow, read, send } from "./messages.ts";
import { flush, unsend } from "./outbox.ts";
import { status, stop } from "./servers.ts";
import { exit, fingerprint, groups, help, list, members, menu, whoami } from "./show.ts";

const start: ProgramCommand = {
  names: ["start"],
  most: 0,
  help: "a registry, the group Lobby and the prompt",
  instead: "this prompt runs already; create_group NAME starts a group here",
  program: {
    usage: "start [--registry ADDR] [--host IP] [--detach]",
    example: "start --host 192.168.3.97",
  },
  family: "program",
};

const doctor: ProgramCommand = {
  names: ["doctor"],
  most: 0,
  help: "what is wrong here, and what to do",
  instead: "it looks from outside: run user.ts doctor in another terminal",
  program: { usage: "doctor [--log URL]", example: "doctor" },
  family: "program",
  options: ["json"],
};

const restore: ProgramCommand = {
  names: ["restore"],
  most: 0,
  help: "make a damaged folder whole again, and say what is lost",
  instead: "it needs the folder for itself: exit, then run user.ts restore",
  program: { usage: "restore [--new-user]", example: "restore" },
  family: "files",
  options: ["json"],
};

const exportIdentity: ProgramCommand = {
  names: ["export-identity"],
  most: 1,
  help: "you, as a file that a passphrase opens, for another machine",
  instead: "it asks for a passphrase: run user.ts export-identity FILE in another terminal",
  program: { usage: "export-identity FILE", example: "export-identity alice.json" },
  family: "files",
  options: ["json"],
};

const importIdentity: ProgramCommand = {
  names: ["import-identity"],
  most: 1,
  help: "be the user of such a file here, too",
  instead: "it needs a folder of its own: run user.ts import-identity FILE --home DIR",
  program: { usage: "import-identity FILE [--replace]", example: "import-identity alice.json" },
  family: "files",
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
  unsend,
  flush,
  create,
  members,
  switchGroup,
  invite,
  invites,
  revoke,
  ...actions,
  topic,
  trust,
  fingerprint,
  rename,
  whoami,
  status,
  stop,
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
  flush,
  unsend,
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
  status,
  stop,
  doctor,
  restore,
  exportIdentity,
  importIdentity,
  help,
];

/** What a line of the prompt can begin with. */
export const TYPED_COMMANDS: readonly (Command | ProgramCommand)[] = [
  ...PROMPT_COMMANDS,
  ...ONCE_COMMANDS.filter(({ instead }) => instead !== undefined),
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
  kept: { type: "flag", help: "what is kept on this disk, without asking the group" },
  lines: { type: "flag", help: "send each line of standard input as one message" },
  id: {
    type: "text",
    value: "UUID",
    help: "sent again with it, a message is there once; its own id is UUID where that is version 7",
  },
  wait: {
    type: "optional",
    value: "[TIME]",
    looks: LIKE_DURATION,
    help: "until it is sent, or as long as TIME, like 10m, says",
  },
  ...ADMIN_OPTIONS,
};
