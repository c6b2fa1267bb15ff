/** THE table of the prompt's commands. Help, completion and the parser are made from it. */

import { act, invite, topic, trust } from "./commands_admin.ts";
import { DEEDS } from "./admin.ts";
import { create, join, leave, switchGroup } from "./commands_membership.ts";
import { getMessages, sendMessage } from "./commands_messages.ts";
import { help, listGroups, members, menu, rename, showGroups, whoami } from "./commands_show.ts";
import type { Names } from "./line.ts";
import type { Session } from "./session.ts";

/** What a command is handed of the table that it stands in. */
export interface Table {
  readonly commands: readonly Command[];
  /** Runs a command by its name; whatever fails is said. */
  run(session: Session, name: string, rest: string): Promise<void>;
}

/** One command. `run` throws when it is refused or fails. */
export interface Command extends Names {
  readonly usage: string;
  readonly help: string;
  readonly run: (
    session: Session,
    rest: string,
    word: string,
    table: Table,
  ) => Promise<void> | void;
}

/** Every command, in the order of help. */
export const COMMANDS: readonly Command[] = [
  {
    names: ["list_groups", "get_group_list"],
    short: ["list"],
    usage: "list_groups [PREFIX]",
    help: "the groups that the registry knows",
    run: listGroups,
  },
  {
    names: ["join_group"],
    short: ["join"],
    usage: "join_group G|zgroup://…",
    help: "become a member and go there",
    run: join,
  },
  {
    names: ["leave_group"],
    short: ["leave"],
    usage: "leave_group G",
    help: "be a member no more",
    run: leave,
  },
  {
    names: ["show_groups"],
    short: ["groups"],
    usage: "show_groups",
    help: "the groups you have joined",
    run: showGroups,
  },
  {
    names: ["get_messages"],
    short: ["read"],
    usage: "get_messages [G] [TIME]",
    help: "messages, all or from a time on",
    run: getMessages,
  },
  {
    names: ["send_message"],
    short: ["send"],
    usage: "send_message G [TEXT]",
    help: "send; without TEXT the lines up to END",
    run: sendMessage,
  },
  {
    names: ["create_group"],
    short: ["create"],
    usage: "create_group NAME [IP:PORT]",
    help: "start a group in this program and join it",
    run: create,
  },
  {
    names: ["members"],
    most: 1,
    usage: "members [G]",
    help: "who is in a group",
    run: members,
  },
  {
    names: ["switch"],
    most: 1,
    usage: "switch G",
    help: "send plain text to that group",
    run: switchGroup,
  },
  {
    names: ["invite"],
    most: 0,
    usage: "/invite [G] [--uses N] [--for TIME] [--role ROLE] [--qr]",
    help: "a link by which others can join",
    run: invite,
  },
  ...DEEDS.map(({ name, usage, help }): Command => ({
    names: [name],
    most: 0,
    usage: `/${name} ${usage.replace("G", "[G]")}`,
    help,
    run: act,
  })),
  {
    names: ["topic"],
    most: 0,
    usage: "/topic [G] [TEXT]",
    help: "show or set what a group is about",
    run: topic,
  },
  {
    names: ["trust"],
    most: 0,
    usage: "/trust G|HOST:PORT",
    help: "accept who is there now as that group or registry",
    run: trust,
  },
  {
    names: ["rename"],
    most: 1,
    usage: "/rename NAME",
    help: "change the name that others see",
    run: rename,
  },
  { names: ["whoami"], most: 0, usage: "whoami", help: "your name and id", run: whoami },
  { names: ["menu"], most: 0, usage: "menu", help: "numbered choices", run: menu },
  {
    names: ["help"],
    short: ["h", "?"],
    most: 0,
    usage: "help",
    help: "this text",
    run: help,
  },
  {
    names: ["exit"],
    short: ["quit", "q"],
    most: 0,
    usage: "exit",
    help: "leave the program (also Ctrl-D)",
    run: (session) => {
      session.ended = true;
    },
  },
];
