/** Commands that read and send: get_messages, follow, send_message. */

import { UsageError } from "../../errors.ts";
import { formatLocal, parseEnd, parseSpan, parseTime, readSpan } from "../../text/time.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import type { ReadOptions, Receipt, SendOptions } from "../../user/types.ts";
import { type Given, valueOf, wholeNumber } from "../args.ts";
import { counted } from "../../text/counted.ts";
import { entryFields, success } from "../render.ts";
import { linesOf, wholeText } from "../streams.ts";
import type { AtPrompt, OnceArgs, Row } from "./command.ts";
import { fromDisk, isKept, type Kept, keptRemark, readOrKept } from "./kept.ts";
import { historyOf } from "./history.ts";
import { type Lines, sendLines } from "./lines.ts";
import { waitOf } from "./outbox.ts";
import { groupNamed, type GroupRef, joinedGroup, takeTarget } from "./targets.ts";

/** How long a group has to say who is in it, ms. */
const MEET_WITHIN = 5_000;
/** Most entries that are shown at a prompt without a TIME. */
const SHOWN = 100;

interface Reading {
  readonly group: GroupRef;
  readonly range: ReadOptions;
}

interface ReadingOnce extends Reading {
  /** Of what is kept on this disk, without asking the group. */
  readonly kept?: boolean;
  /** A script is told of a group that does not answer, and gets nothing in its place. */
  readonly json?: boolean;
}

export const read: Row<ReadingOnce, GroupEntry | Kept> = {
  names: ["get_messages"],
  short: ["read"],
  takes: ["group", "beginning", "time", "time"],
  family: "talk",
  help: "entries of a group's log",
  prompt: {
    usage: "/read [G] [FROM] [TO]",
    example: "/read yesterday yesterday, /read 2h, /read Cool Group 9:00 10:30",
    help: "the last messages, all since FROM, or those from FROM to TO",
    read: groupAndTime,
  },
  once: {
    usage: "read G [--since|--until TIME] [--after|--before SEQ] [--limit|--last N] [--kept]",
    example: 'read "Cool Group" --since 2h --json',
    words: [1, 1],
    read: (typed) => ({
      ...groupAndRange(typed),
      kept: typed.given.flags.has("kept"),
      json: typed.given.flags.has("json"),
    }),
  },
  options: ["since", "until", "after", "before", "limit", "last", "kept"],
  menu: {
    number: 5,
    text: "Get messages",
    asks: [
      { question: "Group", quoted: true },
      { question: "From when (Enter: all)", optional: true },
    ],
  },
  async *run({ user, marksRead, prompt, meet }, { group, range, kept, json }) {
    if (kept) return yield await fromDisk(user, group, range);
    const met = whoIsThere(meet(group));
    let last: GroupEntry | undefined;
    for await (const found of json ? user.read(group.id, range) : readOrKept(user, group, range)) {
      if (!isKept(found) && !last) await met;
      yield found;
      if (!isKept(found)) last = found;
      else if (!prompt && found.away) throw found.away;
    }
    if (last && marksRead) user.seen(group.id, last.seq, last.epoch);
  },
  text(found, context, { group, range }, index) {
    if (isKept(found)) {
      return [
        { remark: keptRemark(group, found) },
        ...found.kept.map((entry) => context.entry(group, entry)),
      ];
    }
    const isCut = context.prompt && range.last && index === 0 && found.seq > 1;
    const older = `the last ${SHOWN} of ${group.name}; get_messages G TIME shows older ones`;
    return [...(isCut ? [{ remark: older }] : []), context.entry(group, found)];
  },
  end: (count, { prompt }, { group, range }) =>
    prompt && count === 0 ? [{ remark: `${group.name} has no messages${when(range)}` }] : [],
  page: ({ user, dated, marksRead }, { group, range, kept }, first) => {
    const { seq } = isKept(first) ? first.kept[0] : first;
    return historyOf(group, { user, dated, marksRead, kept, from: range.last ? undefined : seq });
  },
  json: (found) => (isKept(found) ? found.kept : [found]).map(entryFields),
};

function when({ since, until }: ReadOptions): string {
  if (since === undefined) return "";
  return until === undefined
    ? " since then"
    : ` between ${formatLocal(since)} and ${formatLocal(until)}`;
}

/** `[G] [FROM] [TO]`; without a time the last hundred for a person, all for a script. */
function groupAndTime(rest: string, { known, joined, current, live }: AtPrompt): Reading {
  const all = live ? { limit: SHOWN, last: true } : {};
  const taken = takeTarget(rest, known);
  if (!taken) {
    if (current) return { group: current, range: all };
    throw new UsageError("Cannot read: expected a group, get_messages NAME or IP:PORT");
  }
  if (current && !known.names.includes(taken.target)) {
    // A TIME alone is one of the current group.
    const range = readSpan(rest);
    if (range) return { group: current, range };
  }
  const group = joinedGroup(taken.target, { joined, loosely: true });
  return { group, range: taken.rest === "" ? all : parseSpan(taken.rest) };
}

function groupAndRange({ words: [group], given, joined, now }: OnceArgs): Reading {
  return { group: groupNamed(group, { joined, loosely: true }), range: rangeOf(given, now) };
}

