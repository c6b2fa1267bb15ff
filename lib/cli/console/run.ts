/** Runs what is typed at a prompt, or stands line by line in a file or a pipe. */

import { looksLikeAddress } from "../../text/addresses.ts";
import { safeLine } from "../../text/filter.ts";
import type { User } from "../../user/user.ts";
import { columns } from "../args.ts";
import type { Command } from "../commands/command.ts";
import { openHistory } from "../home.ts";
import { type Run, VERSION } from "../program.ts";
import { counted } from "../../text/counted.ts";
import { folded, paint, PLAIN, success } from "../render.ts";
import type { Servers } from "../servers.ts";
import type { Output } from "../streams.ts";
import { Console, type Screen } from "./console.ts";
import { completions, type Line, readLine } from "./line.ts";
import { Prompt } from "./prompt.ts";

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
        groups: [...new Set(prompt.known.names)].filter((name) => !looksLikeAddress(name)),
        members: [...prompt.seenNames].map(safeLine),
      }),
    typing: (line) => {
      const group = prompt.current;
      if (group && understand(prompt, line).kind === "text") user.typing(group.id);
    },
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

  await Promise.race([runTyped(prompt, screen), screen.interrupted]);
  const waiting = unsent(user);
  stop.abort();
  screen.close();
  if (waiting > 0) {
    await output.print(`* ${counted(waiting, "message")} not sent yet: kept for the next time`);
  }
  return 0;
}

/** Runs what is typed until there is no more. */
async function runTyped(prompt: Prompt, screen: Console): Promise<void> {
  for (let typed = await screen.take(); typed !== undefined; typed = await screen.take()) {
    if (typed.length === 1) await runLine(prompt, typed[0]);
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

function firstScreen(user: User, style: Output["style"]): string {
  const joined = user.joined();
  const groups = joined.length === 0
    ? "none yet: list_groups shows what there is, join_group G joins"
    : joined.map(({ name }) => safeLine(name)).join(", ");
  return [
    paint(style, "bold", `zgroup ${VERSION}`),
    ...columns([
      ["you", `${paint(style, "bold", safeLine(user.name))} (${user.id.slice(0, 8)})`],
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
  const { user, home, servers, output, lines, signal } = options;
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
      await runLine(prompt, line);
      await written;
    }
  } finally {
    over.abort(); // Groups of this program close before its user does: nobody need be told.
  }
  return code;
}

/** What a typed line is, at this moment. */
function understand(prompt: Prompt, typed: string): Line<Command> {
  return readLine(typed, prompt.commands, {
    current: prompt.current !== undefined,
    isGroup: (name) => {
      const { names, numbered } = prompt.known;
      const bare = name.replace(/^(["'])(.*)\1$/, "$2").toLowerCase();
      return names.some((known) => known.toLowerCase() === bare) ||
        (/^\d+$/.test(name) && numbered[Number(name) - 1] !== undefined);
    },
  });
}

/** Runs one line; whatever fails is said. */
async function runLine(prompt: Prompt, typed: string): Promise<void> {
  const line = understand(prompt, typed);
  switch (line.kind) {
    case "empty":
      return;
    case "text":
      return await runText(prompt, line.text);
    case "command":
      return await prompt.run(line.command, line.rest);
    case "unknown": {
      const hint = line.near ? `did you mean ${line.near}?` : "help shows what there is";
      const group = prompt.current ? "" : "; to send plain text, join_group G first";
      return prompt.fail(`There is no command "${safeLine(line.word)}": ${hint}${group}`);
    }
  }
}

/** A text for the current group. A person does not wait for it, a script does. */
async function runText(prompt: Prompt, text: string): Promise<void> {
  const group = prompt.current;
  if (!group) return prompt.fail("You are in no group: join_group G first");
  const sent = prompt.send(group, text);
  if (prompt.live) return;
  if (await sent) prompt.print(success(prompt.screen.style));
}
