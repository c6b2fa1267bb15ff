/** One person at one prompt: the current group, what was listed, what is on its way. */

import { Refusal, Unreachable } from "../../errors.ts";
import { safeLine } from "../../text/filter.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import type { JoinedGroup, LinkState, MemberInfo, Receipt, UserEvent } from "../../user/types.ts";
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
import { type GroupRef, type Known, PUT_OUT, targetOf, whyOut } from "../commands/targets.ts";
import { explain, explainSend, failed, notice, PROMPT_WORDS } from "../render.ts";
import type { Servers } from "../servers.ts";
import { Absences } from "./absences.ts";
import type { Alerts } from "./alert.ts";
import { Conversations } from "./conversations.ts";
import type { Mentionable } from "./mentions.ts";
import type { Screen } from "./screen.ts";
import { Pending } from "./pending.ts";
import { type Running, Runs, unlessStopped } from "./turns.ts";
import { Typing } from "./typing.ts";
import { promptLabel, unreadText } from "./views.ts";
import { Watches } from "./watches.ts";

export interface PromptOptions {
  readonly user: User;
  readonly home: string;
  readonly screen: Screen;
  readonly servers: Servers;
  readonly signal: AbortSignal;
  /** Shows the messages of every group as they come, and not of the current one alone. */
  readonly all?: boolean;
  /** Calls for attention at a mention. */
  readonly alerts?: Alerts | undefined;
}

export class Prompt implements AtPrompt {
  readonly user: User;
  readonly screen: Screen;
  readonly commands = PROMPT_COMMANDS;
  readonly servers: Servers;
  /** Resolves at `exit`. */
  readonly over: Promise<void>;
  /** Names or addresses in the order of the last list. */
  listed: readonly string[] = [];
  /** Lines that were pasted with what runs: they answer its questions. */
  pasted: string[] = [];
  readonly #over = Promise.withResolvers<void>();
  readonly #context: Context;
  readonly #signal: AbortSignal;
  readonly #pending = new Pending();
  readonly #watches: Watches;
  readonly #conversations: Conversations;
  readonly #absences: Absences;
  readonly #typing = new Typing(() => this.refresh());
  readonly #runs = new Runs(() => this.refresh());
  #waiting: readonly string[] = [];
  #ended = false;
  #current: string | undefined;
  #isOut = false;
  #names: readonly string[] = [];

