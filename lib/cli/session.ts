/** One person at one prompt: the current group, what was listed, what is on its way. */

import { Refusal, Unreachable } from "../errors.ts";
import { explain, explainSend, PROMPT_WORDS } from "./explain.ts";
import { safeLine } from "../text/filter.ts";
import { Pending } from "./pending.ts";
import type { GroupEntry, JoinedGroup, UserEvent, UserPort } from "./ports.ts";
import { Authors, entryLine, failed, notice, success } from "./render.ts";
import type { Screen } from "./screen.ts";
import type { Known } from "./targets.ts";
import { Watches } from "./watches.ts";

/** Starts a group in this process. */
export type Host = (name: string, address: string) => Promise<{ readonly address: string }>;

export interface SessionOptions {
  readonly user: UserPort;
  readonly screen: Screen;
  readonly host: Host;
  readonly signal: AbortSignal;
}

/** A group that answers again within this time, ms, was not away: its connection was cut. */
const AWAY_AFTER = 700;

/** How long a hint that somebody is typing stays, ms. */
const TYPING_FOR = 6_000;

export class Session {
  readonly user: UserPort;
  readonly screen: Screen;
  readonly host: Host;
  readonly signal: AbortSignal;
  /** Set by `exit`. */
  ended = false;
  /** Names or addresses in the order of the last list. */
  listed: readonly string[] = [];
  /** Names of members, for completion. */
  readonly seenNames = new Set<string>();
  readonly #authors = new Map<string, Authors>();
  readonly #pending = new Pending();
  readonly #watches: Watches;
  readonly #unread = new Map<string, number>();
  /** Groups that do not answer: a timer until that is told. */
  readonly #away = new Map<string, ReturnType<typeof setTimeout> | "told">();
  readonly #typing = new Map<string, ReturnType<typeof setTimeout>>();
  #current: string | undefined;
  #all: readonly string[] = [];

