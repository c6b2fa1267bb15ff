/** Commands of the prompt for admins: invite, the actions on a member, topic, trust. */

import { UsageError } from "../errors.ts";
import { actionOf, ADMIN_OPTIONS, DEEDS, termsOf } from "./admin.ts";
import { readArgs } from "./args.ts";
import { joined } from "./commands_membership.ts";
import { safeLine } from "../text/filter.ts";
import type { JoinedGroup } from "./ports.ts";
import { trustedLine } from "./render.ts";
import type { Session } from "./session.ts";
import { takeQuoted, takeTarget, wholeTarget } from "./targets.ts";

/** `invite [G] [--uses N] [--for TIME] [--role ROLE] [--qr]`. */
export async function invite(session: Session, rest: string): Promise<void> {
  const { group, rest: words } = groupAndRest(session, rest);
  const given = readArgs(splitWords(words), ADMIN_OPTIONS);
  if (given.positionals.length > 0) {
    throw new UsageError(`Cannot use "${safeLine(given.positionals[0])}": expected options`);
  }
  const link = await session.user.invite(group.id, termsOf(given));
  session.screen.print(link);
  if (given.flags.has("qr")) session.screen.print((await import("./qr.ts")).qrCode(link));
}

/** `promote [G] USER [ROLE]` and its like; `word` is the command. */
export async function act(session: Session, rest: string, word: string): Promise<void> {
  const deed = DEEDS.find(({ name }) => name === word)!;
  const { group, rest: words } = groupAndRest(session, rest);
  const given = readArgs(splitWords(words), ADMIN_OPTIONS);
  await session.user.act(group.id, actionOf(deed, given.positionals, given));
  session.succeed();
}

/** `topic [G] [TEXT]`: shows it without TEXT; `""` takes it away. */
export async function topic(session: Session, rest: string): Promise<void> {
  const { group, rest: text } = groupAndRest(session, rest);
  if (text === "") {
    const found = await session.user.topic(group.id);
    return found === ""
      ? session.say(`${group.name} has no topic`)
      : session.screen.print(safeLine(found));
  }
  const quoted = takeQuoted(text);
  const topic = quoted && quoted.rest === "" ? quoted.target : text;
  await session.user.act(group.id, { action: "topic", topic });
  session.succeed();
}

/** `trust G` and `trust HOST:PORT`. */
export async function trust(session: Session, rest: string): Promise<void> {
  const target = wholeTarget(rest, session.known);
  if (!target) {
    throw new UsageError("Cannot trust: expected a group or a registry, trust NAME or HOST:PORT");
  }
  const before = session.user.joined();
  session.say(trustedLine(await session.user.trust(target)));
  session.succeed();
  const joined = new Set(session.user.joined().map(({ id }) => id));
  for (const group of before) if (!joined.has(group.id)) session.left(group);
  session.refresh();
}

/** The group that comes first, or the current one when what comes first is no joined group. */
function groupAndRest(session: Session, typed: string): { group: JoinedGroup; rest: string } {
  const taken = takeTarget(typed, session.known);
  const { current } = session;
  const own = taken &&
    session.user.joined().find(({ name, address }) =>
      [name.toLowerCase(), address].includes(taken.target.toLowerCase())
    );
  if (taken && own) return { group: own, rest: taken.rest };
  if (current) return { group: current, rest: typed.trim() };
  if (!taken) throw new UsageError("Cannot do that: expected a joined group, its NAME or IP:PORT");
  return { group: joined(session, taken.target), rest: taken.rest };
}

/** Words, those in quotes whole. @throws {UsageError} a quote without its end */
function splitWords(text: string): string[] {
  const words: string[] = [];
  for (let rest = text.trim(); rest !== "";) {
    const quoted = takeQuoted(rest);
    const word = quoted?.target ?? rest.split(/\s/, 1)[0];
    words.push(word);
    rest = quoted ? quoted.rest : rest.slice(word.length).trim();
  }
  return words;
}
