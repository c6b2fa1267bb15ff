/** Commands that change where you are and who you are: join, leave, switch, create, trust, rename. */

import { Refusal, UsageError } from "../../errors.ts";
import { checkedAddress } from "../../text/addresses.ts";
import { counted } from "../../text/counted.ts";
import { safeLine } from "../../text/filter.ts";
import { type Meant, meant } from "../../text/meant.ts";
import { checkedName, typedName } from "../../text/names.ts";
import type { JoinedGroup, Left, Trusted } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import { joinedFields, success, trustedLine } from "../render.ts";
import type { Options } from "../args.ts";
import { type End, endOf, type HostOptions } from "../servers.ts";
import { type AtPrompt, promptOf, type Row, type Shown } from "./command.ts";
import {
  didYouMean,
  groupNamed,
  type GroupRef,
  takeFlags,
  takeNameAndAddress,
  wholeJoined,
  wholeTarget,
} from "./targets.ts";

export const join: Row<string, JoinedGroup> = {
  names: ["join_group"],
  short: ["join"],
  takes: ["group", "word"],
  family: "groups",
  help: "become a member",
  prompt: {
    usage: "/join G|zgroup://…",
    example: "/join Cool Group",
    help: "become a member and go there",
    read: (rest, { known }) =>
      wholeTarget(rest, known, "Cannot join: expected a group, join_group NAME or IP:PORT"),
  },
  once: {
    usage: "join G|zgroup://…",
    example: 'join "Cool Group"',
    words: [1, 1],
    read: ({ words: [target] }) => target,
  },
  menu: {
    number: 2,
    text: "Join a group",
    asks: [{ question: "Group (name, number or IP:PORT)" }],
  },
  pace: "first",
  run: ({ user }, target) => joinListed(user, target),
  json: (group) => [joinedFields(group)],
  after: enter,
};

/** Joins; a name that is not found may be one that is listed, in another case or with a slip in it. */
async function joinListed(user: User, target: string): Promise<JoinedGroup> {
  try {
    return await user.join(target);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const all = await user.list().catch(() => []);
    const listed = [...new Set(all.map(({ name }) => name))];
    const found = meant(target, listed, (name) => name);
    if (found.kind === "one" && found.exact && found.one !== target) {
      return await user.join(found.one);
    }
    throw hinted(error, target, found);
  }
}

function isNotFound(error: unknown): error is Refusal {
  return error instanceof Refusal && error.code === "not_found";
}

/** The refusal of what was not found, with the names that may have been meant. */
function hinted(error: Refusal, target: string, found: Meant<string>): Refusal {
  const hint = didYouMean(found, typedName);
  if (hint === undefined) return error;
  return new Refusal("not_found", `Cannot find the group "${target}": ${hint}`);
}

/** Goes to a group that was joined, and shows what comes there. */
function enter(prompt: AtPrompt, group: JoinedGroup): Promise<void> {
  prompt.switchTo(group);
  return prompt.watch(group);
}

export const leave: Row<GroupRef, Left> = {
  names: ["leave_group"],
  short: ["leave"],
  takes: ["group"],
  family: "groups",
  help: "be a member no more",
  prompt: {
    usage: "/leave G",
    example: "/leave Cool Group",
    read: (rest, prompt) =>
      wholeJoined(rest, prompt, "Cannot leave: expected a group, leave_group NAME or IP:PORT"),
  },
  once: {
    usage: "leave G",
    example: 'leave "Cool Group"',
    words: [1, 1],
    read: ({ words: [group], joined }) => groupNamed(group, { joined }),
  },
  menu: { number: 3, text: "Leave a group", asks: [{ question: "Group", quoted: true }] },
  pace: "first",
  run: ({ user }, { id }) => user.leave(id),
  text({ told, unsent }, { style }, { name }) {
    const them = counted(unsent, "message");
    return [
      ...(told
        ? []
        : [{ remark: `${name} does not answer: it is told that you left when it does` }]),
      ...(unsent > 0
        ? [{ remark: `${them} for ${name} not sent; unsend shows and drops what waits` }]
        : []),
      success(style),
    ];
  },
  json: ({ told, unsent }, { name }) => [{ left: name, told, unsent }],
  after: (prompt, _, group) => prompt.left(group),
};

export const switchGroup: Row<JoinedGroup, JoinedGroup> = {
  names: ["switch"],
  takes: ["group"],
  most: 1,
  family: "talk",
  help: "send plain text to that group",
  prompt: {
    usage: "/switch G",
    example: "/switch Cool Group",
    read: (rest, prompt) =>
      wholeJoined(rest, prompt, "Cannot switch: expected a joined group, switch NAME", {
        loosely: true,
      }),
  },
  pace: "at once",
  run: (_, group) => group,
  text: ({ name }) => [{ remark: `plain text goes to ${name} now` }],
  after: (prompt, group) => prompt.switchTo(group),
};

