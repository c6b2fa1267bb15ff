/** Commands that show something: lists, members, fingerprint, who you are, help, the menu. */

import type { Listing } from "../../protocol/schema.ts";
import { safeLine } from "../../text/filter.ts";
import type { BannedInfo, Fingerprint, JoinedGroup, MemberInfo } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import { wholeNumber } from "../args.ts";
import { type Entry, entryRows, familyRows, pageAbout, type Place } from "../help.ts";
import {
  folded,
  joinedFields,
  joinedLine,
  listingFields,
  listingLine,
  memberLine,
  paint,
  type Style,
} from "../render.ts";
import { fullLabel } from "../people.ts";
import { ADMIN_OPTIONS } from "./admin.ts";
import { CREATE_OPTIONS } from "./membership.ts";
import { type Ask, type AtPrompt, type Command, promptOf, type Row } from "./command.ts";
import { groupNamed, type GroupRef, wholeJoined } from "./targets.ts";

export const list: Row<string | undefined, readonly Listing[]> = {
  names: ["list_groups", "get_group_list"],
  short: ["list"],
  takes: ["word"],
  family: "groups",
  help: "the groups that the registries know",
  prompt: {
    usage: "/list [PREFIX]",
    example: "/list Cool",
    help: "the groups that the registry knows",
    read: (rest) => rest || undefined,
  },
  once: {
    usage: "list [PREFIX]",
    example: "list",
    words: [0, 1],
    read: ({ words: [prefix] }) => prefix,
  },
  menu: { number: 1, text: "List groups", asks: [] },
  run: ({ user }, prefix) => user.list({ prefix }),
  text(found, { prompt, style, user }, prefix) {
    if (found.length > 0) {
      const member = new Set(prompt?.live ? user.joined().map(({ id }) => id) : []);
      const mark = paint(style, "gray", " (joined)");
      return numbered(
        found.map((one) =>
          listingLine(one, style) + (member.has(one.record?.id ?? "") ? mark : "")
        ),
        prompt,
      );
    }
    if (prompt) return [{ remark: "no group is listed; create_group NAME starts one" }];
    const which = prefix === undefined ? "" : ` that begins with ${prefix}`;
    return [{ remark: `no group${which} is listed; group.ts NAME IP:PORT starts one` }];
  },
  json: (found) => found.map(listingFields),
  after: (prompt, found) => prompt.remember(found),
};

export const groups: Row<void, readonly JoinedGroup[]> = {
  names: ["show_groups"],
  short: ["groups"],
  most: 0,
  family: "groups",
  help: "the groups you have joined",
  prompt: { usage: "/groups", example: "/groups", read: () => {} },
  once: { usage: "groups", example: "groups --json", words: [0, 0], read: () => {} },
  menu: { number: 6, text: "Show my groups", asks: [] },
  run: ({ user }) => user.check(),
  text(joined, { prompt, style }) {
    if (joined.length > 0) {
      const current = prompt?.live ? prompt.current?.id : undefined;
      return numbered(
        joined.map((group) => {
          const unread = prompt?.unread(group) ?? group.unread;
          return joinedLine({ ...group, unread }, style) + (group.id === current ? " *" : "");
        }),
        prompt,
      );
    }
    const [all, join] = prompt ? ["list_groups", "join_group"] : ["list", "join"];
    return [{ remark: `you have joined no group; ${all} shows them, ${join} G joins one` }];
  },
  json: (joined) => joined.map(joinedFields),
  after: (prompt, joined) => joined.length > 0 ? prompt.remember(joined) : undefined,
};

interface Everyone {
  readonly members: readonly MemberInfo[];
  /** Told to admins. */
  readonly banned: readonly BannedInfo[];
}

