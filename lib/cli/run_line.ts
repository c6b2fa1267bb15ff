/** Runs what was typed: a command of the table, or a text for the current group. */

import { COMMANDS } from "./commands.ts";
import { safeLine } from "../text/filter.ts";
import { type Line, readLine } from "./line.ts";
import type { Command } from "./commands.ts";
import type { Session } from "./session.ts";
import { takeTarget } from "./targets.ts";

/** What a typed line is, at this moment of the session. */
export function understand(session: Session, typed: string): Line<Command> {
  return readLine(typed, COMMANDS, {
    current: session.current !== undefined,
    isGroup: (name) => {
      const { names, numbered } = session.known;
      const bare = name.replace(/^(["'])(.*)\1$/, "$2").toLowerCase();
      return names.some((known) => known.toLowerCase() === bare) ||
        (/^\d+$/.test(name) && numbered[Number(name) - 1] !== undefined);
    },
  });
}

/** Runs one line; whatever fails is said. */
export async function runLine(session: Session, typed: string): Promise<void> {
  const line = understand(session, typed);
  switch (line.kind) {
    case "empty":
      return;
    case "text":
      return await runText(session, line.text);
    case "command":
      return await guarded(session, line.command, line.rest);
    case "unknown": {
      const hint = line.near ? `did you mean ${line.near}?` : "help shows what there is";
      const group = session.current ? "" : "; to send plain text, join_group G first";
      return session.fail(`There is no command "${safeLine(line.word)}": ${hint}${group}`);
    }
  }
}

async function runNamed(session: Session, name: string, rest: string): Promise<void> {
  const command = COMMANDS.find(({ names }) => names.includes(name));
  if (command) await guarded(session, command, rest);
}

/** A text for the current group. A person does not wait for it, a script does. */
export async function runText(session: Session, text: string): Promise<void> {
  const group = session.current;
  if (!group) return session.fail("You are in no group: join_group G first");
  const sent = session.send(group, text);
  if (session.screen.live) return;
  if (await sent) session.succeed();
}

async function guarded(session: Session, command: Command, rest: string): Promise<void> {
  try {
    await command.run(session, rest, command.names[0], { commands: COMMANDS, run: runNamed });
  } catch (error) {
    session.fail(error, targetOf(session, rest));
  }
}

function targetOf(session: Session, rest: string): string | undefined {
  try {
    return takeTarget(rest, session.known)?.target;
  } catch {
    return undefined;
  }
}