/** Waits for the list of members, not for ever: without it names are shown as they are. */
async function whoIsThere(met: Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, MEET_WITHIN);
  await Promise.race([met.catch(() => {}), promise]);
  clearTimeout(timer);
}

/** The range of `--since`, `--until`, `--after`, `--before`, `--limit` and `--last`. */
export function rangeOf(given: Given, now: number): ReadOptions {
  const last = given.texts.has("last");
  if (last && given.texts.has("limit")) {
    throw new UsageError("Cannot use --limit with --last: give one, the first N or the last N");
  }
  return {
    since: valueOf(given, "since", (time) => parseTime(time, now)),
    until: valueOf(given, "until", (time) => parseEnd(time, now)),
    after: wholeNumber(given, "after"),
    before: wholeNumber(given, "before"),
    limit: wholeNumber(given, last ? "last" : "limit", 1),
    last,
  };
}

export const follow: Row<Reading, GroupEntry> = {
  names: ["follow"],
  takes: ["group"],
  most: 1,
  instead: "messages are shown here as they come; switch G goes to one of your groups",
  family: "talk",
  help: "entries from the last one that you saw on, which it marks as seen, until Ctrl-C",
  once: {
    usage: "follow G [--since TIME] [--after SEQ]",
    example: 'follow "Cool Group" --json',
    words: [1, 1],
    read: groupAndRange,
  },
  options: ["since", "after"],
  atOnce: true,
  async *run({ user, signal, meet }, { group, range }) {
    await whoIsThere(meet(group));
    try {
      for await (const entry of user.follow(group.id, { ...range, signal })) {
        yield entry;
        user.seen(group.id, entry.seq, entry.epoch);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
  text: (entry, context, { group }) => [context.entry(group, entry)],
  json: (entry) => [entryFields(entry)],
};

interface Sending {
  readonly group: GroupRef;
  /** Undefined where nothing was typed. */
  readonly text?: string;
  /** Each line is a message. */
  readonly lines?: Lines;
  /** Its id, and how long it is waited for. */
  readonly options?: SendOptions;
}

export const send: Row<Sending, Receipt | undefined> = {
  names: ["send_message"],
  short: ["send"],
  takes: ["group", "rest"],
  family: "talk",
  help: "send a message; - takes standard input",
  prompt: {
    usage: "/send G [TEXT]",
    example: "/send Cool Group Hello everybody",
    help: "send; without TEXT the lines up to END",
    async read(rest, prompt) {
      const taken = takeTarget(rest, prompt.known);
      if (!taken) throw new UsageError("Cannot send: expected a group, send_message G [TEXT]");
      const group = joinedGroup(taken.target, { joined: prompt.joined, loosely: true });
      return { group, text: taken.rest || await linesUpToEnd(prompt) };
    },
  },
  once: {
    usage: "send G TEXT… [--id UUID] [--wait [TIME]] | send G - [--lines]",
    example: 'send "Cool Group" Hello everybody',
    words: [2, Infinity],
    async read({ words: [name, ...texts], given, joined, input, inputSize: size }) {
      const group = groupNamed(name, { joined });
      const fromInput = texts.length === 1 && texts[0] === "-";
      const [within, mid] = [waitOf(given), given.texts.get("id")];
      const options = { ...(within && { within }), ...(mid !== undefined && { mid }) };
      if (!given.flags.has("lines")) {
        return { group, text: fromInput ? await wholeText(input) : texts.join(" "), options };
      }
      if (mid !== undefined) {
        throw new UsageError("Cannot use --id with --lines: it is the id of one message");
      }
      if (fromInput) return { group, lines: { lines: linesOf(input), size }, options };
      throw new UsageError("Cannot use --lines with a text: expected send G - --lines");
    },
  },
  options: ["lines", "id", "wait"],
  menu: {
    number: 4,
    text: "Send a message",
    asks: [{ question: "Group", quoted: true }, { question: "Text" }],
  },
  atOnce: true,
  run(context, { group, text, lines, options }) {
    const send = (group: GroupRef, text: string) => context.send(group, text, options);
    if (lines) return sendLines({ ...context, send }, group, lines);
    if (text === undefined) return undefined;
    if (text.trim() === "") throw new UsageError("Cannot send the message: it is empty");
    return send(group, text);
  },
  text(receipt, { style }, { text, lines }) {
    if (!lines && text === undefined) return [{ remark: "nothing was sent" }];
    return receipt && !lines ? [success(style)] : [];
  },
  end: (count, { style }, { lines }) =>
    lines ? [{ remark: `${counted(count, "line")} accepted` }, success(style)] : [],
  json: (receipt) => receipt ? [{ ...receipt, at: new Date(receipt.at).toISOString() }] : [],
};

/** Lines until `END` alone on one; undefined when the input ends or Ctrl-C stops it. */
async function linesUpToEnd(prompt: AtPrompt): Promise<string | undefined> {
  if (prompt.live) prompt.say("type the message, then END on a line of its own");
  const lines: string[] = [];
  for (;;) {
    const line = await prompt.nextLine("… ");
    if (line === undefined) return prompt.live ? undefined : lines.join("\n") || undefined;
    if (line.trim() === "END") return lines.join("\n");
    lines.push(line);
  }
}
