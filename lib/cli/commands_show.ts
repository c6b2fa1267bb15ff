/** Commands of the prompt that show something: lists, members, help, the menu. */

import { UsageError } from "../errors.ts";
import type { Table } from "./commands.ts";
import { joined } from "./commands_membership.ts";
import { safeLine } from "../text/filter.ts";
import { columns } from "./help.ts";
import { joinedLine, listingLine, memberLine, paint } from "./render.ts";
import type { Session } from "./session.ts";
import { wholeTarget } from "./targets.ts";
import { withUnread } from "./unread.ts";

/** `list_groups [PREFIX]`, numbered for a person. */
export async function listGroups(session: Session, rest: string): Promise<void> {
  const { user, screen } = session;
  const found = await user.list(rest === "" ? {} : { prefix: rest });
  session.remember(found);
  if (found.length === 0) {
    return session.say("no group is listed; create_group NAME starts one");
  }
  const member = new Set(user.joined().map(({ id }) => id));
  const lines = found.map((listing) =>
    listingLine(listing, screen.style) +
    (screen.live && member.has(listing.record?.id ?? "")
      ? paint(screen.style, "gray", " (joined)")
      : "")
  );
  screen.print(numbered(session, lines));
}

/** `show_groups`. */
export async function showGroups(session: Session): Promise<void> {
  const groups = await withUnread(session.user);
  if (groups.length === 0) {
    return session.say("you have joined no group; list_groups shows them, join_group G joins one");
  }
  session.remember(groups);
  const current = session.current?.id;
  session.screen.print(numbered(
    session,
    groups.map((group) =>
      joinedLine(group, session.screen.style) +
      (session.screen.live && group.id === current ? " *" : "")
    ),
  ));
}

/** `members [G]`. */
export async function members(session: Session, rest: string): Promise<void> {
  const target = wholeTarget(rest, session.known);
  const group = target === undefined ? session.current : joined(session, target);
  if (!group) throw new UsageError("Cannot show members: expected a joined group, members NAME");
  const found = await session.user.members(group.id);
  for (const { name } of found) session.seenNames.add(name);
  session.screen.print(found.map((one) => memberLine(one, session.screen.style)).join("\n"));
}

/** `whoami`. */
export function whoami({ user, screen }: Session): void {
  screen.print(`${safeLine(user.name)} ${user.id}`);
}

/** `rename NAME`. */
export async function rename(session: Session, rest: string): Promise<void> {
  if (rest === "") throw new UsageError("Cannot rename: expected a name, rename NAME");
  await session.user.rename(rest);
  session.succeed();
  session.refresh();
}

/** `help`. */
export function help({ screen }: Session, _rest: string, _word: string, { commands }: Table): void {
  screen.print([
    ...columns(commands.map((command) => [command.usage, command.help] as const)),
    "",
    "Any other line goes to the current group (the one before >). Begin it with a space when its",
    "first word is a command. Paste several lines: they are one message.",
    "G is a group's name, its IP:PORT, or its number in the last list; - and _ are alike, and /",
    "may stand before a command. TIME is HH:MM[:SS], YYYY-MM-DD [HH:MM[:SS]], ISO 8601, or 15m, 2h, 3d.",
  ].join("\n"));
}

interface Choice {
  readonly text: string;
  readonly command: string;
  /** What is asked for, in order. */
  readonly asks: readonly string[];
}

const CHOICES: readonly Choice[] = [
  { text: "List groups", command: "list_groups", asks: [] },
  { text: "Join a group", command: "join_group", asks: ["Group (name, number or IP:PORT)"] },
  { text: "Leave a group", command: "leave_group", asks: ["Group"] },
  { text: "Send a message", command: "send_message", asks: ["Group", "Text"] },
  { text: "Get messages", command: "get_messages", asks: ["Group", "From when (Enter: all)"] },
  { text: "Show my groups", command: "show_groups", asks: [] },
  { text: "Members of a group", command: "members", asks: ["Group"] },
  { text: "Create a group", command: "create_group", asks: ["Name"] },
  { text: "Exit", command: "exit", asks: [] },
];

/** `menu`: choices by number until Enter alone. */
export async function menu(
  session: Session,
  _rest: string,
  _word: string,
  table: Table,
): Promise<void> {
  while (!session.ended) {
    session.screen.print(
      CHOICES.map(({ text }, i) => `  ${i + 1}. ${text}`).join("\n"),
    );
    const typed = (await session.screen.nextLine("Number (Enter goes back): "))?.trim();
    if (!typed) return;
    const choice = /^\d+$/.test(typed) ? CHOICES[Number(typed) - 1] : undefined;
    if (!choice) {
      session.fail(`Cannot choose "${safeLine(typed)}": expected 1 to ${CHOICES.length}`);
      continue;
    }
    const answers = await asked(session, choice.asks);
    if (answers !== undefined) await table.run(session, choice.command, answers);
  }
}

/** The answers in the order of a command line; undefined when one that is needed is missing. */
async function asked(session: Session, asks: readonly string[]): Promise<string | undefined> {
  const answers: string[] = [];
  for (const question of asks) {
    const answer = (await session.screen.nextLine(`${question}: `))?.trim();
    if (answer === undefined || (answer === "" && !question.includes("Enter"))) return undefined;
    // A group's name may have spaces and something follows it.
    const group = question === "Group" && /\s/.test(answer) && !/^["']/.test(answer);
    answers.push(group ? `"${answer.replaceAll('"', '\\"')}"` : answer);
  }
  return answers.join(" ");
}

function numbered(session: Session, lines: readonly string[]): string {
  if (!session.screen.live) return lines.join("\n");
  const width = String(lines.length).length;
  return lines.map((line, i) => `${String(i + 1).padStart(width)}. ${line}`).join("\n");
}
