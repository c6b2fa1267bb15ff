/** One command and out: the table of `user.ts COMMAND …`, and its one runner. */

import { UsageError } from "../errors.ts";
import { ADMIN_OPTIONS, DEEDS } from "./admin.ts";
import { atMost, type Given, type Options } from "./args.ts";
import { COMMAND_WORDS, explain } from "./explain.ts";
import { safeLine } from "../text/filter.ts";
import type { Bytes } from "./input.ts";
import { act, invite, topic, trust } from "./oneshot_admin.ts";
import { follow, read } from "./oneshot_read.ts";
import { send } from "./oneshot_send.ts";
import { fingerprint, groups, list, members, whoami } from "./oneshot_show.ts";
import type { Output } from "./output.ts";
import type { UserPort } from "./ports.ts";
import { failed, success } from "./render.ts";
import { nearest } from "./suggest.ts";

/** What a command works with. */
export interface Call {
  readonly user: UserPort;
  readonly given: Given;
  /** What follows the command's name. */
  readonly words: readonly string[];
  readonly json: boolean;
  readonly home: string;
  readonly output: Output;
  readonly stdin: Bytes;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** One command. `run` throws when it is refused or fails. */
export interface OneShot {
  readonly names: readonly string[];
  readonly usage: string;
  readonly help: string;
  /** Fewest and most words after the name. */
  readonly words: readonly [least: number, most: number];
  /** Options beside those of every command. */
  readonly options: readonly string[];
  readonly run: (call: Call) => Promise<void>;
}

/** Options of single commands. */
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

/** THE table of one-shot commands. */
export const ONESHOTS: readonly OneShot[] = [
  {
    names: ["list", "list-groups", "get-group-list"],
    usage: "list [PREFIX]",
    help: "the groups that the registries know",
    words: [0, 1],
    options: ["json"],
    run: list,
  },
  {
    names: ["join", "join-group"],
    usage: "join G|zgroup://…",
    help: "become a member",
    words: [1, 1],
    options: ["json"],
    run: async ({ user, words: [group], output }) => {
      await user.join(group);
      await output.print(success(output.style));
    },
  },
  {
    names: ["leave", "leave-group"],
    usage: "leave G",
    help: "be a member no more",
    words: [1, 1],
    options: [],
    run: async ({ user, words: [group], output }) => {
      await user.leave(group);
      await output.print(success(output.style));
    },
  },
  {
    names: ["send", "send-message"],
    usage: "send G TEXT… | send G - [--lines]",
    help: "send a message; - takes standard input",
    words: [2, Infinity],
    options: ["lines", "json"],
    run: send,
  },
  {
    names: ["read", "get-messages"],
    usage: "read G [--since|--until TIME] [--after|--before SEQ] [--limit|--last N]",
    help: "entries of a group's log",
    words: [1, 1],
    options: ["json", "since", "until", "after", "before", "limit", "last"],
    run: read,
  },
  {
    names: ["follow"],
    usage: "follow G [--since TIME] [--after SEQ]",
    help: "entries as they come, until Ctrl-C",
    words: [1, 1],
    options: ["json", "since", "after"],
    run: follow,
  },
  {
    names: ["members"],
    usage: "members G",
    help: "who is in a group",
    words: [1, 1],
    options: ["json"],
    run: members,
  },
  {
    names: ["fingerprint"],
    usage: "fingerprint G [--at SEQ]",
    help: "the hash of all you are shown, to compare with another member's",
    words: [1, 1],
    options: ["json", "at"],
    run: fingerprint,
  },
  {
    names: ["groups", "show-groups"],
    usage: "groups",
    help: "the groups you have joined",
    words: [0, 0],
    options: ["json"],
    run: groups,
  },
  {
    names: ["invite"],
    usage: "invite G [--uses N] [--for TIME] [--role ROLE] [--qr]",
    help: "a link by which others can join",
    words: [1, 1],
    options: ["json", "uses", "for", "role", "qr"],
    run: invite,
  },
  ...DEEDS.map((deed): OneShot => ({
    names: [deed.name],
    usage: `${deed.name} ${deed.usage}`,
    help: deed.help,
    words: [2, deed.takes === "role" ? 3 : 2],
    options: deed.takes === "time" ? ["json", "for"] : ["json"],
    run: act(deed),
  })),
  {
    names: ["topic"],
    usage: "topic G [TEXT…]",
    help: "show or set what a group is about",
    words: [1, Infinity],
    options: ["json"],
    run: topic,
  },
  {
    names: ["trust"],
    usage: "trust G|HOST:PORT",
    help: "accept who is there now as that group or registry",
    words: [1, 1],
    options: [],
    run: trust,
  },
  {
    names: ["rename"],
    usage: "rename NAME",
    help: "change the name that others see",
    words: [1, 1],
    options: [],
    run: async ({ user, words: [name], output }) => {
      await user.rename(name);
      await output.print(success(output.style));
    },
  },
  {
    names: ["whoami"],
    usage: "whoami",
    help: "your name, id, folder and registries",
    words: [0, 0],
    options: ["json"],
    run: whoami,
  },
];

const OWN = new Set(Object.keys(COMMAND_OPTIONS));

/**
 * The command of a command line, `-` and `_` alike.
 *
 * @throws {UsageError} unknown command, wrong number of words, an option of another command
 */
export function findOneShot(given: Given): OneShot {
  const [typed, ...words] = given.positionals;
  const name = typed.replaceAll("_", "-");
  const found = ONESHOTS.find(({ names }) => names.includes(name));
  if (!found) {
    const near = nearest(name, [...ONESHOTS.flatMap(({ names }) => names), "start", "help"]);
    const hint = near ? `did you mean ${near}?` : "help shows what there is";
    throw new UsageError(`Cannot run "${safeLine(typed)}": there is no such command, ${hint}`);
  }
  const [least, most] = found.words;
  if (words.length < least) {
    throw new UsageError(`Cannot run ${name}: something is missing, expected ${found.usage}`);
  }
  atMost(words, most);
  for (const option of [...given.flags, ...given.texts.keys()]) {
    if (!OWN.has(option) || found.options.includes(option)) continue;
    throw new UsageError(`Cannot use --${option} with ${name}: expected ${found.usage}`);
  }
  return found;
}

/** Runs a command; a refusal or failure is one sentence on standard error and exit code 1. */
export async function runOneShot(command: OneShot, call: Call): Promise<number> {
  try {
    await command.run(call);
    return 0;
  } catch (error) {
    if ((error as { code?: unknown })?.code === "EPIPE") return 0;
    if (error instanceof UsageError || call.signal.aborted) throw error;
    const target = command.words[0] > 0 ? call.words[0] : undefined;
    await call.output.complain(failed(explain(error, COMMAND_WORDS, target)));
    return 1;
  }
}
