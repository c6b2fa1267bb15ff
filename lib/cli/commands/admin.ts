/** Commands of admins: invite, the actions on a member, topic. */

import { UsageError } from "../../errors.ts";
import { safeLine } from "../../text/filter.ts";
import { parseDuration } from "../../text/time.ts";
import type { Action, InviteTerms } from "../../user/types.ts";
import { atMost, type Given, type Options, readArgs, wholeNumber } from "../args.ts";
import { qrCode, success } from "../render.ts";
import { type AtPrompt, groupNamed, type GroupRef, refuseOthers, type Row } from "./command.ts";
import { joinedGroup, splitWords, takeQuoted, takeTarget } from "./targets.ts";

/** Options of `invite` and of the actions. */
export const ADMIN_OPTIONS: Options = {
  uses: { type: "text", value: "N", help: "invite: how many may use it, default 1" },
  for: { type: "text", value: "TIME", help: "invite, mute: how long, like 1h or 7d" },
  role: { type: "text", value: "ROLE", help: "invite: reader, member or admin; default member" },
  qr: { type: "flag", help: "invite: also as a QR code" },
};

interface Inviting {
  readonly group: GroupRef;
  readonly terms: InviteTerms;
  readonly qr: boolean;
}

export const invite: Row<Inviting, { link: string; qr?: string }> = {
  names: ["invite"],
  most: 0,
  help: "a link by which others can join",
  prompt: {
    usage: "/invite [G] [--uses N] [--for TIME] [--role ROLE] [--qr]",
    read(typed, prompt) {
      const { group, rest } = groupAndRest(typed, prompt);
      const given = readArgs(splitWords(rest), ADMIN_OPTIONS);
      const [extra] = given.positionals;
      if (extra === undefined) return { group, ...invitingOf(given) };
      throw new UsageError(`Cannot use "${safeLine(extra)}": expected options`);
    },
  },
  once: {
    usage: "invite G [--uses N] [--for TIME] [--role ROLE] [--qr]",
    words: [1, 1],
    read: ({ words: [group], given }) => ({ group: groupNamed(group), ...invitingOf(given) }),
  },
  options: ["uses", "for", "role", "qr"],
  async run({ user }, { group, terms, qr }) {
    const link = await user.invite(group.id, terms);
    return { link, ...(qr ? { qr: await qrCode(link) } : {}) };
  },
  // The link stands alone, so that a script can take it.
  text: ({ link, qr }) => qr === undefined ? [link] : [link, qr],
  json: ({ link }) => [{ invite: link }],
};

function invitingOf({ texts, flags }: Given): Pick<Inviting, "terms" | "qr"> {
  const [uses, time, role] = [texts.get("uses"), texts.get("for"), texts.get("role")];
  return {
    terms: {
      ...(uses === undefined ? {} : { uses: wholeNumber("--uses", uses, 1, 1_000_000) }),
      ...(time === undefined ? {} : { for: parseDuration(time) }),
      ...(role === undefined ? {} : { role: roleOf(role) }),
    },
    qr: flags.has("qr"),
  };
}

/** One action on a member. */
interface AdminAction {
  readonly name: Exclude<Action["action"], "topic">;
  readonly usage: string;
  readonly help: string;
  readonly takes: "role" | "time" | "nothing";
}

/** Every action on a member, in the order of help. */
const ADMIN_ACTIONS: readonly AdminAction[] = [
  { name: "promote", usage: "USER [ROLE]", help: "give a higher role", takes: "role" },
  { name: "demote", usage: "USER [ROLE]", help: "give a lower role", takes: "role" },
  { name: "remove", usage: "USER", help: "end a membership", takes: "nothing" },
  { name: "ban", usage: "USER", help: "end a membership for good", takes: "nothing" },
  { name: "unban", usage: "USER", help: "let somebody join again", takes: "nothing" },
  { name: "mute", usage: "USER [--for TIME]", help: "let somebody only read", takes: "time" },
  { name: "unmute", usage: "USER", help: "let somebody send again", takes: "nothing" },
];

