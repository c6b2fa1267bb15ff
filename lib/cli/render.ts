/**
 * Lines as people see them, also of what went wrong. Every string of a peer goes through the output
 * filter here.
 */

import { styleText } from "node:util";
import { BadReply, DiskFull, IdentityChanged, Refusal, sentence, Unreachable } from "../errors.ts";
import { shortId } from "../identity/ids.ts";
import { shortKey } from "../identity/keys.ts";
import { counted } from "../text/counted.ts";
import { formatClock, formatDay, formatLocal } from "../text/time.ts";
import { safeLine, safeText } from "../text/filter.ts";
import { typedName } from "../text/names.ts";
import type { Listing } from "../protocol/schema.ts";
import type { GroupEntry } from "../protocol/batch.ts";
import type { JoinedGroup, MemberInfo, Trusted } from "../user/types.ts";
import { either } from "../text/meant.ts";
import { displayWidth, wrap } from "../text/width.ts";
import { fullLabel, People, quotedName } from "./people.ts";

/** Where lines go: without colour and columns they are plain text for a file or a pipe. */
export interface Style {
  readonly colour: boolean;
  /** Width of the terminal; absent when it is none. */
  readonly columns?: number;
  /** Its height; absent where it is none, or does not say. */
  readonly rows?: number;
}

/** No terminal. */
export const PLAIN: Style = { colour: false };

/** How far a line of a message stands in when it is not the first. */
const INDENT = "    ";

/** How an entry is shown. */
interface EntryShown {
  /** The group's name stands before it. */
  readonly group?: string | undefined;
  /** Who is in the group. */
  readonly people?: People | undefined;
  /** The time alone: the date stands in a line of its own. */
  readonly clock?: boolean;
  /** It mentions who reads it. */
  readonly mention?: boolean;
}

/** An entry as one or more lines. */
export function entryLine(
  entry: GroupEntry,
  style: Style = PLAIN,
  { group, people = NOBODY, clock = false, mention = false }: EntryShown = {},
): string {
  const where = (mention ? "@ " : "") + (group === undefined ? "" : `[${safeLine(group)}] `);
  const mark = MARKS[entry.signature] ?? "";
  if (entry.kind !== "message") {
    return paint(style, "gray", `${where}* ${actionText(entry, people)}${mark}`);
  }
  const time = `[${clock ? formatClock(entry.at) : formatLocal(entry.at)}] `;
  const author = authorOf(entry, people) + mark;
  const width = displayWidth(`${where}${time}${author}: `);
  const head = paint(style, mention ? MENTION : "cyan", where) + paint(style, "gray", time) +
    paint(style, "bold", author) + ": ";
  const [first, ...rest] = textRows(entry.text, style, width)
    .map((row) => mention ? paint(style, MENTION, row) : row);
  return [head + first, ...rest.map((row) => INDENT + row)].join("\n");
}

/** What mentions who reads it. */
const MENTION: Parameters<typeof styleText>[0] = ["bold", "yellow"];

/** `— Fri 20 Nov 2026 —`, before the first entry of a day. */
export function dayLine(at: number, style: Style): string {
  return paint(style, "gray", `— ${formatDay(at)} —`);
}

/** Stands where somebody stopped reading. */
export function newLine(style: Style): string {
  return paint(style, MENTION, "— new —");
}
/** A group of which nobody is known. */
const NOBODY = new People();

/** A map: a group may name a kind `constructor`. */
const ACTION_VERBS: ReadonlyMap<string, string> = new Map([
  ["join", "joined"],
  ["leave", "left"],
  ["founded", "was founded"],
  ["promote", "promoted"],
  ["demote", "demoted"],
  ["remove", "removed"],
  ["ban", "banned"],
  ["unban", "lifted the ban of"],
  ["mute", "muted"],
  ["unmute", "lets speak again:"],
]);

/** What somebody did, and to whom; a kind of a later version is shown by its name. */
function actionText(entry: GroupEntry, people: People): string {
  const kind = kindOf(entry);
  const { author, name } = entry;
  const body: Readonly<Record<string, unknown>> = entry.body ?? {};
  const who = kind === "founded" ? quotedName(name) : authorOf(entry, people);
  if (kind === "topic") {
    const topic = safeLine(String(body.topic ?? ""));
    return topic === "" ? `${who} took the topic away` : `${who} set the topic: ${topic}`;
  }
  if (kind === "join") return `${who} joined${alikeText(entry, people)}`;
  if (kind === "rename") {
    const before = people.label({ user: author, name: String(body.before ?? "") });
    return `${before} is now called ${who}${alikeText(entry, people)}`;
  }
  const whom = typeof body.user === "string" ? ` ${personText(body, people)}` : "";
  const until = kind === "mute" && typeof body.until === "number" && body.until > 0 &&
      body.until < 8.64e15
    ? ` until ${formatLocal(body.until)}`
    : "";
  const role = /^(pro|de)mote$/.test(kind) ? ` to ${safeLine(String(body.role ?? ""))}` : "";
  return `${who} ${ACTION_VERBS.get(kind) ?? safeLine(kind)}${whom}${role}${until}`;
}

