/** One person at one prompt: the current group, what was listed, what is on its way. */

import { Refusal, Unreachable } from "../../errors.ts";
import { safeLine } from "../../text/filter.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import type { JoinedGroup, Receipt, UserEvent } from "../../user/types.ts";
import type { User } from "../../user/user.ts";
import {
  type AtPrompt,
  type Command,
  type Context,
  refuseOption,
  runCommand,
} from "../commands/command.ts";
import { promptHelp } from "../commands/show.ts";
import { PROMPT_COMMANDS } from "../commands/table.ts";
import { historyOf } from "../commands/history.ts";
import { type GroupRef, type Known, takeTarget } from "../commands/targets.ts";
import { entryLine, explain, explainSend, failed, notice, PROMPT_WORDS } from "../render.ts";
import { People } from "../people.ts";
import type { Servers } from "../servers.ts";
import type { Screen } from "./screen.ts";
import { Pending } from "./pending.ts";
import { Watches } from "./watches.ts";

export interface PromptOptions {
  readonly user: User;
  readonly home: string;
  readonly screen: Screen;
  readonly servers: Servers;
  readonly signal: AbortSignal;
}

/** A group that answers again within this time, ms, was not away: its connection was cut. */
const AWAY_AFTER = 700;

/** How long a hint that somebody is typing stays, ms. */
const TYPING_FOR = 6_000;

export class Prompt implements AtPrompt {
  readonly user: User;
  readonly screen: Screen;
  readonly commands = PROMPT_COMMANDS;
  readonly servers: Servers;
  ended = false;
  /** Names or addresses in the order of the last list. */
  listed: readonly string[] = [];
  /** Names of members, for completion. */
  readonly seenNames = new Set<string>();
  readonly #context: Context;
  readonly #signal: AbortSignal;
  /** Who is in each group, once it has told. */
  readonly #people = new Map<string, People>();
  readonly #pending = new Pending();
  readonly #watches: Watches;
  readonly #unread = new Map<string, number>();
  /** Groups that do not answer: a timer until that is told. */
  readonly #away = new Map<string, ReturnType<typeof setTimeout> | "told">();
  readonly #typing = new Map<string, ReturnType<typeof setTimeout>>();
  #current: string | undefined;
  #all: readonly string[] = [];

