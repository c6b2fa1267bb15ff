/** Servers under test: each started with a log file in a temporary folder, ended by its pid. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Process } from "../tests/support/process.ts";
import { until } from "../tests/support.ts";
import { must } from "../scripts/run_command.ts";

/** A server that listens. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** What the pattern of its ready line captured. */
  readonly ready: RegExpExecArray;
  /** From the start of the process to its ready line, ms. */
  readonly startedIn: number;
  /** Whether it has ended by itself. */
  ended(): boolean;
}

/** How a server is started. */
interface StartOptions {
  readonly command: readonly string[];
  /** Where its output goes; also its current folder. */
  readonly folder: string;
  /** Its output matches this when it listens. */
  readonly ready: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}

const START_WITHIN = 15_000;

/** Starts a server and waits until it listens. @throws with its output when it does not */
export async function start({ command, folder, ready, env = {} }: StartOptions): Promise<Running> {
  const log = join(folder, `output-${crypto.randomUUID().slice(0, 8)}.log`);
  const begin = performance.now();
  const server = new Process(command, { cwd: folder, env, log });
  const said = () => readFileSync(log, "utf8");
  const listens = () => ready.exec(said()) ?? (server.over ? "ended" : undefined);
  const found = await until(listens, START_WITHIN, "the ready line").catch(() => undefined);
  const startedIn = performance.now() - begin;
  if (!found || found === "ended") {
    await server.stop();
    throw new Error(`Cannot start ${command.join(" ")}: ${said().slice(-2_000)}`);
  }
  return {
    ...{ pid: server.pid, ready: found, startedIn, ended: () => server.over },
    [Symbol.asyncDispose]: async () => void await server.stop(),
  };
}

/** What a program says about its version; undefined where it cannot be started. */
export async function versionOf(program: string): Promise<string | undefined> {
  const said = await must([program, "--version"], { cwd: "." }).catch(() => undefined);
  return said && (/v?=?(\d+\.\d+(\.\d+)?)/.exec(said)?.[1] ?? said.trim());
}

/** What was started ends with the bench, also when that is ended by a signal. */
export function endWithUs(): void {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
}