interface Creating extends HostOptions {
  readonly name: string;
}

/** Gives the group that was started here, then the same one joined. */
export const create: Row<
  Creating,
  { readonly address: string; readonly end: End } | JoinedGroup
> = {
  names: ["create_group"],
  short: ["create"],
  takes: ["name"],
  family: "groups",
  help: "start a group beside this program and join it",
  prompt: {
    usage: "/create NAME [IP:PORT] [--private] [--unlisted]",
    example: "/create Cool Group --private",
    read(typed) {
      const { rest, flags } = takeFlags(typed, Object.keys(CREATE_OPTIONS));
      const { name, address } = takeNameAndAddress(rest);
      if (name === "") throw new UsageError("Cannot create a group: expected create_group NAME");
      return {
        name: checkedName(name),
        address: address && checkedAddress("the address", address, { free: true }),
        ...(flags.has("private") ? { private: true } : {}),
        ...(flags.has("unlisted") ? { unlisted: true } : {}),
      };
    },
  },
  menu: { number: 8, text: "Create a group", asks: [{ question: "Name" }] },
  pace: "first",
  async *run(context, { name, ...options }) {
    const { servers } = promptOf(context);
    const group = await servers.host(name, options);
    yield { address: group.address, end: await endOf(servers) };
    yield await context.user.join(group.address);
  },
  text: (created, { style }, creating) =>
    "id" in created
      ? [success(style)]
      : [{ remark: hosted(creating, created) }, ...howToEnter(creating, created)],
  after: (prompt, created) => "id" in created ? enter(prompt, created) : undefined,
};

/** Options of `create_group`. */
export const CREATE_OPTIONS: Options = {
  private: { type: "flag", help: "let in only who is invited" },
  unlisted: { type: "flag", help: "tell no registry of it" },
};

function hosted(
  { name }: Creating,
  { address, end }: { readonly address: string; readonly end: End },
): string {
  const until = {
    here: "until this program ends",
    elsewhere: "until another prompt of this folder ends",
    background: "in the background",
  }[end];
  return `${safeLine(name)} listens on ${address} ${until}, and comes back with the next start; ` +
    `/stop ${typedName(name)} ends that`;
}

function howToEnter(
  { private: isPrivate, unlisted }: Creating,
  { address }: { readonly address: string },
): Shown[] {
  if (isPrivate) return [{ remark: "it is private: /invite makes a link that lets others in" }];
  return unlisted
    ? [{ remark: `no registry tells of it: others join ${address}, or by the link of /invite` }]
    : [];
}

export const trust: Row<string, { trusted: Trusted; gone: readonly JoinedGroup[] }> = {
  names: ["trust"],
  takes: ["group"],
  most: 1,
  family: "groups",
  help: "accept who is there now as that group or registry",
  prompt: {
    usage: "/trust G|HOST:PORT",
    example: "/trust Cool Group",
    read: (rest, { known }) =>
      wholeTarget(
        rest,
        known,
        "Cannot trust: expected a group or a registry, trust NAME or HOST:PORT",
      ),
  },
  once: {
    usage: "trust G|HOST:PORT",
    example: 'trust "Cool Group"',
    words: [1, 1],
    read: ({ words: [target] }) => target,
  },
  pace: "first",
  async run({ user }, target) {
    const before = user.joined();
    const names = before.map(({ name }) => name);
    const trusted = await user.trust(target).catch((error: unknown) => {
      throw isNotFound(error) ? hinted(error, target, meant(target, names, (name) => name)) : error;
    });
    const still = new Set(user.joined().map(({ id }) => id));
    return { trusted, gone: before.filter(({ id }) => !still.has(id)) };
  },
  // What was done is a remark, so that scripts get SUCCESS alone.
  text: ({ trusted }, { style }) => [{ remark: trustedLine(trusted) }, success(style)],
  json: ({ trusted }) => [trusted],
  after(prompt, { gone }) {
    for (const group of gone) prompt.left(group);
    prompt.refresh();
  },
};

export const rename: Row<string, void> = {
  names: ["rename"],
  takes: ["word"],
  most: 1,
  family: "program",
  help: "change the name that others see",
  prompt: {
    usage: "/rename NAME",
    example: "/rename Alice",
    read(rest) {
      if (rest !== "") return rest;
      throw new UsageError("Cannot rename: expected a name, rename NAME");
    },
  },
  once: {
    usage: "rename NAME",
    example: "rename Alice",
    words: [1, 1],
    read: ({ words: [name] }) => name,
  },
  run: ({ user }, name) => user.rename(name),
  json: (_, name) => [{ name }],
  after: (prompt) => prompt.refresh(),
};
