/** Runs what is typed at a prompt, or stands line by line in a file or a pipe. */

import process from "node:process";
import { looksLikeAddress } from "../../text/addresses.ts";
import { safeLine } from "../../text/filter.ts";
import type { User } from "../../user/user.ts";
import { columns } from "../args.ts";
import type { Command, ProgramCommand } from "../commands/command.ts";
import { TYPED_COMMANDS } from "../commands/table.ts";
import { openHistory } from "../home.ts";
import { type Run, VERSION } from "../program.ts";
import { counted } from "../../text/counted.ts";
import { folded, paint, PLAIN, success } from "../render.ts";
import { fullLabel } from "../people.ts";
import type { Servers } from "../servers.ts";
import type { Output } from "../streams.ts";
import { Alerts } from "./alert.ts";
import { Console, type Shortcut } from "./console.ts";
import { completions, type Line, readLine } from "./line.ts";
import { commandQuestion, pasteQuestion, tooLong, withWholeLink } from "./paste.ts";
import { Prompt } from "./prompt.ts";
import type { Screen } from "./screen.ts";
import { type Pace, type Turn, Turns } from "./turns.ts";

export interface RunPromptOptions {
  readonly user: User;
  readonly home: string;
  readonly servers: Servers;
  readonly output: Output;
  readonly run: Run;
  /** A joined group to begin in; default the first, and none in a script. */
  readonly group?: string | undefined;
  /** The person went back to the prompt: who one is was said. */
  readonly isBack?: boolean;
  /** Who one is here, where that may be another one than meant: stands last before the prompt. */
  readonly who?: string | undefined;
  /** A line that is run first. */
  readonly begin?: string | undefined;
  /** Remarks that come later. */
  readonly news?: Promise<readonly string[]>;
  /** A long paste is sent without a question. */
  readonly yes?: boolean;
  /** Shows the messages of every group as they come, and not of the current one alone. */
  readonly all?: boolean;
  /** Rings, and tells the desktop, at a mention; default true. */
  readonly bell?: boolean;
  /** Of a script: lines that are no command go to the current group. */
  readonly say?: boolean;
}

/** How long the groups have at the start to say what is unread, ms. */
const UNREAD_WITHIN = 2_000;