function authorOf({ author, name }: GroupEntry, people: People): string {
  return people.label({ user: author, name });
}

/** Whom an action is about; logs of older versions do not always have the name. */
function personText(body: Readonly<Record<string, unknown>>, people: People): string {
  const user = String(body.user);
  return typeof body.name === "string"
    ? people.label({ user, name: body.name })
    : safeLine(shortId(user));
}

/** Whose name the one of a newcomer looks like. */
function alikeText({ author, name }: GroupEntry, people: People): string {
  const alike = people.alike({ user: author, name }).map(fullLabel);
  return alike.length === 0 ? "" : `; the name looks like that of ${either(alike, 3)}`;
}

/** What stands behind an author whose signature says something. */
const MARKS: Readonly<Record<string, string>> = {
  invalid: " [NOT VERIFIED]",
  unsigned: " [unsigned]",
};

function textRows(text: string, { columns }: Style, first: number): string[] {
  const lines = safeText(text).split("\n");
  if (!columns) return lines;
  return lines.flatMap((line, i) => wrap(line, columns, i === 0 ? first : 4, INDENT.length));
}

/** As it stands in the log. */
function kindOf(entry: GroupEntry): string {
  return entry.kind === "other" ? entry.what : entry.kind;
}

/** What a script gets of an entry. */
export function entryFields(entry: GroupEntry): object {
  const { group, epoch, seq, at, author, name, mid, text, body, signature } = entry;
  const kind = kindOf(entry);
  const time = new Date(at).toISOString();
  return { group, epoch, seq, at: time, kind, author, name, mid, text, body, signature };
}

/** `Cool Group - 127.0.0.1:5560`, with ` (quiet)` when its lease runs out; each of several servers. */
export function listingLine(
  { name, address, state, servers = [] }: Pick<Listing, "name" | "address" | "state" | "servers">,
  style: Style = PLAIN,
): string {
  const places = [{ address, state }, ...servers].map(({ address, state }) =>
    safeLine(address) + (state === "live" ? "" : paint(style, "gray", " (quiet)"))
  );
  return `${safeLine(name)} - ${places.join(", ")}`;
}

/** What a script gets of a listed group. */
export function listingFields({ name, address, state, record, servers = [] }: Listing): object {
  const all = [{ address, state }, ...servers].map(({ address, state }) => ({ address, state }));
  const several = servers.length > 0 ? { servers: all } : {};
  return { name, address, state, id: record?.id, ...several };
}

/** A joined group, with what is unread and whether it answers. */
export function joinedLine(
  group: Pick<JoinedGroup, "name" | "address" | "role" | "state" | "unread">,
  style: Style = PLAIN,
): string {
  const notes = [
    ...(group.unread > 0 ? [`${group.unread} unread`] : []),
    ...(group.state === "live" ? [] : [group.state]),
    ...(group.role === "member" || group.role === "" ? [] : [safeLine(group.role)]),
  ];
  const line = `${safeLine(group.name)} - ${safeLine(group.address)}`;
  return notes.length === 0 ? line : line + paint(style, "gray", ` (${notes.join(", ")})`);
}

/** A member, with its short id, and the role where it is not the usual one. */
export function memberLine(member: MemberInfo, style: Style = PLAIN): string {
  const notes = [
    ...(member.role === "member" ? [] : [safeLine(member.role)]),
    ...(member.present ? ["here"] : []),
    ...(member.muted === undefined ? [] : [mutedNote(member.muted)]),
  ];
  const label = fullLabel(member);
  return notes.length === 0 ? label : label + paint(style, "gray", ` (${notes.join(", ")})`);
}

function mutedNote(until: number): string {
  return until === 0 ? "muted" : `muted until ${formatLocal(until)}`;
}

/** What a script gets of a joined group; `unread` is null where nobody can tell. */
export function joinedFields(group: JoinedGroup): object {
  const { id, name, address, servers, role, state, cursor } = group;
  const unread = state === "live" ? group.unread : null;
  return { id, name, address, ...(servers && { servers }), role, state, unread, cursor };
}

/** What `trust` did, with the short keys that people compare. */
export function trustedLine(
  { what, before, now, changed, member, unsent = 0 }: Trusted,
): string {
  if (!changed) return `${what} is the one you know, its key is ${shortKey(now)}`;
  const membership = member === undefined
    ? ""
    : member
    ? "; you are a member of the one that answers"
    : "; you are no member of the one that answers: join it to talk there";
  const known =
    (before === undefined
      ? `${what} is known by the key ${shortKey(now)} from now on`
      : `${what} had the key ${shortKey(before)} and is known by ${shortKey(now)} from now on`) +
    membership;
  if (unsent === 0) return known;
  const [were, them] = unsent === 1 ? ["was", "it"] : ["were", "them"];
  return `${known}; ${counted(unsent, "message")} for the former one ${were} not sent, and the ` +
    `other one does not get ${them}`;
}

