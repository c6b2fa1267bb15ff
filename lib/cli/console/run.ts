/** Runs what is typed at a prompt, or stands line by line in a file or a pipe. */

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
import { Console } from "./console.ts";
import { completions, type Line, readLine } from "./line.ts";
import { pasteQuestion, tooLong } from "./paste.ts";
import { Prompt } from "./prompt.ts";
import type { Screen } from "./screen.ts";

export interface RunPromptOptions {
  readonly user: User;
  readonly home: string;
  readonly servers: Servers;
  readonly output: Output;
  readonly run: Run;
  /** A joined group to begin in; default the first, and none in a script. */
  readonly group?: string | undefined;
  /** A line that is run first. */
  readonly begin?: string | undefined;
  /** Remarks that come later. */
  readonly news?: Promise<readonly string[]>;
  /** A long paste is sent without a question. */
  readonly yes?: boolean;
  /** Of a script: lines that are no command go to the current group. */
  readonly say?: boolean;
}

/** Runs the prompt until `exit`, Ctrl-D or Ctrl-C; the exit code. */
export async function runPrompt(options: RunPromptOptions): Promise<number> {
  const { user, home, servers, output, run } = options;
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
        members: [...prompt.seenNames].map(safeLine),
      }),
    shortcut: (key) => {
      if (key.kind === "page" && key.direction === "up") void prompt.page();
    },
    typing: (line) => {
      const group = prompt.current;
      if (group && understand(prompt, line).kind === "text") user.typing(group.id);
    },
    stop: () => false,
    isText: (line) => understand(prompt, line).kind === "text",
  });
  run.onClose(() => screen.close());
  run.signal.addEventListener("abort", () => screen.close(), { once: true });
  const prompt: Prompt = new Prompt({ user, home, screen, servers, signal: stop.signal });

  const joined = user.joined();
  screen.print(firstScreen(user, output.style));
  prompt.switchTo(joined.find(({ id }) => id === options.group) ?? joined[0]);
  prompt.remember(joined);
  screen.open();
  for (const { name, waiting } of joined) {
    if (waiting > 0) prompt.say(`${name}: ${counted(waiting, "message")} not sent yet`);
  }
  for (const group of joined) void prompt.watch(group);
  void listed(prompt);
  void options.news?.then((texts) => texts.forEach((text) => prompt.say(text)));
  if (options.begin !== undefined) await runLine(prompt, options.begin);

  await Promise.race([runTyped(prompt, screen, options.yes), screen.interrupted]);
  const waiting = unsent(user);
  stop.abort();
  screen.close();
  if (waiting > 0) {
    await output.print(`* ${counted(waiting, "message")} not sent yet: kept for the next time`);
  }
  return 0;
}

/** Runs what is typed until there is no more. */
async function runTyped(prompt: Prompt, screen: Console, yes = false): Promise<void> {
  for (let typed = await screen.take(); typed !== undefined; typed = await screen.take()) {
    if (!await mayRun(prompt, screen, typed, yes)) screen.restore(typed);
    else if (typed.length === 1) await runLine(prompt, typed[0]);
    else await runPaste(prompt, screen, typed);
    if (prompt.ended) return;
  }
}

/** Messages of the outbox that no group has acknowledged. */
function unsent(user: User): number {
  return user.joined().reduce((sum, { waiting }) => sum + waiting, 0);
}

/** Several lines at once: commands if all of them are (or nothing else is possible), else one text. */
async function runPaste(prompt: Prompt, screen: Console, lines: readonly string[]) {
  const kinds = lines.map((line) => understand(prompt, line).kind);
  const commands = kinds.every((kind) => kind === "command" || kind === "empty");
  if (prompt.current && !commands) {
    return await runText(prompt, lines.join("\n").replace(/^\n+|\s+$/g, ""));
  }
  screen.putBack(lines.slice(1));
  await runLine(prompt, lines[0]);
}

/** Whether what was typed may go out; false for a text that is too long, or that nobody meant. */
async function mayRun(prompt: Prompt, screen: Console, lines: readonly string[], yes: boolean) {
  const group = prompt.current;
  if (!group || !lines.some((line) => understand(prompt, line).kind === "text")) return true;
  const problem = tooLong(lines);
  if (problem) prompt.fail(problem);
  if (problem || yes) return !problem;
  const question = pasteQuestion(lines, safeLine(group.name));
  return !question || /^y(es)?$/i.test((await screen.nextLine(question))?.trim() ?? "");
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
    paint(style, "gray", "Type to talk in the current group; Tab completes."),
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
    nextLine: next,
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
      await runLine(prompt, line, say);
      await written;
    }
  } finally {
    over.abort(); // Groups of this program close before its user does: nobody need be told.
  }
  return code;
}

/** What a typed line is, at this moment. */
function understand(prompt: Prompt, typed: string): Line<Command | ProgramCommand> {
  const { current, known, seenNames } = prompt;
  return readLine(typed, TYPED_COMMANDS, {
    current: current !== undefined,
    known,
    members: [...seenNames],
  });
}

/**
 * Runs one line; whatever fails is said.
 *
 * @param says what is no command is a text for the current group
 */
async function runLine(prompt: Prompt, typed: string, says = true): Promise<void> {
  const line = understand(prompt, typed);
  switch (line.kind) {
    case "empty":
      return;
    case "text":
      return says ? await runText(prompt, line.text) : prompt.fail(notSaid(line.text));
    case "command": {
      const { command, word, rest } = line;
      if (command.prompt) return await prompt.run(command, rest);
      return prompt.fail(`Cannot run ${safeLine(word)} here: ${command.instead}`);
    }
    case "unsure":
    case "unknown": {
      if (prompt.live && prompt.current) return await ask(prompt, line);
      return prompt.fail(`${whatItIs(line)}; ${wayOut(prompt, line, says)}`);
    }
  }
}

/** What a script is told of a line that nobody asked to send. */
function notSaid(text: string): string {
  return `Cannot run "${
    safeLine(text)
  }": it is no command; send_message G TEXT sends a text, and ` +
    "with --say every line that is no command is one";
}

type Doubtful = Extract<Line<Command | ProgramCommand>, { kind: "unsure" | "unknown" }>;

/** Asks before anything is sent. An answer that is none is the next line. */
async function ask(prompt: Prompt, line: Doubtful): Promise<void> {
  prompt.say(whatItIs(line));
  const answer = await prompt.nextLine("Send it as a message (y/N)? ");
  if (/^\s*y(es)?\s*$/i.test(answer ?? "")) return await runText(prompt, line.text);
  prompt.say(`not sent; ${wayOut(prompt, line)}`);
  if (answer !== undefined && !/^\s*(no?)?\s*$/i.test(answer)) await runLine(prompt, answer);
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
async function runText(prompt: Prompt, text: string): Promise<void> {
  const group = prompt.current;
  if (!group) {
    return prompt.fail(
      "You are in no group: join_group NAME first, list_groups shows what there is",
    );
  }
  const sent = prompt.send(group, text);
  if (prompt.live) return;
  if (await sent) prompt.print(success(prompt.screen.style));
}
