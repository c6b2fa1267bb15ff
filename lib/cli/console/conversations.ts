/** What the groups say, as one person's screen shows it: the current one's entries, what is new elsewhere. */

import type { GroupEntry } from "../../protocol/batch.ts";
import type { MemberInfo } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import type { GroupRef } from "../commands/targets.ts";
import { Authors, dayLine, entryLine, newLine } from "../render.ts";
import type { Alerts } from "./alert.ts";
import type { Screen } from "./console.ts";
import { type Mentionable, mentions } from "./mentions.ts";
import { Rosters } from "./rosters.ts";
import { type Judged, View } from "./views.ts";

/** Fewest entries of a group that are shown when somebody goes there. */
const LAST = 10;
/** How many of them stand before what is new. */
const BEFORE = 3;
/** Rows of the terminal that are left for the prompt and what stands around it. */
const ROWS_LEFT = 5;

interface ConversationsOptions {
  readonly user: Pick<User, "id" | "name" | "members" | "seen" | "joined">;
  readonly screen: Screen;
  /** Every group's entries are shown as they come, each under its group's name. */
  readonly all: boolean;
  /** Calls for attention at a mention. */
  readonly alerts: Alerts | undefined;
  print(text: string): void;
  /** A remark of the program itself. */
  say(text: string): void;
}

export class Conversations {
  readonly #options: ConversationsOptions;
  readonly #views = new Map<string, View>();
  readonly #authors = new Map<string, Authors>();
  readonly #rosters: Rosters;
  #current: string | undefined;
  /** The day of the entry that was shown last. */
  #day = "";

  constructor(options: ConversationsOptions) {
    this.#options = options;
    this.#rosters = new Rosters(options.user);
  }

  /** Members of a group, as far as known. */
  members(group: string): Mentionable[] {
    return this.#rosters.of(group);
  }

  /** All members of a group. */
  know(group: GroupRef, members: readonly MemberInfo[]): void {
    this.#rosters.know(group.id, members);
  }

  view({ id }: GroupRef): Readonly<Pick<View, "isLoaded" | "unread" | "mentions">> {
    return this.#view(id);
  }

  /** Goes to a group, and shows its end as far as it is here. */
  goTo(group: GroupRef | undefined): void {
    this.#current = group?.id;
    if (!group || !this.#options.screen.live) return;
    if (this.#options.all) this.#view(group.id).read();
    else this.#present(group);
    void this.#rosters.learn(group.id);
  }

  forget({ id }: GroupRef): void {
    this.#views.delete(id);
    this.#authors.delete(id);
    this.#rosters.forget(id);
  }

  /** The last entries of a group are here; `fresh` were not seen, also some that are not here. */
  caughtUp(group: GroupRef, entries: readonly GroupEntry[], fresh: number): void {
    for (const entry of entries) this.#rosters.take(group.id, entry);
    this.#view(group.id).load(entries, fresh, (entry) => this.#judge(group, entry));
    const isCurrent = group.id === this.#current;
    if (isCurrent) void this.#rosters.learn(group.id);
    if (isCurrent || this.#options.all) this.#present(group);
  }

  /** An entry that nobody has seen. */
  came(group: GroupRef, entry: GroupEntry): void {
    this.#rosters.take(group.id, entry);
    const judged = this.#judge(group, entry);
    const view = this.#view(group.id);
    view.add(entry, judged);
    const isCurrent = group.id === this.#current;
    if (isCurrent) view.read();
    if (isCurrent || this.#options.all) {
      this.#options.print(this.line(group, entry));
      this.#options.user.seen(group.id, entry.seq, entry.epoch);
    }
    if (judged.isMention) this.#alert(`${group.name}, ${entry.name}: ${entry.text}`);
  }

  /** An entry as lines: its day first where that is another one, its group where others are shown. */
  line(group: GroupRef, entry: GroupEntry): string {
    const { all, screen: { style, live }, user } = this.#options;
    const authors = this.#authors.get(group.id) ?? new Authors();
    this.#authors.set(group.id, authors);
    const label = authors.label(entry);
    if (!live) return entryLine(entry, style, { label });
    const elsewhere = all ? user.joined().length > 1 : group.id !== this.#current;
    const line = entryLine(entry, style, {
      label,
      clock: true,
      mention: this.#judge(group, entry).isMention,
      ...(elsewhere ? { group: group.name } : {}),
    });
    const day = dayLine(entry.at, style);
    if (day === this.#day) return line;
    this.#day = day;
    return `${day}\n${line}`;
  }

  /** Shows the end of a group, with a line where the person stopped reading; all of it is seen then. */
  #present(group: GroupRef): void {
    const { user, screen, all, print, say } = this.#options;
    const view = this.#view(group.id);
    const { entries, fresh, isNew } = view;
    const wanted = isNew || all ? LAST : Math.max(LAST, fresh + BEFORE);
    const shown = this.#fitting(group, entries.slice(-wanted), (screen.rows ?? 24) - ROWS_LEFT);
    if (fresh > shown.length) say(moreThan(group, fresh, shown.length, isNew));
    const isNews = (entry: GroupEntry) => view.isFresh(entry) && entry.author !== user.id;
    const first = fresh >= shown.length ? undefined : shown.find(isNews);
    for (const entry of shown) {
      if (entry === first) print(newLine(screen.style));
      print(this.line(group, entry));
    }
    const last = view.read();
    if (last) user.seen(group.id, last.seq, last.epoch);
  }

  /** The last entries that fit in so many rows, and ten in any case. */
  #fitting(group: GroupRef, entries: readonly GroupEntry[], room: number): readonly GroupEntry[] {
    const day = this.#day;
    const rows = entries.map((entry) => this.line(group, entry).split("\n").length);
    this.#day = day;
    let count = 0;
    for (let left = room; count < entries.length; count++) {
      left -= rows[entries.length - 1 - count];
      if (left < 0 && count >= LAST) break;
    }
    return entries.slice(entries.length - count);
  }

  #judge(group: GroupRef, { kind, author, text = "" }: GroupEntry): Judged {
    const { id: user, name } = this.#options.user;
    const isUnread = kind === "message" && author !== user;
    const isMention = isUnread && text.includes("@") &&
      mentions(text, { user, name }, () => this.#rosters.of(group.id));
    return { isUnread, isMention };
  }

  #alert(text: string): void {
    const sequence = this.#options.alerts?.ring(text);
    if (sequence !== undefined) this.#options.screen.alert?.(sequence);
  }

  #view(id: string): View {
    const view = this.#views.get(id) ?? new View();
    this.#views.set(id, view);
    return view;
  }
}

function moreThan({ name }: GroupRef, fresh: number, shown: number, isNew: boolean): string {
  const all = `${fresh.toLocaleString("en-US")} ${fresh === 1 ? "entry" : "entries"}`;
  const which = `the last ${shown} (get_messages shows more):`;
  return isNew ? `${name} has ${all}, ${which}` : `${name}: ${all} missed, ${which}`;
}
