/** Commands that a check runs: bounded in time, with all that they started. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";

/** How a command is run. */
interface CommandOptions {
  readonly cwd: string;
  /** Added to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; default empty. */
  readonly input?: string;
  /** ms; then it is ended with all its children. Default 60 s. */
  readonly limit?: number;
  /** Passes on what it says, at once. */
  readonly show?: boolean;
}

/** How it ended. `late` when it was killed for its time. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly late: boolean;
}

/** How long one that is late may take to end itself, ms. */
const ENDS_WITHIN = 2_000;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

const running = new Set<ChildProcess>();

/** Runs a command to its end, whatever that is. Rejects only when it cannot be started. */
export function run(command: readonly string[], options: CommandOptions): Promise<Ended> {
  const { cwd, env = {}, input = "", limit = 60_000, show = false } = options;
  const child = spawn(command[0], command.slice(1), {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env },
    detached: true, // a group of its own, so that it ends with its children
  });
  const texts = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      texts[stream] += text;
      if (show) process[stream].write(text);
    });
  }
  child.stdin.on("error", () => {}); // it may end before it has read everything
  child.stdin.end(input);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    // What runs commands itself ends them first.
    kill(child.pid, "SIGTERM");
    hard = setTimeout(() => kill(child.pid, "SIGKILL"), ENDS_WITHIN);
  }, limit);
  let hard: ReturnType<typeof setTimeout> | undefined;
  running.add(child);
  if (running.size === 1) { for (const signal of SIGNALS) process.on(signal, endAll); }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      clearTimeout(hard);
      running.delete(child);
      if (running.size === 0) { for (const signal of SIGNALS) process.off(signal, endAll); }
      resolve({ code: code ?? -1, ...texts, late });
    });
  });
}

/** Runs a command that must succeed; its standard output. @throws {Error} with all it said */
export async function must(command: readonly string[], options: CommandOptions): Promise<string> {
  const { code, stdout, stderr, late } = await run(command, options);
  if (code === 0) return stdout;
  const how = late ? "was not done in time" : `ended with ${code}`;
  throw new Error(`Cannot go on: ${command.join(" ")} ${how}\n${stdout}${stderr}`);
}

/** Ends this program, and before it all that it runs. */
function endAll(): void {
  for (const { pid } of running) kill(pid, "SIGKILL");
  process.exit(130);
}

function kill(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // it has ended just now
  }
}