  constructor({ user, screen, host, signal }: SessionOptions) {
    this.user = user;
    this.screen = screen;
    this.host = host;
    this.signal = signal;
    this.#watches = new Watches(user, {
      show: (group, entry) => this.#show(group, entry),
      missed: (group, count, shown) => this.#missed(group, count, shown),
      failed: (group, error) => {
        const member = this.user.joined().some(({ id }) => id === group.id);
        const ended = !member && error instanceof Refusal && error.code === "not_member";
        const why = ended ? "you are no member any more" : this.why(error, group.name);
        this.say(`${group.name}: ${why}`);
        if (!member) this.left(group); // What is typed goes elsewhere.
      },
    });
    const off = user.on((event) => this.#event(event));
    signal.addEventListener("abort", () => {
      off();
      for (const away of this.#away.values()) if (away !== "told") clearTimeout(away);
      this.#watches.close();
    }, { once: true });
  }

  /** Id of the group that plain text goes to; undefined when there is none. */
  get current(): JoinedGroup | undefined {
    return this.user.joined().find(({ id }) => id === this.#current);
  }

  /** What a typed group can mean. */
  get known(): Known {
    const joined = this.user.joined().flatMap(({ name, address }) => [name, address]);
    return { names: [...joined, ...this.#all], numbered: this.listed };
  }

  /** Remembers what a list showed: in this order numbers name it. */
  remember(groups: readonly { readonly name: string; readonly address: string }[]): void {
    this.listed = groups.map(({ name, address }) =>
      groups.filter((other) => other.name === name).length > 1 ? address : name
    );
    this.#all = [...new Set([...this.#all, ...groups.flatMap((g) => [g.name, g.address])])]
      .slice(-10_000);
  }

  /** Shows the messages of a joined group as they come, once for each group. */
  watch(group: JoinedGroup): Promise<void> {
    return this.screen.live ? this.#watches.open(group) : Promise.resolve();
  }

  /** Makes a group the one that plain text goes to. */
  switchTo(group: JoinedGroup | undefined): void {
    this.#current = group?.id;
    if (group) this.#unread.delete(group.id);
    this.refresh();
  }

  /** After leaving: no more of its messages, and another current group if it was that one. */
  left(group: JoinedGroup): void {
    this.#watches.stop(group.id);
    this.#unread.delete(group.id);
    this.#pending.dropGroup(group.id);
    if (this.#current === group.id) this.switchTo(this.user.joined()[0]);
    else this.refresh();
  }

  /** A remark of the program itself. */
  say(text: string): void {
    this.screen.print(notice(text, this.screen.style));
  }

  /** SUCCESS. */
  succeed(): void {
    this.screen.print(success(this.screen.style));
  }

  /** FAILED and why. */
  fail(error: unknown, target?: string): void {
    this.screen.fail(failed(this.why(error, target), this.screen.style));
  }

  /** The sentence of an error, with the way out. */
  why(error: unknown, target?: string): string {
    return typeof error === "string" ? error : explain(error, PROMPT_WORDS, target);
  }

  /**
   * Sends a text; where a person watches it is shown as pending until the group's log has it. False
   * when it failed, which was said.
   */
  async send(group: JoinedGroup, text: string): Promise<boolean> {
    const item = this.#pending.add(group.id, group.name, text);
    this.refresh();
    try {
      const receipt = await this.user.send(group.id, text);
      this.#pending.accepted(item, receipt.mid);
      return true;
    } catch (error) {
      if (this.signal.aborted) return false;
      // It is in the outbox, and on the screen until the group has it.
      if (error instanceof Unreachable && this.screen.live) return true;
      if (this.#pending.drop(item)) this.fail(explainSend(error, PROMPT_WORDS, group.name));
      return false;
    } finally {
      // Without a live feed of this group nothing else would take it off the screen.
      if (!this.#watches.has(group.id)) this.#pending.drop(item);
      this.refresh();
    }
  }

  /** An entry as lines, with the group's name where several are shown. */
  line(group: { readonly id: string; readonly name: string }, entry: GroupEntry): string {
    const authors = this.#authors.get(group.id) ?? new Authors();
    this.#authors.set(group.id, authors);
    if (entry.kind !== "founded") this.seenNames.add(entry.name);
    const several = this.screen.live && this.user.joined().length > 1;
    return entryLine(entry, this.screen.style, {
      label: authors.label(entry),
      ...(several ? { group: group.name } : {}),
    });
  }

  /** Draws prompt and status again. */
  refresh(): void {
    const current = this.current;
    const others = [...this.#unread].filter(([id, count]) => id !== this.#current && count > 0);
    const sum = others.reduce((total, [, count]) => total + count, 0);
    const name = this.user.joined().find(({ id }) => id === others[0]?.[0])?.name;
    const elsewhere = others.length === 0
      ? ""
      : others.length === 1 && name
      ? ` (${safeLine(name)}: ${sum})`
      : ` (${others.length} groups: ${sum})`;
    this.screen.prompt(`${safeLine(current?.name ?? "zgroup")}${elsewhere}> `);
    const typing = [...this.#typing.keys()];
    this.screen.status([
      ...this.#pending.lines(),
      ...(typing.length > 0 ? [`${typing.slice(0, 3).join(", ")} is typing …`] : []),
    ]);
  }

  #show(group: JoinedGroup, entry: GroupEntry): void {
    const own = entry.author === this.user.id;
    if (own) this.#pending.arrived(group.id, entry);
    else if (group.id !== this.#current && entry.kind === "message") {
      this.#unread.set(group.id, (this.#unread.get(group.id) ?? 0) + 1);
    }
    this.#notTyping(`${entry.name}`);
    this.screen.print(this.line(group, entry));
    this.refresh();
  }

  #missed({ name, cursor }: JoinedGroup, count: number, shown: number): void {
    const all = `${count.toLocaleString("en-US")} ${count === 1 ? "entry" : "entries"}`;
    const which = count > shown ? `, the last ${shown} (get_messages shows more)` : "";
    this.say(cursor === 0 ? `${name} has ${all}${which}:` : `${name}: ${all} missed${which}:`);
  }

  /** Messages that no group has yet. */
  get waiting(): number {
    return this.#pending.size;
  }

  #event(event: UserEvent): void {
    if (event.type === "state") this.#state(event.group, event.state);
    else if (event.type === "epoch") this.say(`${event.group} begins a new history`);
    else if (event.type === "warning") this.say(event.text);
    else if (event.type === "typing") this.#isTyping(safeLine(event.name));
    else if (event.state === "pending") {
      this.#pending.queued(event.group, event.mid, event.text);
    } else if (event.state === "failed") {
      this.#pending.dropMid(event.mid);
      this.fail(`${event.reason ?? "refused"}; not sent: ${event.text.slice(0, 60)}`);
      this.refresh();
    }
  }

  #state(group: string, state: string): void {
    if (state === "connecting") return;
    const away = this.#away.get(group);
    if (state === "unreachable") {
      // The first contact of a join says itself how it went.
      if (away !== undefined || !this.#isJoined(group)) return;
      this.#away.set(group, setTimeout(() => this.#tellAway(group), AWAY_AFTER));
      return;
    }
    this.#away.delete(group);
    if (away !== "told") clearTimeout(away);
    else if (this.#isJoined(group)) this.say(`${group} is back`);
  }

  #tellAway(group: string): void {
    if (!this.#isJoined(group)) return void this.#away.delete(group);
    this.#away.set(group, "told");
    this.say(`${group} is unreachable; what you send waits for it`);
  }

  #isJoined(group: string): boolean {
    return this.user.joined().some(({ name }) => name === group);
  }

  #isTyping(name: string): void {
    clearTimeout(this.#typing.get(name));
    this.#typing.set(name, setTimeout(() => this.#notTyping(name), TYPING_FOR));
    this.refresh();
  }

  #notTyping(name: string): void {
    clearTimeout(this.#typing.get(name));
    if (this.#typing.delete(name)) this.refresh();
  }
}
