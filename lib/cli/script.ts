/** Commands line by line from a file or a pipe: no prompt, no colour, one after the other. */

import type { Output } from "./output.ts";
import type { UserPort } from "./ports.ts";
import { PLAIN } from "./render.ts";
import { runLine } from "./run_line.ts";
import type { Screen } from "./screen.ts";
import { type Host, Session } from "./session.ts";

export interface ScriptOptions {
  readonly user: UserPort;
  readonly host: Host;
  readonly output: Output;
  readonly lines: AsyncGenerator<string>;
  readonly signal: AbortSignal;
}

/** Runs every line; 1 if any failed. */
export async function runScript({ user, host, output, lines, signal }: ScriptOptions) {
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
      written.catch(() => {}); // seen at the next line
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
  const session = new Session({
    user,
    screen,
    host,
    signal: AbortSignal.any([signal, over.signal]),
  });
  try {
    while (!session.ended && !signal.aborted) {
      const line = await next();
      if (line === undefined) break;
      await runLine(session, line);
      await written;
    }
  } finally {
    over.abort(); // Groups of this program close before its user does: nobody need be told.
  }
  return code;
}