export const members: Row<GroupRef, Everyone> = {
  names: ["members"],
  takes: ["group"],
  most: 1,
  family: "people",
  help: "who is in a group",
  prompt: {
    usage: "/members [G]",
    example: "/members Cool Group",
    read: (rest, prompt) =>
      rest === "" && prompt.current
        ? prompt.current
        : wholeJoined(rest, prompt, "Cannot show members: expected a joined group, members NAME", {
          loosely: true,
        }),
  },
  once: {
    usage: "members G",
    example: 'members "Cool Group"',
    words: [1, 1],
    read: ({ words: [group], joined }) => groupNamed(group, { joined, loosely: true }),
  },
  menu: { number: 7, text: "Members of a group", asks: [{ question: "Group", quoted: true }] },
  async run({ user }, { id }) {
    const [members, banned] = await Promise.all([user.members(id), user.banned(id)]);
    return { members, banned };
  },
  text: ({ members, banned }, { style }) => [
    ...members.map((one) => memberLine(one, style)),
    ...banned.map((one) => fullLabel(one) + paint(style, "gray", " (banned)")),
  ],
  json: ({ members, banned }) => [
    ...members,
    ...banned.map((one) => ({ ...one, banned: true })),
  ],
  after: (prompt, { members }, group) => prompt.saw(group, members),
};

export const fingerprint: Row<{ group: GroupRef; at?: number }, Fingerprint> = {
  names: ["fingerprint"],
  takes: ["group"],
  most: 1,
  family: "files",
  help: "the hash of all you are shown, to compare with another member's",
  prompt: {
    usage: "/fingerprint [G]",
    help: "the hash of all you are shown",
    example: "/fingerprint",
    read: (rest, prompt) => ({
      group: rest === "" && prompt.current
        ? prompt.current
        : wholeJoined(rest, prompt, "Cannot hash: expected a joined group, fingerprint NAME", {
          loosely: true,
        }),
    }),
  },
  once: {
    usage: "fingerprint G [--at SEQ]",
    example: 'fingerprint "Cool Group" --at 1000',
    words: [1, 1],
    read: ({ words: [group], given, joined }) => ({
      group: groupNamed(group, { joined, loosely: true }),
      at: wholeNumber(given, "at", 1),
    }),
  },
  options: ["at"],
  run: ({ user }, { group, at }) => user.fingerprint(group.id, { at }),
  text: ({ seq, hash, from }) => [
    `${seq} ${hash}`,
    ...(from > 1 ? [{ remark: `the group keeps nothing before entry ${from}` }] : []),
  ],
  json: (found, { group }) => [{ group: group.name, ...found }],
};

export const whoami: Row<void, Pick<User, "id" | "name" | "registries"> & { home: string }> = {
  names: ["whoami"],
  most: 0,
  family: "program",
  help: "your name, id, folder and registries",
  prompt: { usage: "/whoami", example: "/whoami", help: "your name and id", read: () => {} },
  once: { usage: "whoami", example: "whoami", words: [0, 0], read: () => {} },
  pace: "at once",
  run: ({ user: { id, name, registries }, home }) => ({ id, name, home, registries }),
  text: ({ id, name, home, registries }, { prompt }) =>
    prompt ? [`${fullLabel({ user: id, name })} ${id}`] : [
      `name      ${fullLabel({ user: id, name })}`,
      `id        ${id}`,
      `folder    ${home}`,
      `registry  ${registries.join(", ")}`,
    ],
  json: (found) => [found],
};

/** A page: the families, or what a word of theirs is about. */
export const help: Row<string, void> = {
  names: ["help"],
  short: ["h", "?"],
  takes: ["page"],
  most: 1,
  family: "program",
  help: "what there is, a family of it, or one command",
  prompt: { usage: "/help [FAMILY|COMMAND]", example: "/help talk", read: (rest) => rest },
  program: { usage: "help [FAMILY|COMMAND]", example: "help talk" },
  pace: "at once",
  run: () => {},
  text: (_, context, word) => promptHelp(promptOf(context).commands, context.style, word),
};

/** A page of the prompt's help, about a command or a family; without a word the first one. */
export function promptHelp(commands: readonly Command[], style: Style, word: string): string[] {
  const place: Place = { entries: commands.map(promptEntry), program: "", run: "" };
  const page = word === "" ? firstPage(place) : pageAbout(word, place);
  return page.map((line) => folded(line, style, 0));
}

