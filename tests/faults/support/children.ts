/** Processes under test: started, listened to, stopped, killed, always by their pid. */

import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface ChildOptions {
  /** Environment beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Called for each line of its output. */
  onLine?(line: string): void;
}

const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) signalTo(child, "SIGKILL");
});

/** One process under test. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #lines: string[] = [];
  readonly #ended: Promise<number | null>;
  #errors = "";
  #code: number | null | undefined;
  #wake: () => void = () => {};

  /** @param file below `tests/faults/`, or an absolute path */
  constructor(file: string, args: readonly string[], { env = {}, onLine }: ChildOptions = {}) {
    const path = fileURLToPath(new URL(`../${file}`, import.meta.url));
    const run = "Deno" in globalThis ? ["run", "-A", "--v8-flags=--expose-gc"] : ["--expose-gc"];
    const child = this.#process = spawn(process.execPath, [...run, path, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
    });
    alive.add(child);
    child.stdin!.on("error", () => {});
    child.stderr!.on("data", (data) => this.#errors = (this.#errors + data).slice(-4_000));
    const lines = createInterface({ input: child.stdout! });
    lines.on("line", (line) => {
      if (onLine) onLine(line);
      else this.#lines.push(line);
      this.#wake();
    });
    const closed = new Promise<void>((resolve) => lines.once("close", resolve));
    this.#ended = new Promise((resolve) =>
      child.once("exit", async (code) => {
        alive.delete(child);
        await closed;
        this.#code = code;
        this.#wake();
        resolve(code);
      })
    );
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** The exit code, once it has ended; null for one that a signal ended. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  /** True once it has ended. */
  get over(): boolean {
    return this.#code !== undefined;
  }

  /** What it wrote to standard error, the last of it. */
  get errors(): string {
    return this.#errors;
  }

  /** Its next line; fails when it ends or `ms` pass. Not with `onLine`. */
  async line(ms = 20_000): Promise<string> {
    const end = performance.now() + ms;
    while (this.#lines.length === 0) {
      const left = end - performance.now();
      if (this.#code !== undefined || left <= 0) {
        throw new Error(`No line from process ${this.pid}, exit ${this.#code}: ${this.#errors}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#lines.shift()!;
  }

  /**
   * What it answers to a word, behind the same word. For `programs/` that obey their input.
   *
   * @param pass gets the lines that are no answer
   */
  async ask(word: string, pass: (line: string) => void = () => {}): Promise<string> {
    this.write(`${word}\n`);
    for (;;) {
      const line = await this.line();
      if (line.startsWith(`${word} `)) return line.slice(word.length + 1);
      pass(line);
    }
  }

  /** What it uses after all garbage is gone, and its heap alone, MB. */
  async memory(): Promise<{ readonly all: number; readonly heap: number }> {
    const [all, heap] = (await this.ask("memory")).split(" ").map(Number);
    return { all, heap };
  }

  write(text: string): void {
    this.#process.stdin!.write(text);
  }

  endInput(): void {
    this.#process.stdin!.end();
  }

  signal(signal: NodeJS.Signals): void {
    signalTo(this.#process, signal);
  }

  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<number | null> {
    signalTo(this.#process, "SIGKILL");
    return this.#ended;
  }

  /** SIGTERM, and SIGKILL after 5 s; the exit code. */
  async stop(): Promise<number | null> {
    signalTo(this.#process, "SIGTERM");
    const timer = setTimeout(() => signalTo(this.#process, "SIGKILL"), 5_000);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** Not `child.kill`: with it Deno reports the signal in place of the exit code. */
function signalTo(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(child.pid!, signal);
  } catch (error) {
    if ((error as { code?: string }).code !== "ESRCH") throw error;
  }
}

/** Resident memory of a process, MB; 0 when it is gone. Linux. */
export function residentMb(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
