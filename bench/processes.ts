/** Servers under test: each started with a log file in a temporary folder, ended by its pid. */

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
export interface StartOptions {
  readonly command: readonly string[];
  /** Where its output goes; also its current folder. */
  readonly folder: string;
  /** Its output matches this when it listens. */
  readonly ready: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}

const START_WITHIN = 15_000;
const POLL = 5;

/** Starts a server and waits until it listens. @throws with its output when it does not */
export async function start(options: StartOptions): Promise<Running> {
  const { command, folder, ready, env = {} } = options;
  const log = `${folder}/output-${crypto.randomUUID().slice(0, 8)}.log`;
  const begin = performance.now();
  // The shell is replaced by the server, so that the pid is the server's.
  const child = new Deno.Command("sh", {
    args: ["-c", 'log=$1; shift; exec "$@" >"$log" 2>&1', "sh", log, ...command],
    cwd: folder,
    env,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  track(child.pid);
  let ended = false;
  const status = child.status.then(() => (ended = true));
  const stop = async () => {
    if (!ended) child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 5_000);
    await status;
    clearTimeout(timer);
    untrack(child.pid);
  };
  while (true) {
    const match = ready.exec(textOf(log));
    if (match) {
      const startedIn = performance.now() - begin;
      const { pid } = child;
      return { pid, ready: match, startedIn, ended: () => ended, [Symbol.asyncDispose]: stop };
    }
    if (ended || performance.now() - begin > START_WITHIN) {
      await stop();
      throw new Error(`Cannot start ${command.join(" ")}: ${textOf(log).slice(-2_000)}`);
    }
    await pause(POLL);
  }
}

/** CPU time used so far, seconds, and resident memory, MiB; zeros where there is no /proc. */
export function usage(pid: number): { cpu: number; memory: number } {
  const stat = textOf(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0] = [fields[11], fields[12]].map(Number);
  const resident = /VmRSS:\s+(\d+)/.exec(textOf(`/proc/${pid}/status`));
  return { cpu: (user + system) / 100 || 0, memory: Number(resident?.[1] ?? 0) / 1_024 };
}

/** Share of one core that a process takes over some seconds, per cent. */
export async function cpuOver(pid: number, seconds: number): Promise<number> {
  const before = cpuOfThreads(pid);
  await pause(seconds * 1_000);
  const after = cpuOfThreads(pid);
  // A thread that has ended takes its time with it.
  let taken = 0;
  for (const [thread, time] of after) taken += time - (before.get(thread) ?? 0);
  return taken / seconds * 100;
}

/** CPU time used so far by each thread, seconds: finer than {@linkcode usage}, which counts ticks. */
function cpuOfThreads(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    times.set(name, Number(textOf(`/proc/${pid}/task/${name}/schedstat`).split(" ")[0]) / 1e9);
  }
  return times;
}

/** Whether a program can be started. */
export async function installed(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" })
      .output();
    return true;
  } catch {
    return false;
  }
}

/** First line that a program says about its version. */
export async function versionOf(program: string): Promise<string> {
  const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
  const text = new TextDecoder().decode(stdout);
  return /v?=?(\d+\.\d+\.\d+)/.exec(text)?.[1] ?? text.trim();
}

/** A port that was free a moment ago. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** A folder that is gone when it is disposed. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "zgroup-bench-" });
  folders.add(path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      folders.delete(path);
      await Deno.remove(path, { recursive: true }).catch(() => {});
    },
  };
}

const children = new Set<number>();
const folders = new Set<string>();

/** Remembers a process, so that it does not outlive the bench. */
export function track(pid: number): void {
  children.add(pid);
}

export function untrack(pid: number): void {
  children.delete(pid);
}

/** Ends what was started when the bench itself is ended by a signal. */
export function endWithUs(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      for (const pid of children) Deno.kill(pid, "SIGKILL");
      for (const folder of folders) Deno.removeSync(folder, { recursive: true });
      Deno.exit(130);
    });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function textOf(file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch {
    return "";
  }
}
