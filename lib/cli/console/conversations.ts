/** What the groups say, as one person's screen shows it: the current one's entries, what is new elsewhere. */

import type { GroupEntry } from "../../protocol/batch.ts";
import type { JoinedGroup, MemberInfo } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import type { GroupRef } from "../commands/targets.ts";
import { People } from "../people.ts";
import { dayLine, entryLine, newLine } from "../render.ts";
import type { Alerts } from "./alert.ts";
import { type Mentionable, mentions } from "./mentions.ts";
import type { Screen } from "./screen.ts";
import { type Elsewhere, type Judged, View } from "./views.ts";

/** Fewest entries of a group that are shown when somebody goes there. */
const LAST = 10;
/** How many of them stand before what is new. */
const BEFORE = 3;
/** Rows of the terminal that are left for the prompt and what stands around it. */
const ROWS_LEFT = 5;

interface ConversationsOptions {
  readonly user: Pick<User, "id" | "name" | "members" | "seen" | "joined" | "kept">;
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
  /** Who is in each group, once it has told. */
  readonly #people = new Map<string, People>();
  #current: string | undefined;
  /** The day of the entry that was shown last. */
  #day = "";

  constructor(options: ConversationsOptions) {
    this.#options = options;
  }

  /** Members of a group; before it has told who they are, those who wrote last. */
  members(group: string): Mentionable[] {
    const people = this.#people.get(group);
    if (people) return [...people.all];
    const { entries } = this.#view(group);
    return [
      ...new Map(entries.map(({ author, name }) => [author, { user: author, name }])).values(),
    ];
  }

