/** What waits to be sent: flush sends it, unsend shows and drops it. */

import { Interrupted, UsageError } from "../../errors.ts";
import { counted } from "../../text/counted.ts";
import { safeLine } from "../../text/filter.ts";
import { formatLocal, parseDuration } from "../../text/time.ts";
import type { Flushed, Unsent } from "../../user/types.ts";
import type { Given } from "../args.ts";
import { success } from "../render.ts";
import type { AtPrompt, Row } from "./command.ts";
import { takeTarget } from "./targets.ts";

/**
 * How long `--wait` waits, ms: without a TIME until it is done. Undefined where it was not given.
 *
 * @throws {UsageError} what follows it is meant as a TIME, and is none
 */
export function waitOf({ texts }: Given): number | undefined {
  const typed = texts.get("wait");
  if (typed === undefined) return undefined;
  if (typed === "") return Infinity;
  try {
    return parseDuration(typed);
  } catch {
    throw new UsageError(
      `Cannot wait for ${safeLine(typed)}: expected a time with its unit, like --wait 3s or ` +
        "--wait=10m; a text that begins so goes before --wait",
    );
  }
}

interface Flushing {
  /** Absent: all groups. */
  readonly group?: string;
  /** ms; see {@linkcode waitOf}. */
  readonly within?: number;
}

export const flush: Row<Flushing, Flushed> = {
  names: ["flush"],
  takes: ["group"],
  most: 0,
  family: "talk",
  help: "send what waits in the outbox",
  prompt: {
    usage: "/flush [G]",
    example: "/flush Cool Group",
    read: (rest, prompt) => ({ group: takeTarget(rest, prompt.known)?.target }),
  },
  once: {
    usage: "flush [G] [--wait [TIME]]",
    example: "flush --wait 10m",
    words: [0, 1],
    read: ({ words: [group], given }) => ({ group, within: waitOf(given) }),
  },
  options: ["wait"],
  atOnce: true,
  async *run({ user, signal }, { group, within }) {
    const flushed = await user.flush(group, { within, signal });
    yield* flushed;
    const waiting = flushed.reduce((sum, { waiting }) => sum + waiting, 0);
    const refused = flushed.reduce((sum, { refused }) => sum + refused, 0);
    const left = `${counted(waiting, "message")} still ${waiting === 1 ? "waits" : "wait"}`;
    if (waiting > 0 && signal.aborted) throw new Interrupted(`Stopped: ${left} in the outbox`);
    if (waiting > 0) {
      throw new Error(`${left} in the outbox; unsend shows and drops what waits`);
    }
    if (refused > 0) throw new Error(`${counted(refused, "message")} refused for good`);
  },
  text: ({ group, sent, refused, waiting, reason }) =>
    sent + refused + waiting === 0 ? [{ remark: `nothing waits for ${group}` }] : [{
      remark: [
        `${group}: ${counted(sent, "message")} sent`,
        ...(refused > 0 ? [`${refused} refused`] : []),
        ...(waiting > 0 ? [`${waiting} still waiting: ${reason}`] : []),
      ].join(", "),
    }],
  end: (count, { style }) => [
    ...(count === 0 ? [{ remark: "nothing waits to be sent" }] : []),
    success(style),
  ],
  json: (flushed) => [flushed],
};

/** What waits, and its number in its group. */
interface Numbered extends Unsent {
  readonly number: number;
}

interface Unsending {
  /** Absent: all groups. */
  readonly group?: string;
  /** What is dropped; absent: it is shown. */
  readonly which?: number | "all";
}

export const unsend: Row<Unsending, Numbered> = {
  names: ["unsend"],
  takes: ["group", "word"],
  most: 1,
  family: "talk",
  help: "show what waits to be sent, or drop it",
  prompt: {
    usage: "/unsend [G] [N|all]",
    example: "/unsend Cool Group 2",
    read(rest, prompt) {
      if (isWhich(rest)) return { group: currentOf(prompt), which: whichOf(rest) };
      const taken = takeTarget(rest, prompt.known);
      return { group: taken?.target, which: whichOf(taken?.rest ?? "") };
    },
  },
  once: {
    usage: "unsend [G [N|all]]",
    example: 'unsend "Cool Group" all',
    words: [0, 2],
    read: ({ words: [group, which = ""] }) => ({ group, which: whichOf(which) }),
  },
  async *run({ user }, { group, which }) {
    const all = numbered(user.unsent(group));
    if (group === undefined || which === undefined) return yield* all;
    const wanted = all.filter(({ number }) => which === "all" || number === which);
    if (wanted.length === 0 && which !== "all") {
      const there = all.length === 0 ? "nothing waits" : `there are 1 to ${all.length}`;
      throw new UsageError(`Cannot drop message ${which} for "${group}": ${there}`);
    }
    for (const one of wanted) yield { ...one, ...user.unsend(group, one.mid) };
  },
  text({ number, group, text, at, tried }, _, { which }) {
    const line = safeLine(text.replaceAll("\n", " / "));
    if (which !== undefined) {
      return [{
        remark: tried
          ? `not sent again: ${line} (${group} may have it already; get_messages shows)`
          : `not sent: ${line}`,
      }];
    }
    const time = at === undefined ? "" : `[${formatLocal(at)}] `;
    const note = tried ? " (went out without an answer: the group may have it)" : "";
    return [`${number}. ${safeLine(group)} ${time}${line}${note}`];
  },
  end(count, { style }, { which }) {
    if (which !== undefined) {
      return [...(count === 0 ? [{ remark: "nothing waits" }] : []), success(style)];
    }
    return [{
      remark: count === 0
        ? "nothing waits to be sent"
        : "unsend G N drops one, unsend G all all of a group",
    }];
  },
  json: ({ number, group, mid, text, at, tried }, { which }) => {
    const time = at === undefined ? undefined : new Date(at).toISOString();
    return [{
      ...(which === undefined ? { number } : { dropped: true }),
      ...{ group, mid, text, at: time, tried },
    }];
  },
  after: (prompt) => prompt.refresh(),
};

function numbered(unsent: readonly Unsent[]): Numbered[] {
  const counts = new Map<string, number>();
  return unsent.map((one) => {
    const number = (counts.get(one.group) ?? 0) + 1;
    counts.set(one.group, number);
    return { ...one, number };
  });
}

function isWhich(typed: string): boolean {
  return /^(\d{1,6}|all)$/.test(typed.trim());
}

/** @throws {UsageError} */
function whichOf(typed: string): Unsending["which"] {
  if (typed === "") return undefined;
  if (!isWhich(typed)) {
    throw new UsageError(
      `Cannot drop "${safeLine(typed)}": expected a number that unsend shows, or all`,
    );
  }
  return typed.trim() === "all" ? "all" : Number(typed);
}

function currentOf({ current }: AtPrompt): string {
  if (current) return current.id;
  throw new UsageError("Cannot drop a message: say of which group, unsend G N");
}
