/** Processes under test: started, listened to, stopped, killed, always by their pid. */

import type { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import process from "node:process";
import { StringDecoder } from "node:string_decoder";

/** How a process is started. */
export interface ProcessOptions {
  /** Environment beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Called for each line of its standard output, which is not kept then. */
  onLine?(line: string): void;
  /** Called for whatever it writes to standard output, as it comes; it is not kept then. */
  onText?(text: string): void;
  /** A file that its output goes to, so that nobody has to read it meanwhile. */
  readonly log?: string;
}

/** What a process ended with. */
interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** How much is kept of what a process says, UTF-16 units. */
const KEPT = 1 << 20;
/** How long one that is stopped may take, ms. */
const STOPS_WITHIN = 5_000;

const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) signalTo(child, "SIGKILL");
});

/** A running process. */
export class Process implements AsyncDisposable {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #output = "";
  #errors = "";
  #wake: () => void = () => {};
  #over = false;

  constructor([program, ...args]: readonly string[], options: ProcessOptions = {}) {
    const { env, cwd, onLine, onText, log } = options;
    const file = log === undefined ? undefined : openSync(log, "a");
    const child = this.#child = spawn(program, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdio: file === undefined ? ["pipe", "pipe", "pipe"] : ["ignore", file, file],
    });
    if (file !== undefined) closeSync(file);
    alive.add(child);
    child.stdin?.on("error", () => {}); // It may end before it has read everything.
    let rest = "";
    const text = new StringDecoder("utf8");
    child.stdout?.on("data", (data: Buffer) => {
      const said = text.write(data);
      if (onText) return onText(said);
      const lines = (rest + said).split("\n");
      rest = lines.pop()!;
      if (onLine) return lines.forEach(onLine);
      this.#output = kept(this.#output + said);
      this.#lines.push(...lines);
      this.#wake();
    });
    child.stderr?.setEncoding("utf8").on("data", (said: string) => {
      this.#output = kept(this.#output + said);
      this.#errors = kept(this.#errors + said);
    });
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => {
        this.#output += String(error);
        resolve({ code: null, signal: null });
      });
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    void this.ended.then(() => {
      alive.delete(child);
      this.#over = true;
      this.#wake();
    });
  }

  /** Undefined where it could not be started. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** True once it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** The last of what it wrote, on either stream. */
  get output(): string {
    return this.#output;
  }

  /** The last of what it wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** The next line on standard output that matches; the ones before it are gone. Not with `onLine`. */
  async line(pattern = /^/, ms = 20_000): Promise<string> {
    const end = performance.now() + ms;
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        if (pattern.test(line)) return line;
      }
      const left = end - performance.now();
      if (this.#over || left <= 0) {
        throw new Error(
          `No line like ${pattern} ${this.#over ? "before its end" : ""}:\n${this.#output}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** What it ends with; fails after `ms`. */
  async end(ms: number): Promise<Ended> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const fail = () => reject(new Error(`Still running after ${ms} ms:\n${this.#output}`));
      timer = setTimeout(fail, ms);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  write(text: string): void {
    this.#child.stdin!.write(text);
  }

  /** Ends its standard input. */
  finish(): void {
    this.#child.stdin!.end();
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#over && this.#child.pid !== undefined) signalTo(this.#child, signal);
  }

  /** SIGKILL; the exit code once it is gone, null when the signal ended it. */
  async kill(): Promise<number | null> {
    this.signal("SIGKILL");
    return (await this.ended).code;
  }

  /** SIGTERM, and SIGKILL after 5 s; the exit code. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOPS_WITHIN);
    const { code } = await this.ended;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

function kept(text: string): string {
  return text.length > 2 * KEPT ? text.slice(-KEPT) : text;
}

/** Not `child.kill`: with it Deno reports the signal in place of the exit code. */
function signalTo(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(child.pid!, signal);
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}