  /** Learns who is in a group; one that does not answer is to be asked again. */
  async meet(group: GroupRef): Promise<void> {
    if (this.#people.has(group.id)) return;
    const members = await this.#options.user.members(group.id).catch(() => undefined);
    if (members) this.know(group, members);
  }

  /** All members of a group. */
  know(group: GroupRef, members: readonly MemberInfo[]): void {
    this.#people.set(group.id, new People(members));
  }

  view({ id }: GroupRef): Readonly<Pick<View, "isLoaded" | "unread" | "mentions">> {
    return this.#view(id);
  }

  /** What the groups have that are not the current one. */
  elsewhere(): Elsewhere[] {
    const others = this.#options.user.joined().filter(({ id }) => id !== this.#current);
    return others.map((group) => {
      const { unread, mentions } = this.view(group);
      return { name: group.name, unread, mentions };
    });
  }

  /** The next group, behind the current one, that has something unread. */
  nextUnread(): JoinedGroup | undefined {
    const groups = this.#options.user.joined();
    const here = groups.findIndex(({ id }) => id === this.#current);
    return [...groups.slice(here + 1), ...groups.slice(0, Math.max(here, 0))]
      .find((group) => this.view(group).unread > 0);
  }

  /** Goes to a group, and shows its end as far as it is here. */
  goTo(group: GroupRef | undefined): void {
    this.#current = group?.id;
    if (!group || !this.#options.screen.live) return;
    if (this.#options.all) this.#view(group.id).read();
    else if (this.#view(group.id).isLoaded) this.#present(group);
    else void this.away(group.name);
  }

  /** Shows what is kept on this disk of the current group, which does not answer and never did here. */
  async away(name: string): Promise<void> {
    const { user, say, print } = this.#options;
    const group = user.joined().find(({ id }) => id === this.#current);
    if (!group || group.name !== name || group.state !== "unreachable") return;
    if (this.#view(group.id).isLoaded) return;
    const kept: GroupEntry[] = [];
    for await (const entry of user.kept(group.id, { last: true, limit: LAST })) kept.push(entry);
    if (kept.length === 0) return;
    say(`the last that was read of ${group.name}:`);
    for (const entry of kept) print(this.#next(group, entry));
  }

  forget({ id }: GroupRef): void {
    this.#views.delete(id);
    this.#people.delete(id);
  }

  /** The last entries of a group are here; `fresh` were not seen, also some that are not here. */
  caughtUp(group: GroupRef, entries: readonly GroupEntry[], fresh: number): void {
    this.#view(group.id).load(entries, fresh, (entry) => this.#judge(group, entry));
    if (this.#options.all || group.id === this.#current) this.#present(group);
  }

  /** An entry that nobody has seen. */
  came(group: GroupRef, entry: GroupEntry): void {
    this.#people.get(group.id)?.apply(entry);
    const judged = this.#judge(group, entry);
    const view = this.#view(group.id);
    view.add(entry, judged);
    const isCurrent = group.id === this.#current;
    if (isCurrent) view.read();
    if (isCurrent || this.#options.all) {
      this.#options.print(this.#next(group, entry));
      this.#options.user.seen(group.id, entry.seq, entry.epoch);
    }
    if (judged.isMention) this.#alert(`${group.name}, ${entry.name}: ${entry.text}`);
  }

  /** An entry as lines, of which several are drawn in any order: with its whole date. */
  datedLine(group: GroupRef, entry: GroupEntry): string {
    return this.#line(group, entry, false);
  }

  /** Makes lines of entries that are shown one below the other: the day stands before the first of it. */
  lines(): (group: GroupRef, entry: GroupEntry) => string {
    if (!this.#options.screen.live) return (group, entry) => this.datedLine(group, entry);
    let shown = "";
    return (group, entry) => {
      const day = dayLine(entry.at, this.#options.screen.style);
      const line = this.#line(group, entry);
      const isNew = day !== shown;
      shown = this.#day = day;
      return isNew ? `${day}\n${line}` : line;
    };
  }

  /** An entry that comes below those that the screen shows. */
  #next(group: GroupRef, entry: GroupEntry): string {
    const day = dayLine(entry.at, this.#options.screen.style);
    const line = this.#line(group, entry);
    if (day === this.#day) return line;
    this.#day = day;
    return `${day}\n${line}`;
  }

  /** An entry as lines, its group before it where others are shown. */
  #line(group: GroupRef, entry: GroupEntry, clock = true): string {
    const { all, screen: { style, live }, user } = this.#options;
    const people = this.#people.get(group.id);
    if (!live) return entryLine(entry, style, { people });
    const elsewhere = all ? user.joined().length > 1 : group.id !== this.#current;
    return entryLine(entry, style, {
      people,
      clock,
      mention: this.#judge(group, entry).isMention,
      group: elsewhere ? group.name : undefined,
    });
  }

  /** Shows the end of a group, with a line where the person stopped reading; all of it is seen then. */
  #present(group: GroupRef): void {
    const { user, screen, all, print, say } = this.#options;
    const view = this.#view(group.id);
    const { entries, fresh, isNew } = view;
    const room = (screen.rows ?? 24) - ROWS_LEFT;
    const wanted = isNew ? LAST : all ? Math.min(LAST, fresh) : Math.max(LAST, fresh + BEFORE);
    const shown = this.#fitting(group, entries.slice(Math.max(0, entries.length - wanted)), room);
    if (fresh > shown.length) say(moreThan(group, fresh, shown.length, isNew));
    const isNews = (entry: GroupEntry) => view.isFresh(entry) && entry.author !== user.id;
    const first = fresh >= shown.length ? undefined : shown.find(isNews);
    for (const entry of shown) {
      if (entry === first) print(newLine(screen.style));
      print(this.#next(group, entry));
    }
    const last = view.read();
    if (last) user.seen(group.id, last.seq, last.epoch);
  }

  /** The last entries that fit in so many rows, and ten in any case. */
  #fitting(group: GroupRef, entries: readonly GroupEntry[], room: number): readonly GroupEntry[] {
    const rows = entries.map((entry) => this.#line(group, entry).split("\n").length);
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
      mentions(text, { user, name }, () => this.members(group.id));
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
  const which = `the last ${shown} (Page Up shows more):`;
  return isNew ? `${name} has ${all}, ${which}` : `${name}: ${all} missed, ${which}`;
}
