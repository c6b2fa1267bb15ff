/** What a person has seen of each group, and what is new there. Pure. */

import type { GroupEntry } from "../../protocol/batch.ts";
import { safeLine } from "../../text/filter.ts";
import { displayWidth } from "../../text/width.ts";

/** Entries of a group that are kept, to be shown when somebody goes there. */
export const KEPT = 100;

/** What an entry is to the person: somebody else's message, and one that mentions the person. */
export interface Judged {
  readonly isUnread: boolean;
  readonly isMention: boolean;
}

/** The end of one group's log, and how far it was shown. */
export class View {
  /** What was there at the first look is known. */
  isLoaded = false;
  /** Messages of others that were not shown. */
  unread = 0;
  /** Those of them that mention the person. */
  mentions = 0;
  #entries: GroupEntry[] = [];
  /** The last entry that was shown, of the epoch of the entries; 0 for none. */
  #shown = 0;

  /** Entries that are kept, oldest first. */
  get entries(): readonly GroupEntry[] {
    return this.#entries;
  }

  /** Whether nothing of this group was ever shown. */
  get isNew(): boolean {
    return this.#shown === 0;
  }

  isFresh({ seq }: GroupEntry): boolean {
    return seq > this.#shown;
  }

  /** Entries that were not shown, also those that are not kept here. */
  get fresh(): number {
    return (this.#entries.at(-1)?.seq ?? 0) - this.#shown;
  }

  /**
   * The first look.
   *
   * @param fresh entries that were not seen, also those that are not among `entries`
   */
  load(entries: readonly GroupEntry[], fresh: number, judge: (entry: GroupEntry) => Judged): void {
    this.isLoaded = true;
    this.#entries = [...entries];
    const last = entries.at(-1)?.seq ?? 0;
    this.#shown = Math.max(0, last - fresh);
    const loaded = entries.filter((entry) => this.isFresh(entry));
    this.unread = Math.max(0, fresh - loaded.length);
    this.mentions = 0;
    for (const entry of loaded) this.#count(judge(entry));
  }

  #count({ isUnread, isMention }: Judged): void {
    if (isUnread) this.unread++;
    if (isMention) this.mentions++;
  }

  /** An entry that came. Another epoch begins again. */
  add(entry: GroupEntry, judged: Judged): void {
    this.#count(judged);
    const last = this.#entries.at(-1);
    if (last && last.epoch !== entry.epoch) {
      this.#entries = [];
      this.#shown = 0;
    }
    this.#entries.push(entry);
    if (this.#entries.length > 2 * KEPT) this.#entries.splice(0, KEPT);
  }

  /** All was shown; the last entry, if there is any. */
  read(): GroupEntry | undefined {
    const last = this.#entries.at(-1);
    this.#shown = last?.seq ?? this.#shown;
    this.unread = 0;
    this.mentions = 0;
    return last;
  }
}

/** What is unread in a group that is not the current one. */
export interface Elsewhere {
  readonly name: string;
  readonly unread: number;
  readonly mentions: number;
}

/**
 * What stands before the line: `Lab (Ops 3, Lobby @1)> `, where `@` counts mentions. Groups that do
 * not fit in half a row are counted.
 */
export function promptLabel(
  current: string | undefined,
  elsewhere: readonly Elsewhere[],
  columns = 80,
): string {
  const here = safeLine(current ?? "zgroup");
  const unread = elsewhere.filter((group) => group.unread > 0 || group.mentions > 0);
  if (unread.length === 0) return `${here}> `;
  const label = (inside: string) => `${here} (${inside})> `;
  const named = label(
    unread.map((group) => `${safeLine(group.name)} ${countOf(group)}`).join(", "),
  );
  if (displayWidth(named) <= columns >> 1) return named;
  const sum = (count: (group: Elsewhere) => number) =>
    unread.reduce((total, group) => total + count(group), 0);
  const all = { unread: sum(({ unread }) => unread), mentions: sum(({ mentions }) => mentions) };
  return label(`${unread.length === 1 ? "1 group" : `${unread.length} groups`} ${countOf(all)}`);
}

/** `Ops 3, Lobby 4 (1 for you)`; empty where nothing is unread. */
export function unreadText(elsewhere: readonly Elsewhere[]): string {
  return elsewhere.filter(({ unread }) => unread > 0).map(({ name, unread, mentions }) =>
    `${name} ${unread.toLocaleString("en-US")}${mentions > 0 ? ` (${mentions} for you)` : ""}`
  ).join(", ");
}

function countOf({ unread, mentions }: Omit<Elsewhere, "name">): string {
  return mentions > 0 ? `@${mentions}` : `${unread}`;
}