/** Runs the prompt until `exit`, Ctrl-D or Ctrl-C; the group in which the person was. */
export async function runPrompt(options: RunPromptOptions): Promise<{ readonly group?: string }> {
  const { user, home, servers, output, run, all, bell = true } = options;
  const stop = new AbortController();
  run.onClose(() => stop.abort());
  const history = await openHistory(home);
  const screen = new Console({
    style: output.style,
    history,
    complete: (line) =>
      completions(line, {
        commands: prompt.commands.flatMap(({ names }) => names),
        short: prompt.commands.flatMap(({ short = [] }) => short),
        groups: [...new Set(prompt.known.names)].filter((name) => !looksLikeAddress(name)),
        members: prompt.members.map(({ user, name }) => ({ user, name: safeLine(name) })),
      }),
    shortcut: (key) => followShortcut(prompt, key),
    stop: () => prompt.stop(),
    typing: (line) => {
      const group = prompt.current;
      if (group && understand(prompt, line).kind === "text") user.typing(group.id);
    },
    isText: (line) => understand(prompt, line).kind === "text",
  });
  run.onClose(() => screen.close());
  run.signal.addEventListener("abort", () => screen.close(), { once: true });
  const alerts = bell ? new Alerts(process.env) : undefined;
  const { signal } = stop;
  const prompt: Prompt = new Prompt({ user, home, screen, servers, signal, all, alerts });
  const turns: Turns = new Turns({
    run: (turn) => runTurn(prompt, turn),
    changed: () => prompt.waits(turns.waiting),
  });

  const joined = user.joined();
  if (!options.isBack) screen.print(firstScreen(user, output.style));
  prompt.switchTo(joined.find(({ id }) => id === options.group) ?? joined[0]);
  prompt.remember(joined);
  screen.open();
  for (const { name, waiting } of joined) {
    if (waiting > 0) prompt.say(`${name}: ${counted(waiting, "message")} not sent yet`);
  }
  if (options.who !== undefined) prompt.say(options.who);
  const shown = Promise.all(joined.map((group) => prompt.watch(group)));
  void Promise.race([shown, pause(UNREAD_WITHIN)]).then(() => prompt.tellUnread());
  void listed(prompt);
  void options.news?.then((texts) => texts.forEach((text) => prompt.say(text)));
  if (options.begin !== undefined) turns.take([options.begin], "in turn");

  await Promise.race([
    takeTyped(prompt, screen, turns, options.yes),
    prompt.over,
    screen.interrupted,
  ]);
  const [waiting, group] = [unsent(user), prompt.current?.id];
  stop.abort();
  screen.close();
  if (waiting > 0) {
    await output.print(`* ${counted(waiting, "message")} not sent yet: kept for the next time`);
  }
  for (const line of turns.waiting) await output.print(`* not sent: ${safeLine(line)}`);
  return { ...(group !== undefined && { group }) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** Hands what is typed on until there is no more; what it does goes on beside what is typed next. */
async function takeTyped(prompt: Prompt, screen: Console, turns: Turns, yes = false) {
  for (let typed = await screen.take(); typed !== undefined; typed = await screen.take()) {
    const lines = beginsAsCommand(prompt, typed) ? withWholeLink(typed) : typed;
    if (await mayRun(prompt, screen, lines, yes)) turns.take(lines, paceOf(prompt, lines));
    else screen.restore(typed);
  }
}

/** Whether these are several lines for one text of which the first alone is a command. */
function beginsAsCommand(prompt: Prompt, lines: readonly string[]): boolean {
  return isPastedText(prompt, lines) &&
    (lines[0].startsWith("/") || understand(prompt, lines[0]).kind === "command");
}

/** How typed lines run. Lines that were pasted as commands come before what is typed after them. */
function paceOf(prompt: Prompt, lines: readonly string[]): Pace {
  if (isPastedText(prompt, lines)) return "at once";
  if (lines.length > 1) return "first";
  const line = understand(prompt, lines[0]);
  if (line.kind !== "command" || !line.command.prompt) return "at once";
  return line.command.pace ?? "in turn";
}

/** Several lines at once: commands if all of them are (or nothing else is possible), else one text. */
function isPastedText(prompt: Prompt, lines: readonly string[]): boolean {
  if (lines.length === 1 || !prompt.current) return false;
  const kinds = lines.map((line) => understand(prompt, line).kind);
  return !kinds.every((kind) => kind === "command" || kind === "empty");
}

/** Runs what was typed at one moment; false when a line of it failed. */
async function runTurn(prompt: Prompt, { lines, behind }: Turn): Promise<boolean> {
  const moved = behind?.ok ?? true;
  if (isPastedText(prompt, lines)) {
    const text = lines.splice(0).join("\n").replace(/^\n+|\s+$/g, "");
    return await runText(prompt, text, { moved });
  }
  const before = prompt.pasted;
  prompt.pasted = lines;
  let ok = true;
  while (lines.length > 0 && !prompt.ended) {
    ok = await runLine(prompt, lines.shift()!, { moved: moved && ok }) && ok;
  }
  prompt.pasted = before;
  return ok;
}

function followShortcut(prompt: Prompt, key: Shortcut): void {
  if (key.kind === "next") prompt.goToUnread();
  if (key.kind === "page" && key.direction === "up") void prompt.page();
  if (key.kind !== "group") return;
  const group = prompt.joined[key.number - 1];
  if (group) prompt.goTo(group);
  else prompt.say(`there is no group ${key.number}; show_groups numbers them`);
}

/** Messages of the outbox that no group has acknowledged. */
function unsent(user: User): number {
  return user.joined().reduce((sum, { waiting }) => sum + waiting, 0);
}

/** Whether what was typed may go out; false for a text that is too long, or that nobody meant. */
async function mayRun(prompt: Prompt, screen: Console, lines: readonly string[], yes: boolean) {
  const group = prompt.current;
  if (prompt.isOut && lines.some((line) => mayBeText(prompt, line))) {
    return refuse(
      prompt,
      "Cannot send this: you are in no group now; /switch G goes to another one",
    );
  }
  if (!group || !lines.some((line) => understand(prompt, line).kind === "text")) return true;
  const problem = tooLong(lines);
  if (problem) prompt.fail(problem);
  if (problem) return false;
  const name = safeLine(group.name);
  const question = beginsAsCommand(prompt, lines)
    ? commandQuestion(lines, name)
    : yes
    ? undefined
    : pasteQuestion(lines, name);
  return !question || /^y(es)?$/i.test((await screen.ask(question))?.[0].trim() ?? "");
}

/** Whether a line is a text, or may be meant as one. */
function mayBeText(prompt: Prompt, line: string): boolean {
  const { kind } = understand(prompt, line);
  return kind !== "command" && kind !== "empty" && !line.startsWith("/");
}

function firstScreen(user: User, style: Output["style"]): string {
  const joined = user.joined();
  const groups = joined.length === 0
    ? "none yet: list_groups shows what there is, join_group G joins"
    : joined.map(({ name }) => safeLine(name)).join(", ");
  return [
    paint(style, "bold", `zgroup ${VERSION}`),
    ...columns([
      ["you", paint(style, "bold", fullLabel({ user: user.id, name: user.name }))],
      ["registry", user.registries.join(", ")],
      ["groups", groups],
    ]),
    paint(style, "gray", "Type to talk in the current group; Tab completes, Page Up reads back."),
    paint(style, "gray", "help shows the commands, exit leaves."),
    "",
  ].map((line) => folded(line, style, 0)).join("\n");
}

/** What the registry lists, for completion; nobody is told when it does not answer. */
async function listed(prompt: Prompt): Promise<void> {
  try {
    const found = await prompt.user.list();
    const numbered = prompt.listed;
    prompt.remember(found);
    prompt.listed = numbered;
  } catch {
    prompt.say(
      `no registry answers at ${prompt.user.registries.join(", ")}; joined groups work without it`,
    );
  }
}

export interface ScriptOptions extends Omit<RunPromptOptions, "run"> {
  readonly lines: AsyncGenerator<string>;
  readonly signal: AbortSignal;
}

/** Runs every line; 1 if any failed. */
export async function runScript(options: ScriptOptions): Promise<number> {
  const { user, home, servers, output, lines, signal, say = false } = options;
  let code = 0;
  let written: Promise<void> = Promise.resolve();
  const next = async () => {
    const { value, done } = await lines.next();
    return done ? undefined : value;
  };
  const screen: Screen = {
    style: PLAIN,
    live: false,
    print: (text) => {
      written = output.print(text);
      return written.catch(() => {}); // seen at the next line
    },
    fail: (text) => {
      code = 1;
      void output.complain(text);
    },
    ask: async () => {
      const line = await next();
      return line === undefined ? undefined : [line];
    },
    status: () => {},
    prompt: () => {},
  };
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const prompt = new Prompt({ user, home, screen, servers, signal: either });
  prompt.switchTo(user.joined().find(({ id }) => id === options.group));
  try {
    for (const text of await options.news ?? []) prompt.say(text); // A script can rely on it.
    if (options.begin !== undefined) await runLine(prompt, options.begin);
    while (!prompt.ended && !signal.aborted) {
      const line = await next();
      if (line === undefined) break;
      await runLine(prompt, line, { says: say });
      await written;
    }
  } finally {
    over.abort(); // Groups of this program close before its user does: nobody need be told.
  }
  return code;
}

/** What a typed line is, at this moment. */
function understand(prompt: Prompt, typed: string): Line<Command | ProgramCommand> {
  const { current, isOut, known, members } = prompt;
  return readLine(typed, TYPED_COMMANDS, {
    current: current !== undefined || isOut,
    known,
    members: members.map(({ name }) => name),
  });
}

/** What a line may be beside a command. */
interface Allowed {
  /** What is no command is a text for the current group. */
  readonly says?: boolean;
  /** What was to choose the group did so, and a text is for it. */
  readonly moved?: boolean;
}

/** Runs one line; false when it failed, which was said. */
async function runLine(prompt: Prompt, typed: string, allowed: Allowed = {}): Promise<boolean> {
  const { says = true } = allowed;
  const line = understand(prompt, typed);
  switch (line.kind) {
    case "empty":
      return true;
    case "text":
      return says ? await runText(prompt, line.text, allowed) : refuse(prompt, notSaid(line.text));
    case "command": {
      const { command, word, rest } = line;
      if (command.prompt) return await prompt.run(command, rest);
      return refuse(prompt, `Cannot run ${safeLine(word)} here: ${command.instead}`);
    }
    case "unsure":
    case "unknown":
      if (prompt.live && prompt.current) return await ask(prompt, line, allowed);
      return refuse(prompt, `${whatItIs(line)}; ${wayOut(prompt, line, says)}`);
  }
}

function refuse(prompt: Prompt, why: string): false {
  prompt.fail(why);
  return false;
}

/** What a script is told of a line that nobody asked to send. */
function notSaid(text: string): string {
  return `Cannot run "${
    safeLine(text)
  }": it is no command; send_message G TEXT sends a text, and ` +
    "with --say every line that is no command is one";
}

type Doubtful = Extract<Line<Command | ProgramCommand>, { kind: "unsure" | "unknown" }>;

/** Asks before anything is sent. */
async function ask(prompt: Prompt, line: Doubtful, allowed: Allowed): Promise<boolean> {
  prompt.say(whatItIs(line));
  const answer = await prompt.nextLine("Send it as a message (y/N)? ");
  if (/^\s*y(es)?\s*$/i.test(answer ?? "")) return await runText(prompt, line.text, allowed);
  prompt.say(`not sent; ${wayOut(prompt, line)}`);
  return false;
}

function whatItIs(line: Doubtful): string {
  if (line.kind === "unsure") {
    const { prompt, names } = line.command;
    return `"${safeLine(line.text)}" begins like the command ${prompt?.usage ?? names[0]}`;
  }
  const hint = line.near ? `did you mean ${line.near}?` : "help shows what there is";
  return `There is no command "${safeLine(line.word)}": ${hint}`;
}

function wayOut({ current }: Prompt, line: Doubtful, says = true): string {
  if (!current) return "to send plain text, join_group G first";
  return [
    ...(line.kind === "unsure" ? ["/ before it makes it a command"] : []),
    says ? "a space before it makes it a message" : "send_message G TEXT sends a text",
  ].join(", ");
}

/** A text for the current group. A person does not wait for it, a script does. */
async function runText(prompt: Prompt, text: string, { moved = true }: Allowed): Promise<boolean> {
  const group = prompt.current;
  if (!group) {
    return refuse(
      prompt,
      "You are in no group: join_group NAME first, list_groups shows what there is",
    );
  }
  if (!moved && prompt.live) {
    const begin = `Cannot send "${safeLine(text.slice(0, 60))}"`;
    return refuse(prompt, `${begin}: the command before it failed; Up brings it back`);
  }
  const sent = prompt.send(group, text);
  if (prompt.live) return true;
  if (!await sent) return false;
  prompt.print(success(prompt.screen.style));
  return true;
}