  constructor({ user, home, screen, servers, signal, all = false, alerts }: PromptOptions) {
    this.user = user;
    this.screen = screen;
    this.servers = servers;
    servers.onTrouble((text) => this.fail(text));
    this.over = this.#over.promise;
    this.#signal = signal;
    this.#context = {
      user,
      home,
      style: screen.style,
      signal,
      marksRead: false, // what is shown as it comes does
      prompt: this,
      send: (group, text) => this.send(group, text),
      meet: (group) => this.#conversations.meet(group),
      entry: (group, entry) => this.#conversations.datedLine(group, entry),
      dated: (group, entry) => this.#conversations.datedLine(group, entry),
      paging: screen.page && {
        get rows() {
          return (screen.rows ?? 24) - 2;
        },
        page: screen.page,
      },
    };
    const [print, say] = [(text: string) => this.print(text), (text: string) => this.say(text)];
    this.#conversations = new Conversations({ user, screen, all, alerts, print, say });
    this.#absences = new Absences({
      isJoined: (group) => this.joined.some(({ name }) => name === group),
      say,
      away: (group) => void this.#conversations.away(group),
    });
    this.#watches = new Watches(user, {
      caughtUp: (group, entries, fresh) => this.#caughtUp(group, entries, fresh),
      // What a command brings stands behind its SUCCESS, whichever of the two is here first.
      mayTake: ({ author }) => author === this.user.id ? this.#runs.last?.settled : undefined,
      came: (group, entry) => this.#came(group, entry),
      failed: (group, error) => {
        const isMember = this.joined.some(({ id }) => id === group.id);
        const out = error instanceof Refusal ? PUT_OUT[error.code] : undefined;
        this.say(`${group.name}: ${out ?? this.#why(error, group.name)}`);
        if (out || !isMember) this.#putOut(group);
      },
    });
    const off = user.on((event) => this.#event(event));
    signal.addEventListener("abort", () => {
      off();
      this.#absences.close();
      this.#typing.close();
      this.#watches.close();
    }, { once: true });
  }

  get live(): boolean {
    return this.screen.live;
  }

  get ended(): boolean {
    return this.#ended;
  }

  set ended(ended: boolean) {
    this.#ended = ended;
    if (ended) this.#over.resolve();
  }

  get joined(): readonly JoinedGroup[] {
    return this.user.joined();
  }

  get current(): JoinedGroup | undefined {
    return this.joined.find(({ id }) => id === this.#current);
  }

  /** The person was put out of the current group, and has gone to no other. */
  get isOut(): boolean {
    return this.#isOut && !this.current;
  }

  get known(): Known {
    const joined = this.joined.flatMap(({ name, address }) => [name, address]);
    return { names: [...joined, ...this.#names], numbered: this.listed };
  }

  /** Members of the current group, as far as known. */
  get members(): readonly Mentionable[] {
    return this.#current === undefined ? [] : this.#conversations.members(this.#current);
  }

  /** Runs a command; false when it failed, which was said, or was stopped. */
  async run(command: Command, rest: string): Promise<boolean> {
    const running = this.#runs.begin(command.names[0], this.#signal);
    const { signal } = running;
    const work = this.#work(command, rest, running);
    try {
      await unlessStopped(work, signal);
      return true;
    } catch (error) {
      if (!signal.aborted) this.fail(error, targetOf(rest, this.known));
      else if (!this.#signal.aborted) this.#stopped(running, work);
      return false;
    } finally {
      running.end();
    }
  }

  async #work(command: Command, rest: string, { signal }: Running): Promise<void> {
    if (/^(--help|-h)$/.test(rest)) {
      const page = promptHelp(this.commands, this.screen.style, command.names[0]);
      return this.print(page.join("\n"));
    }
    refuseOption(command, rest);
    const args = await command.prompt!.read(rest, this);
    const entry = this.#conversations.lines();
    await runCommand(command, { ...this.#context, signal, entry }, args, {
      print: (text) => signal.aborted ? undefined : this.screen.print(text),
      remark: (text) => signal.aborted ? undefined : this.say(text),
    });
  }

  /** Nobody waits any longer; what was asked of a group may be done all the same. */
  #stopped({ name }: Running, work: Promise<void>): void {
    this.say(`${name} stopped`);
    const settle = () => {
      for (const group of this.joined) void this.watch(group);
      this.refresh();
    };
    work.then(settle, settle);
  }

  /** Stops what runs; false where nothing does. */
  stop(): boolean {
    return this.#runs.stop();
  }

  /** Lines that wait for what runs. */
  waits(lines: readonly string[]): void {
    this.#waiting = lines;
    this.refresh();
  }

  async nextLine(question: string): Promise<string | undefined> {
    if (this.pasted.length > 0) return this.pasted.shift();
    const asking = this.#runs.last;
    asking?.asks(true);
    const typed = await this.screen.ask(question);
    asking?.asks(false);
    this.pasted.push(...typed?.slice(1) ?? []);
    return typed?.[0];
  }

  print(text: string): void {
    if (!this.#signal.aborted) void this.screen.print(text);
  }

  saw(group: GroupRef, members: readonly MemberInfo[]): void {
    this.#conversations.know(group, members);
  }

  remember(groups: readonly { readonly name: string; readonly address: string }[]): void {
    this.listed = groups.map(({ name, address }) =>
      groups.filter((other) => other.name === name).length > 1 ? address : name
    );
    this.#names = [...new Set([...this.#names, ...groups.flatMap((g) => [g.name, g.address])])]
      .slice(-10_000);
  }

  /** Once for each group; a script shows none. */
  async watch(group: JoinedGroup): Promise<void> {
    if (!this.live) return;
    await this.#conversations.meet(group);
    if (!this.#signal.aborted) await this.#watches.open(group);
  }

  /** Shows the history of the current group, from its end. */
  async page(): Promise<void> {
    const group = this.current;
    if (!group) return this.say("you are in no group: join_group G shows its history here");
    await this.screen.page?.(historyOf(group, this.#context));
  }

  switchTo(group: JoinedGroup | undefined): void {
    this.#isOut = false;
    this.#current = group?.id;
    this.#conversations.goTo(group);
    this.refresh();
  }

  /** The same, where no command says it. */
  goTo(group: JoinedGroup): void {
    this.say(`plain text goes to ${group.name} now`);
    this.switchTo(group);
  }

  /** The next group, behind the current one, that has something unread. */
  goToUnread(): void {
    const next = this.#conversations.nextUnread();
    if (next) this.goTo(next);
    else this.say("nothing is unread");
  }

  /** Says once what is unread elsewhere. */
  tellUnread(): void {
    const unread = unreadText(this.#conversations.elsewhere());
    if (unread !== "") this.say(`unread: ${unread}; Tab on an empty line goes there`);
  }

  unread(group: JoinedGroup): number {
    const { isLoaded, unread } = this.#conversations.view(group);
    return isLoaded ? unread : group.unread;
  }

  /** After leaving: no more of its messages, and another current group if it was that one. */
  left(group: GroupRef): void {
    this.#forget(group);
    const [first] = this.joined;
    if (this.#current !== group.id) this.refresh();
    else if (first && this.live) this.goTo(first);
    else this.switchTo(first);
  }

  /** What was typed for this group goes to no other by itself. */
  #putOut(group: GroupRef): void {
    this.#forget(group);
    if (this.#current !== group.id) return this.refresh();
    this.switchTo(undefined);
    this.#isOut = true;
    if (this.joined.length > 0) this.say("/switch G goes to another group");
  }

  #forget(group: GroupRef): void {
    this.#watches.stop(group.id);
    this.#conversations.forget(group);
    this.#pending.drop((item) => item.group === group.id);
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
    if (typeof error === "string") return error;
    return explain(whyOut(error, target, this.user), PROMPT_WORDS, target);
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

  /** Draws status and prompt again. */
  refresh(): void {
    const { current, screen } = this;
    screen.prompt(
      promptLabel(current?.name, this.#conversations.elsewhere(), screen.style.columns),
    );
    screen.status([
      ...this.#pending.lines(),
      ...[this.#typing.line(current?.name) ?? []].flat(),
      ...[this.#runs.line ?? []].flat(),
      ...this.#waiting.map((line) => `… ${safeLine(line)} (waits)`),
    ]);
  }

  #caughtUp(group: JoinedGroup, entries: readonly GroupEntry[], fresh: number): void {
    for (const entry of entries) this.#arrived(group, entry);
    this.#conversations.caughtUp(group, entries, fresh);
    this.refresh();
  }

  #came(group: JoinedGroup, entry: GroupEntry): void {
    this.#arrived(group, entry);
    this.#typing.over(group.name, safeLine(entry.name));
    this.#conversations.came(group, entry);
    this.refresh();
  }

  #arrived({ id }: JoinedGroup, entry: GroupEntry): void {
    if (entry.author === this.user.id) this.#pending.arrived(id, entry);
  }

  #state(name: string, state: LinkState): void {
    this.#absences.take(name, state);
    const group = this.joined.find((group) => group.name === name);
    if (group && state === "live") void this.#conversations.meet(group);
  }

  #event(event: UserEvent): void {
    if (event.type === "state") this.#state(event.group, event.state);
    else if (event.type === "epoch") this.say(`${event.group} begins a new history`);
    else if (event.type === "warning") this.say(event.text);
    else if (event.type === "alarm") this.fail(event.text);
    else if (event.type === "typing") this.#typing.hint(event.group, safeLine(event.name));
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
}
