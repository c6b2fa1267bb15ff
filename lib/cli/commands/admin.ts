/** Commands of admins: invites, the actions on a member, topic. */

import { UsageError } from "../../errors.ts";
import { safeLine } from "../../text/filter.ts";
import { counted } from "../../text/counted.ts";
import { formatLocal, parseDuration } from "../../text/time.ts";
import type { Action, InviteTerms, MadeInvite, OpenInvite } from "../../user/types.ts";
import { atMost, type Given, type Options, readArgs, valueOf, wholeNumber } from "../args.ts";
import { type QrCode, qrCode, success } from "../render.ts";
import type { Argument } from "./arguments.ts";
import { type AtPrompt, refuseOthers, type Row } from "./command.ts";
import {
  groupNamed,
  type GroupRef,
  joinedGroup,
  splitWords,
  takeQuoted,
  takeTarget,
} from "./targets.ts";

/** Options of `invite` and of the actions. */
export const ADMIN_OPTIONS: Options = {
  uses: { type: "text", value: "N", help: "how many may use it, default 1" },
  for: {
    type: "text",
    value: "TIME",
    help: "how long, like 1h or 2d; default: an invite 7d, a mute until unmute",
  },
  role: { type: "text", value: "ROLE", help: "reader, member or admin; default member" },
  qr: { type: "flag", help: "also as a QR code" },
};

/** Arguments that begin with a group. */
type InGroup<A> = A & { readonly group: GroupRef };

/** What stands behind the name and the group of a command, and how it is read. */
interface Behind<A> {
  /** As help writes it, and what an example has there. */
  readonly usage: readonly [takes: string, example: string];
  /** See `Names` of console/line.ts; the group is before it, options are behind it. */
  readonly takes?: readonly Argument[];
  /** Fewest and most words. */
  readonly words: readonly [least: number, most: number];
  readonly options: readonly string[];
  /** `usage` is that of the place where it was typed. */
  read(words: readonly string[], given: Given, usage: string): A;
}

/** A row that takes a group, then words and options: `/NAME [G] …`, and `NAME G …` on a command line. */
function inGroup<A extends object>(
  name: string,
  { usage: [shown, example], takes = [], words: [least, most], options, read }: Behind<A>,
): Pick<Row<InGroup<A>, never>, "names" | "takes" | "most" | "prompt" | "once" | "options"> {
  const usage = `/${name} [G] ${shown}`.trimEnd();
  const onceUsage = `${name} G ${shown}`.trimEnd();
  return {
    names: [name],
    takes: ["group", ...takes, "options"],
    most: 1,
    prompt: {
      usage,
      example: `/${name} ${example}`.trimEnd(),
      read(typed, prompt) {
        const { group, rest } = groupAndRest(typed, prompt);
        const given = readArgs(splitWords(rest), ADMIN_OPTIONS);
        refuseOthers(given, ADMIN_OPTIONS, options, { name, usage });
        return { group, ...read(given.positionals, given, usage) };
      },
    },
    once: {
      usage: onceUsage,
      example: `${name} "Cool Group" ${example}`.trimEnd(),
      words: [least + 1, most + 1],
      read: ({ words: [group, ...words], given, joined }) => ({
        group: groupNamed(group, { joined }),
        ...read(words, given, onceUsage),
      }),
    },
    options,
  };
}

type Inviting = InGroup<{ readonly terms: InviteTerms; readonly qr: boolean }>;

export const invite: Row<Inviting, { made: MadeInvite; qr?: QrCode }> = {
  ...inGroup("invite", {
    usage: ["[--uses N] [--for TIME] [--role ROLE] [--qr]", "--uses 5 --for 2d"],
    words: [0, 0],
    options: Object.keys(ADMIN_OPTIONS),
    read([extra], given) {
      if (extra !== undefined) {
        throw new UsageError(`Cannot use "${safeLine(extra)}": an invite takes options alone`);
      }
      const terms = {
        uses: wholeNumber(given, "uses", 1, 1_000_000),
        for: valueOf(given, "for", parseDuration),
        role: roleOf(given.texts.get("role")),
      };
      return { terms, qr: given.flags.has("qr") };
    },
  }),
  family: "groups",
  help: "a link by which others can join",
  async run({ user, style }, { group, terms, qr }) {
    const made = await user.invites.make(group.id, terms);
    return { made, ...(qr ? { qr: await qrCode(made.short, style) } : {}) };
  },
  // The link stands alone, so that a script can take it; what it is for is a remark.
  text: ({ made, qr }) => [
    { remark: `for ${termsText(made)}; revoke ${idOf(made)} ends it` },
    made.link,
    ...(qr === undefined ? [] : [typeof qr === "string" ? qr : { remark: qr.problem }]),
  ],
  json: ({ made: { link, short: _, ...rest } }) => [{ invite: link, ...inviteFields(rest) }],
};