function firstPage({ entries }: Place): string[] {
  return [
    "What you type goes to the current group, the one before >. Commands:",
    "",
    ...familyRows(entries),
    "",
    ...entryRows([
      ["help FAMILY", "what the commands of a family do: help groups"],
      ["help COMMAND", "one of them, with an example: help join, or /join --help"],
    ]),
    "",
    "G is a group's name, its IP:PORT, or its number in the last list. TIME is",
    "HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], ISO 8601, or an age: 15m, 2h, 3d.",
    "Begin a line with a space to send it when its first word is a command.",
  ];
}

/** A command as help shows it at the prompt. */
function promptEntry(command: Command): Entry {
  const { names, short = [], family, help, prompt } = command;
  const { usage, example } = prompt!;
  // The short name of a long one: `/list` for `list_groups`.
  const [first, ...others] = names[0].includes("_") ? [...short, ...names] : [...names, ...short];
  const own = Object.entries({ ...CREATE_OPTIONS, ...ADMIN_OPTIONS }).filter(([name]) =>
    usage.includes(`--${name}`)
  );
  return {
    names: [`/${first}`, ...others],
    family,
    help: prompt!.help ?? help,
    usage,
    example,
    options: Object.fromEntries(own),
  };
}

export const menu: Row<void, void> = {
  names: ["menu"],
  most: 0,
  family: "program",
  help: "numbered choices",
  prompt: { usage: "/menu", example: "/menu", read: () => {} },
  pace: "first",
  run: (context) => choose(promptOf(context)),
  text: () => [],
};

/** Choices by number until Enter alone. */
async function choose(prompt: AtPrompt): Promise<void> {
  const choices = prompt.commands
    .flatMap((command) => command.menu ? [{ command, ...command.menu }] : [])
    .sort((a, b) => a.number - b.number);
  while (!prompt.ended) {
    prompt.print(choices.map(({ number, text }) => `  ${number}. ${text}`).join("\n"));
    const typed = (await prompt.nextLine("Number (Enter goes back): "))?.trim();
    if (!typed) return;
    const choice = /^\d+$/.test(typed) ? choices[Number(typed) - 1] : undefined;
    if (!choice) {
      prompt.fail(`Cannot choose "${safeLine(typed)}": expected 1 to ${choices.length}`);
      continue;
    }
    const answers = await answersTo(choice.asks, prompt);
    if (answers !== undefined) await prompt.run(choice.command, answers);
  }
}

/** The answers in the order of a command line; undefined when one that is needed is missing. */
async function answersTo(asks: readonly Ask[], prompt: AtPrompt): Promise<string | undefined> {
  const answers: string[] = [];
  for (const { question, optional, quoted } of asks) {
    const answer = (await prompt.nextLine(`${question}: `))?.trim();
    if (answer === undefined || (answer === "" && !optional)) return undefined;
    const quote = quoted && /\s/.test(answer) && !/^["']/.test(answer);
    answers.push(quote ? `"${answer.replaceAll('"', '\\"')}"` : answer);
  }
  return answers.join(" ");
}

export const exit: Row<void, void> = {
  names: ["exit"],
  short: ["quit", "q"],
  most: 0,
  family: "program",
  help: "leave the program (also Ctrl-D)",
  prompt: { usage: "/exit", example: "/exit", read: () => {} },
  menu: { number: 9, text: "Exit", asks: [] },
  pace: "at once",
  run: (context) => void (promptOf(context).ended = true),
  text: () => [],
};

/** Lines of a list; a person gets numbers, by which commands take them. */
function numbered(lines: readonly string[], prompt: AtPrompt | undefined): readonly string[] {
  if (!prompt?.live) return lines;
  const width = String(lines.length).length;
  return lines.map((line, i) => `${String(i + 1).padStart(width)}. ${line}`);
}
