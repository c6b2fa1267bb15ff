/** Screens of other people: `user.ts follow` as processes, each line with the time it was read. */

import { Process } from "../tests/support/process.ts";
import { must } from "../scripts/run_command.ts";
import { deno } from "./servers.ts";

const JOIN_WITHIN = 20_000;

/** What a screen shows of an entry. */
export interface Shown {
  readonly seq: number;
  readonly text?: string;
}

/** Whose screen it is. */
interface ScreenOptions {
  readonly registry: string;
  readonly group: string;
  readonly home: string;
  /** `at`: when the line was read, ms since 1970. */
  show(shown: Shown, at: number): void;
}

/** A new user of `home` joins, and follows from the first entry on. */
export async function openScreen({ registry, group, home, show }: ScreenOptions): Promise<Process> {
  const options = ["--registry", registry, "--home", home];
  await must(deno("user.ts", ["join", group, ...options]), { cwd: ".", limit: JOIN_WITHIN });
  return new Process(deno("user.ts", ["follow", group, "--json", "--after", "0", ...options]), {
    onLine: (line) => show(JSON.parse(line), performance.timeOrigin + performance.now()),
  });
}