  constructor({ user, home, screen, servers, signal }: PromptOptions) {
    this.user = user;
    this.screen = screen;
    this.servers = servers;
    servers.onTrouble((text) => this.fail(text));
    this.#signal = signal;
    this.#context = {
      user,
      home,
      style: screen.style,
      signal,
      marksRead: false, // the live feed does
      prompt: this,
      send: (group, text) => this.send(group, text),
      meet: (group) => this.#meet(group),
      entry: (group, entry) => this.#line(group, entry),
      paging: screen.page && {
        get rows() {
          return (screen.rows ?? 24) - 2;
        },
        page: (source) => screen.page!(source),
      },
    };
    this.#watches = new Watches(user, {
      show: (group, entry) => this.#show(group, entry),
      missed: (group, count, shown) => this.#missed(group, count, shown),
      failed: (group, error) => {
        const member = this.joined.some(({ id }) => id === group.id);
        const code = !member && error instanceof Refusal ? error.code : undefined;
        const why = code === "not_member"
          ? "you are no member any more"
          : code === "banned"
          ? "you are banned from it"
          : this.#why(error, group.name);
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

  get live(): boolean {
    return this.screen.live;
  }

  get joined(): readonly JoinedGroup[] {
    return this.user.joined();
  }

  get current(): JoinedGroup | undefined {
    return this.joined.find(({ id }) => id === this.#current);
  }

  get known(): Known {
    const joined = this.joined.flatMap(({ name, address }) => [name, address]);
    return { names: [...joined, ...this.#all], numbered: this.listed };
  }

  async run(command: Command, rest: string): Promise<void> {
    try {
      if (/^(--help|-h)$/.test(rest)) {
        const page = promptHelp(this.commands, this.screen.style, command.names[0]);
        return this.print(page.join("\n"));
      }
      refuseOption(command, rest);
      const args = await command.prompt!.read(rest, this);
      await runCommand(command, this.#context, args, {
        print: (text) => this.#signal.aborted ? undefined : this.screen.print(text),
        remark: (text) => this.say(text),
      });
    } catch (error) {
      this.fail(error, targetOf(rest, this.known));
    }
  }

  nextLine(question: string): Promise<string | undefined> {
    return this.screen.nextLine(question);
  }

  print(text: string): void {
    if (!this.#signal.aborted) void this.screen.print(text);
  }

  saw(names: readonly string[]): void {
    for (const name of names) this.seenNames.add(name);
  }

  remember(groups: readonly { readonly name: string; readonly address: string }[]): void {
    this.listed = groups.map(({ name, address }) =>
      groups.filter((other) => other.name === name).length > 1 ? address : name
    );
    this.#all = [...new Set([...this.#all, ...groups.flatMap((g) => [g.name, g.address])])]
      .slice(-10_000);
  }

  /** Once for each group; a script shows none. */
  async watch(group: JoinedGroup): Promise<void> {
    if (!this.live) return;
    await this.#meet(group);
    if (!this.#signal.aborted) await this.#watches.open(group);
  }

  /** Learns who is in a group; one that does not answer is asked when it does. */
  async #meet({ id }: GroupRef): Promise<void> {
    if (this.#people.has(id)) return;
    const members = await this.user.members(id).catch(() => undefined);
    if (!members) return;
    this.#people.set(id, new People(members));
    this.saw(members.map(({ name }) => name));
  }

  /** Shows the history of the current group, from its end. */
  async page(): Promise<void> {
    const group = this.current;
    if (!group) return this.say("you are in no group: join_group G shows its history here");
    await this.screen.page?.(historyOf(group, this.#context));
  }

  switchTo(group: JoinedGroup | undefined): void {
    this.#current = group?.id;
    if (group) this.#unread.delete(group.id);
    this.refresh();
  }

  /** After leaving: no more of its messages, and another current group if it was that one. */
  left(group: GroupRef): void {
    this.#watches.stop(group.id);
    this.#people.delete(group.id);
    this.#unread.delete(group.id);
    this.#pending.drop((item) => item.group === group.id);
    if (this.#current === group.id) this.switchTo(this.joined[0]);
    else this.refresh();
  }

  say(text: string): void {
    this.print(notice(text, this.screen.style));
  }

  fail(error: unknown, target?: string): void {
    if (this.#signal.aborted) return;
    this.screen.fail(failed(this.#why(error, target), this.screen.style));
  }

  /** The sentence of an error, with the way out. */
  #why(error: unknown, target?: string): string {
    return typeof error === "string" ? error : explain(error, PROMPT_WORDS, target);
  }

  /**
   * Sends a text; where a person watches it is shown as pending until the group's log has it. Without
   * a receipt when it failed, which was said, or when it waits in the outbox, which the status shows.
   */
  async send(group: GroupRef, text: string): Promise<Receipt | undefined> {
    const item = this.#pending.add(group.id, group.name, text);
    this.refresh();
    try {
      const receipt = await this.user.send(group.id, text);
      item.mid = receipt.mid; // It stays until its entry is shown.
      return receipt;
    } catch (error) {
      if (error instanceof Unreachable && this.live) return undefined;
      if (this.#pending.drop((one) => one === item)) {
        this.fail(explainSend(error, PROMPT_WORDS, group.name));
      }
      return undefined;
    } finally {
      // Without a live feed of this group nothing else would take it off the screen.
      if (!this.#watches.has(group.id)) this.#pending.drop((one) => one === item);
      this.refresh();
    }
  }

  /** An entry as lines, with the group's name where several are shown. */
  #line(group: GroupRef, entry: GroupEntry): string {
    if (entry.kind !== "founded") this.seenNames.add(entry.name);
    const several = this.live && this.joined.length > 1;
    return entryLine(entry, this.screen.style, {
      people: this.#people.get(group.id),
      ...(several ? { group: group.name } : {}),
    });
  }

  /** Draws status and prompt again. */
  refresh(): void {
    const current = this.current;
    const others = [...this.#unread].filter(([id, count]) => id !== this.#current && count > 0);
    const sum = others.reduce((total, [, count]) => total + count, 0);
    const name = this.joined.find(({ id }) => id === others[0]?.[0])?.name;
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
    this.#notTyping(safeLine(entry.name));
    this.#people.get(group.id)?.apply(entry);
    this.print(this.#line(group, entry));
    this.refresh();
  }

  #missed({ name, cursor }: JoinedGroup, count: number, shown: number): void {
    const all = `${count.toLocaleString("en-US")} ${count === 1 ? "entry" : "entries"}`;
    const which = count > shown ? `, the last ${shown} (get_messages shows more)` : "";
    this.say(cursor === 0 ? `${name} has ${all}${which}:` : `${name}: ${all} missed${which}:`);
  }

  #event(event: UserEvent): void {
    if (event.type === "state") this.#state(event.group, event.state);
    else if (event.type === "epoch") this.say(`${event.group} begins a new history`);
    else if (event.type === "warning") this.say(event.text);
    else if (event.type === "alarm") this.fail(event.text);
    else if (event.type === "typing") this.#isTyping(safeLine(event.name));
    else if (event.state === "pending") {
      this.#pending.queued(event.group, event.mid, event.text);
    } else if (event.state === "failed") {
      this.#pending.drop(({ mid }) => mid === event.mid);
      this.fail(`${event.reason ?? "refused"}; not sent: ${event.text.slice(0, 60)}`);
      this.refresh();
    } else if (event.state === "dropped") {
      this.#pending.drop(({ mid }) => mid === event.mid); // Whoever took it back was told.
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
    const back = this.joined.find(({ name }) => name === group);
    if (back) void this.#meet(back);
    if (away !== "told") clearTimeout(away);
    else if (this.#isJoined(group)) this.say(`${group} is back`);
  }

  #tellAway(group: string): void {
    if (!this.#isJoined(group)) return void this.#away.delete(group);
    this.#away.set(group, "told");
    this.say(`${group} is unreachable; what you send waits for it`);
  }

  #isJoined(group: string): boolean {
    return this.joined.some(({ name }) => name === group);
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

function targetOf(rest: string, known: Known): string | undefined {
  try {
    return takeTarget(rest, known)?.target;
  } catch {
    return undefined;
  }
}