/** `SUCCESS`. */
export function success(style: Style = PLAIN): string {
  return paint(style, "green", "SUCCESS");
}

/** `FAILED: <sentence>`. */
export function failed(error: unknown, style: Style = PLAIN): string {
  const text = typeof error === "string" ? error : sentence(error);
  return paint(style, "red", "FAILED") + folded(`: ${safeLine(text)}`, style, 6);
}

/** A remark of the program itself. */
export function notice(text: string, style: Style = PLAIN): string {
  return paint(style, "gray", folded(`* ${safeLine(text)}`, style, 0));
}

/** A line in rows of the terminal's width, the first from column `first` on, the others at 2. */
export function folded(text: string, { columns }: Style, first: number): string {
  return columns
    ? wrap(text, columns, first, 2).map((row, i) => i ? `  ${row}` : row).join("\n")
    : text;
}

/** Colour where there is a terminal for it. */
export function paint(style: Style, format: Parameters<typeof styleText>[0], text: string): string {
  if (!style.colour || text === "") return text;
  return styleText(format, text, { validateStream: false });
}

/** A QR code as rows of half blocks; or why it is not shown. */
export type QrCode = string | { readonly problem: string };

/**
 * A text as a QR code, for the camera of a phone; dark on light needs no colour. Half a code is of no
 * use: where a terminal cannot show all of it at once, none is shown.
 */
export async function qrCode(text: string, { columns, rows }: Style): Promise<QrCode> {
  const { renderUnicodeCompact } = await import("uqr");
  const code = renderUnicodeCompact(text, { ecc: "L", border: 2 });
  const lines = code.split("\n");
  const [width, height] = [lines[0].length, lines.length + 1]; // What is typed next takes a row.
  if (width <= (columns ?? Infinity) && height <= (rows ?? Infinity)) return code;
  return {
    problem: `the QR code needs ${width} columns and ${height} rows, and this terminal has ` +
      `${columns} and ${rows}: make it larger, or pass on the link`,
  };
}

/** The words of a screen: the prompt says `join_group`, the command line `join`. */
export interface Words {
  readonly join: string;
  readonly list: string;
  /** What becomes of a message that is kept, where this program ends. */
  readonly kept?: string;
}

/** The words of the prompt. */
export const PROMPT_WORDS: Words = { join: "join_group", list: "list_groups" };

/** The words of the command line. */
export const COMMAND_WORDS: Words = {
  join: "user.ts join",
  list: "user.ts list",
  kept:
    "the message is kept in the outbox of this folder and goes out with the next command that " +
    "opens it: user.ts flush, or the prompt",
};

/**
 * The same about a message: one that no group has refused is in the outbox.
 *
 * @param waited with `--wait`
 */
export function explainSend(
  error: unknown,
  words: Words,
  target?: string,
  waited = false,
): string {
  const said = explain(error, words, target);
  if (error instanceof Unreachable && words.kept) {
    const hint = waited ? "" : " (--wait waits here)";
    return said.replace(/the message is kept and goes out .*$/, `${words.kept}${hint}`);
  }
  if (error instanceof DiskFull) return `${said}; the message is not sent, send it again then`;
  const kept = error instanceof IdentityChanged || error instanceof BadReply;
  return kept ? `${said}; the message is kept for the group that you know` : said;
}

/** The sentence of an error, with what to do next where the sentence does not say it. */
export function explain(error: unknown, { join, list }: Words, target?: string): string {
  const said = sentence(error).replace(/\.$/, "");
  if (error instanceof Unreachable) {
    return /kept|is it (running|zgroup)|check how|; ask who runs it/.test(said)
      ? said
      : `${said}; check that it runs and try again`;
  }
  if (error instanceof IdentityChanged) return `${said}; ask its owner whether it was set up anew`;
  if (!(error instanceof Refusal) || said.endsWith("?")) return said;
  switch (error.code) {
    case "not_member":
      return target === undefined
        ? `${said}; ${join} G does that`
        : `You are not a member of "${target}": ${join} ${typedName(target)} first`;
    case "not_found":
      if (said.includes("list_groups")) return said.replace("list_groups", list);
      // Users and invites are not found either.
      return /^Cannot \w+ (the|that) group/.test(said)
        ? `${said}; ${list} shows the groups there are`
        : said;
    case "rate_limited":
    case "busy":
      return /again|slow down/.test(said) ? said : `${said}; wait a moment and try again`;
    case "too_large":
      return `${said}; send it in parts`;
    default:
      return said;
  }
}
