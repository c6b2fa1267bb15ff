/** The interactive prompt: who you are, what you missed, then whatever is typed. */

import { columns } from "./help.ts";
import { COMMANDS } from "./commands.ts";
import { completions } from "./complete.ts";
import { Console } from "./console.ts";
import { safeLine } from "../text/filter.ts";
import { openHistory } from "./history.ts";
import type { Output } from "./output.ts";
import type { Run, UserPort } from "./ports.ts";
import { paint } from "./render.ts";
import { runLine, runText, understand } from "./run_line.ts";
import { type Host, Session } from "./session.ts";
import { VERSION } from "./version.ts";

export interface PromptOptions {
  readonly user: UserPort;
  readonly home: string;
  readonly host: Host;
  readonly output: Output;
  readonly run: Run;
  /** A joined group to begin in; default the first. */
  readonly group?: string;
}

/** Runs the prompt until `exit`, Ctrl-D or Ctrl-C; the exit code. */
export async function promptLoop(options: PromptOptions): Promise<number> {
  const { user, home, host, output, run } = options;
  const stop = new AbortController();
  run.onClose(() => stop.abort());
  const history = await openHistory(home);
  const screen = new Console({
    style: output.style,
    history,
    complete: (line) => completions(line, completable(session)),
    typing: (line) => {
      const group = session.current;
      if (group && understand(session, line).kind === "text") user.typing(group.id);
    },
    isText: (line) => understand(session, line).kind === "text",
  });
  run.onClose(() => screen.close());
  run.signal.addEventListener("abort", () => screen.close(), { once: true });
  const session: Session = new Session({ user, screen, host, signal: stop.signal });

  const joined = user.joined();
  screen.print(firstScreen(user, output.style));
  session.switchTo(joined.find(({ id }) => id === options.group) ?? joined[0]);
  session.remember(joined);
  screen.open();
  for (const group of joined) void session.watch(group);
  void listed(session);

  for (let typed = await screen.take(); typed !== undefined; typed = await screen.take()) {
    if (typed.length === 1) await runLine(session, typed[0]);
    else await runPaste(session, screen, typed);
    if (session.ended) break;
  }
  const { waiting } = session;
  stop.abort();
  await screen.close();
  if (waiting > 0) {
    await output.print(`* ${waiting} not sent yet: kept, they go out the next time`);
  }
  return 0;
}

/** Several lines at once: commands if all of them are (or nothing else is possible), else one text. */
async function runPaste(session: Session, screen: Console, lines: readonly string[]) {
  const kinds = lines.map((line) => understand(session, line).kind);
  const commands = kinds.every((kind) => kind === "command" || kind === "empty");
  if (session.current && !commands) return await runText(session, trimmed(lines));
  screen.putBack(lines.slice(1));
  await runLine(session, lines[0]);
}

function trimmed(lines: readonly string[]): string {
  return lines.join("\n").replace(/^\n+|\s+$/g, "");
}

function firstScreen(user: UserPort, style: Output["style"]): string {
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
  ].join("\n");
}

/** What the registry lists, for completion; nobody is told when it does not answer. */
async function listed(session: Session): Promise<void> {
  try {
    const found = await session.user.list();
    const numbered = session.listed;
    session.remember(found);
    session.listed = numbered;
  } catch {
    session.say(
      `no registry answers at ${session.user.registries.join(", ")}; joined groups work without it`,
    );
  }
}

function completable(session: Session) {
  return {
    commands: COMMANDS.flatMap(({ names }) => names),
    groups: [...new Set(session.known.names)].filter((name) => !/^\S+:\d+$/.test(name)),
    members: [...session.seenNames].map(safeLine),
  };
}