/** `1 member, until 2026-11-29 14:00:00, as reader`. */
function termsText({ uses, until, role }: Pick<MadeInvite, "uses" | "until" | "role">): string {
  return `${counted(uses, "member")}, until ${formatLocal(until)}, as ${role}`;
}

function idOf({ id }: Pick<MadeInvite, "id">): string {
  return id.slice(0, 8);
}

function inviteFields<I extends { readonly until: number }>({ until, ...rest }: I): object {
  return { ...rest, until: new Date(until).toISOString() };
}

export const invites: Row<InGroup<object>, readonly OpenInvite[]> = {
  ...inGroup("invites", { usage: ["", ""], words: [0, 0], options: [], read: () => ({}) }),
  family: "groups",
  help: "open invites of a group, for admins",
  run: ({ user }, { group }) => user.invites.open(group.id),
  text: (found, _, { group }) =>
    found.length === 0
      ? [{ remark: `${group.name} has no open invites; invite makes one` }]
      : found.map((one) => `${idOf(one)}  ${termsText(one)}, by ${safeLine(one.name || one.by)}`),
  json: (found) => found.map(inviteFields),
};

export const revoke: Row<InGroup<{ readonly invite: string }>, number> = {
  ...inGroup("revoke", {
    usage: ["INVITE|all", "1a2b3c4d"],
    takes: ["invite"],
    words: [1, 1],
    options: [],
    read([invite, ...more]) {
      if (!invite) throw new UsageError("Cannot revoke: say which, invites shows them, or all");
      atMost(more, 0);
      return { invite };
    },
  }),
  family: "groups",
  help: "end an open invite, or all of them",
  run: ({ user }, { group, invite }) => user.invites.revoke(group.id, invite),
  text: (count, { style }, { invite }) => [
    ...(invite.toLowerCase() === "all" || count === 0
      ? [{ remark: `${counted(count, "open invite")} revoked` }]
      : []),
    success(style),
  ],
  json: (revoked) => [{ revoked }],
};

/** Every action on a member, in the order of help, and what it takes beside the member. */
const ADMIN_ACTIONS: readonly (readonly [
  name: Exclude<Action["action"], "topic">,
  help: string,
  takes?: "[ROLE]" | "[--for TIME]",
])[] = [
  ["promote", "give a higher role", "[ROLE]"],
  ["demote", "give a lower role", "[ROLE]"],
  ["remove", "end a membership"],
  ["ban", "end a membership for good"],
  ["unban", "let somebody join again"],
  ["mute", "let somebody only read", "[--for TIME]"],
  ["unmute", "let somebody send again"],
];

/** A row for each action on a member. */
export const actions: readonly Row<InGroup<{ readonly action: Action }>, number>[] = ADMIN_ACTIONS
  .map(([name, help, takes]) => {
    const usage = takes ? `USER ${takes}` : "USER";
    const most = takes === "[ROLE]" ? 2 : 1;
    const options = takes === "[--for TIME]" ? ["for"] : [];
    const example = name === "promote" ? "bob admin" : name === "mute" ? "bob --for 1h" : "bob";
    return {
      ...inGroup(name, {
        usage: [usage, example],
        takes: ["user", "role"],
        words: [1, most],
        options,
        read(words, given, expected) {
          const [user, role] = words;
          if (!user) throw new UsageError(`Cannot ${name}: expected ${expected}`);
          atMost(words, most);
          const time = valueOf(given, "for", parseDuration);
          return { action: { action: name, user, role: roleOf(role), for: time } };
        },
      }),
      family: "people",
      help,
      run: ({ user }, { group, action }) => user.act(group.id, action),
      json: (seq) => [{ seq }],
    };
  });

function roleOf(typed: string | undefined): Action["role"] {
  if (typed === undefined || typed === "reader" || typed === "member" || typed === "admin") {
    return typed;
  }
  throw new UsageError(`Cannot use the role ${safeLine(typed)}: expected reader, member or admin`);
}

/** Without a topic it is shown; an empty one takes it away. */
export const topic: Row<InGroup<{ readonly topic?: string }>, number | string> = {
  names: ["topic"],
  takes: ["group", "rest"],
  most: 1,
  family: "people",
  help: "show or set what a group is about",
  prompt: {
    usage: "/topic [G] [TEXT]",
    example: "/topic Cool Group what we do here",
    read(typed, prompt) {
      const { group, rest } = groupAndRest(typed, prompt);
      if (rest === "") return { group };
      const quoted = takeQuoted(rest);
      return { group, topic: quoted && quoted.rest === "" ? quoted.target : rest };
    },
  },
  once: {
    usage: "topic G [TEXT…]",
    example: 'topic "Cool Group" what we do here',
    words: [1, Infinity],
    read: ({ words: [group, ...texts], joined }) => ({
      group: groupNamed(group, { joined }),
      topic: texts.length === 0 ? undefined : texts.join(" "),
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
  return { group: joinedGroup(taken.target, { joined }), rest: taken.rest };
}