interface Acting {
  readonly group: GroupRef;
  readonly action: Action;
}

/** A row for each action on a member. */
export const actions: readonly Row<Acting, number>[] = ADMIN_ACTIONS.map((action) => {
  const { name, usage, help, takes } = action;
  const options = takes === "time" ? ["for"] : [];
  return {
    names: [name],
    most: 0,
    help,
    prompt: {
      usage: `/${name} [G] ${usage}`,
      read(typed, prompt) {
        const { group, rest } = groupAndRest(typed, prompt);
        const given = readArgs(splitWords(rest), ADMIN_OPTIONS);
        refuseOthers(given, ADMIN_OPTIONS, options, { name, usage: `/${name} [G] ${usage}` });
        return { group, action: actionOf(action, given.positionals, given) };
      },
    },
    once: {
      usage: `${name} G ${usage}`,
      words: [2, takes === "role" ? 3 : 2],
      read: ({ words: [group, ...rest], given }) => ({
        group: groupNamed(group),
        action: actionOf(action, rest, given),
      }),
    },
    options,
    run: ({ user }, { group, action }) => user.act(group.id, action),
    text: (_, { style }) => [success(style)],
    json: (seq) => [{ seq }],
  };
});

/** The action on a user and, where it takes one, a role. @throws {UsageError} */
function actionOf(
  { name, usage, takes }: AdminAction,
  words: readonly string[],
  { texts }: Given,
): Action {
  const [user, role] = words;
  if (!user) throw new UsageError(`Cannot ${name}: expected ${name} G ${usage}`);
  atMost(words, takes === "role" ? 2 : 1);
  const time = takes === "time" ? texts.get("for") : undefined;
  return {
    action: name,
    user,
    ...(role === undefined ? {} : { role: roleOf(role) }),
    ...(time === undefined ? {} : { for: parseDuration(time) }),
  };
}

function roleOf(typed: string): NonNullable<Action["role"]> {
  if (typed === "reader" || typed === "member" || typed === "admin") return typed;
  throw new UsageError(`Cannot use the role ${safeLine(typed)}: expected reader, member or admin`);
}

/** Without a topic it is shown; an empty one takes it away. */
interface Topic {
  readonly group: GroupRef;
  readonly topic?: string;
}

export const topic: Row<Topic, number | string> = {
  names: ["topic"],
  most: 0,
  help: "show or set what a group is about",
  prompt: {
    usage: "/topic [G] [TEXT]",
    read(typed, prompt) {
      const { group, rest } = groupAndRest(typed, prompt);
      if (rest === "") return { group };
      const quoted = takeQuoted(rest);
      return { group, topic: quoted && quoted.rest === "" ? quoted.target : rest };
    },
  },
  once: {
    usage: "topic G [TEXT…]",
    words: [1, Infinity],
    read: ({ words: [group, ...texts] }) => ({
      group: groupNamed(group),
      ...(texts.length === 0 ? {} : { topic: texts.join(" ") }),
    }),
  },
  run: ({ user }, { group: { id }, topic }) =>
    topic === undefined ? user.topic(id) : user.act(id, { action: "topic", topic }),
  text(result, { style }, { group }) {
    if (typeof result === "number") return [success(style)];
    return [result === "" ? { remark: `${group.name} has no topic` } : safeLine(result)];
  },
  json: (result) => [typeof result === "number" ? { seq: result } : { topic: result }],
};

/** The group that comes first, or the current one when what comes first is no joined group. */
function groupAndRest(
  typed: string,
  { known, joined, current }: AtPrompt,
): { group: GroupRef; rest: string } {
  const taken = takeTarget(typed, known);
  const own = taken &&
    joined.find(({ name, address }) =>
      [name.toLowerCase(), address].includes(taken.target.toLowerCase())
    );
  if (taken && own) return { group: own, rest: taken.rest };
  if (current) return { group: current, rest: typed.trim() };
  if (!taken) throw new UsageError("Cannot do that: expected a joined group, its NAME or IP:PORT");
  return { group: joinedGroup(taken.target, joined), rest: taken.rest };
}
