/** Real processes: our programs and others, read line by line, and never left behind. */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The command that runs one of our scripts on the runtime of this test. */
export function ours(script: string, ...args: string[]): string[] {
  const path = fileURLToPath(new URL(script, `file://${ROOT}`));
  if ("Deno" in globalThis) return [process.execPath, "run", "-A", path, ...args];
  const typescript = (process.features as { typescript?: unknown }).typescript;
  const strip = typescript ? [] : ["--experimental-strip-types"];
  return [process.execPath, ...strip, path, ...args];
}

/** What a process ended with. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A running process. */
export class Process implements AsyncDisposable {
  /** Everything it wrote so far, on either stream. */
  output = "";
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #wake: () => void = () => {};
  #over = false;

  constructor([program, ...args]: readonly string[], env: Record<string, string> = {}) {
    this.#child = spawn(program, args, {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#child.stdin!.on("error", () => {}); // It may end before it has read everything.
    let rest = "";
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.#lines.push(...lines);
      this.#wake();
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.output += text;
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        this.output += String(error);
        resolve({ code: null, signal: null });
      });
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    });
    void this.ended.then(() => {
      this.#over = true;
      this.#wake();
    });
  }

  /** The next line on standard output that matches; the ones before it are gone. */
  async line(pattern: RegExp, ms = 20_000): Promise<string> {
    const end = performance.now() + ms;
    for (;;) {
      for (let line = this.#lines.shift(); line !== undefined; line = this.#lines.shift()) {
        if (pattern.test(line)) return line;
      }
      const left = end - performance.now();
      if (this.#over || left <= 0) {
        throw new Error(
          `No line like ${pattern} ${this.#over ? "before its end" : ""}:\n${this.output}`,
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
      timer = setTimeout(
        () => reject(new Error(`Still running after ${ms} ms:\n${this.output}`)),
        ms,
      );
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

  /** By its id: after `child.kill` Deno gives the signal as the end, whatever the exit code. */
  kill(signal: "SIGTERM" | "SIGINT" | "SIGKILL"): void {
    if (!this.#over) process.kill(this.#child.pid!, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid !== undefined) this.kill("SIGKILL");
    await this.ended;
  }
}
