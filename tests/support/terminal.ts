/**
 * Programs in a real terminal: a pseudo-terminal by `script` of util-linux, which every Debian has,
 * and a model of what stands on its screen.
 */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readlinkSync } from "node:fs";
import process from "node:process";
import { until } from "../support.ts";
import { Process } from "./process.ts";
import { ScreenModel } from "./screen.ts";

/** Why there is no terminal here; false where there is one. For `test(…, { skip })`. */
export const NO_TERMINAL: string | false =
  spawnSync("script", ["--version"]).stdout?.includes("util-linux")
    ? false
    : "there is no script(1) of util-linux";

/** Keys that are more than one character or none that is seen. */
const KEYS = {
  enter: "\r",
  tab: "\t",
  up: "\x1b[A",
  down: "\x1b[B",
  left: "\x1b[D",
  right: "\x1b[C",
  home: "\x1b[H",
  backspace: "\x7f",
  "ctrl-c": "\x03",
  "ctrl-d": "\x04",
  "ctrl-l": "\x0c",
  escape: "\x1b",
  "ctrl-r": "\x12",
  "ctrl-z": "\x1a",
  "page-up": "\x1b[5~",
  "page-down": "\x1b[6~",
} as const;

interface TerminalOptions {
  readonly columns?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Longest that something may take to be shown, ms. */
const SHOWN_WITHIN = 20_000;

/** A program in a terminal, its keys and its screen. */
export class Terminal implements AsyncDisposable {
  readonly screen: ScreenModel;
  /** All bytes that the program wrote, as text. */
  written = "";
  readonly #process: Process;
  /** Of the program, once it is known. */
  #pid: number | undefined;
  #wake: () => void = () => {};

  /** Runs a command where a person would. */
  constructor(
    command: readonly string[],
    { columns = 100, rows = 40, env = {} }: TerminalOptions = {},
  ) {
    this.screen = new ScreenModel(columns, rows);
    // The shell takes away what the runner of the tests says of its own colours, and CI's word for
    // having none, sets the window's size, says its process id and becomes the program.
    const runners = ["CI", "FORCE_COLOR", "NODE_DISABLE_COLORS", "NO_COLOR"];
    const unset = `unset ${runners.filter((name) => env[name] === undefined).join(" ")}`;
    const shell = `${unset}; stty cols ${columns} rows ${rows}; echo "PID $$"; exec ${
      command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ")
    }`;
    this.#process = new Process(["script", "-qefc", shell, "/dev/null"], {
      env: { SHELL: "/bin/sh", TERM: "xterm-256color", ...env },
      onText: (said) => this.#said(said),
    });
    void this.#process.ended.then(() => this.#wake());
  }

  #said(said: string): void {
    if (this.#pid === undefined) {
      const [begin, pid] = /^PID (\d+)\r\n/.exec(this.written += said) ?? [];
      if (begin === undefined) return;
      this.#pid = Number(pid);
      said = this.written.slice(begin.length);
      this.written = "";
    }
    this.written += said;
    this.screen.write(said);
    this.#wake();
  }

  /** Waits until the screen holds this, also above its top; what it holds then. */
  async shows(what: string | RegExp, ms = SHOWN_WITHIN): Promise<string> {
    return await this.#until(
      () => typeof what === "string" ? this.text.includes(what) : what.test(this.text),
      ms,
      String(what),
    );
  }

  /** Waits until the screen holds this once more than it did before `act`. */
  async showsNext(act: () => void, what: string | RegExp, ms = SHOWN_WITHIN): Promise<string> {
    const before = this.#count(what);
    act();
    return await this.#until(() => this.#count(what) > before, ms, `${what}, once more`);
  }

  #count(what: string | RegExp): number {
    if (typeof what === "string") return this.text.split(what).length - 1;
    return [...this.text.matchAll(new RegExp(what, `${what.flags.replace("g", "")}g`))].length;
  }

  /** Waits until what was shown is gone. */
  async hides(what: string | RegExp, ms = SHOWN_WITHIN): Promise<string> {
    return await this.#until(
      () => typeof what === "string" ? !this.text.includes(what) : !what.test(this.text),
      ms,
      `the screen without ${what}`,
    );
  }

  /** Waits until the line with the cursor is this one, or such a one. */
  async line(line: string | RegExp, ms = SHOWN_WITHIN): Promise<void> {
    const fits = () =>
      typeof line === "string" ? this.screen.line === line : line.test(this.screen.line);
    await this.#until(fits, ms, `the line ${line}`);
  }

  async #until(fits: () => boolean, ms: number, what: string): Promise<string> {
    const end = performance.now() + ms;
    while (!fits()) {
      const left = end - performance.now();
      if (this.#process.over || left <= 0) {
        const why = this.#process.over ? "before its end" : `within ${ms} ms`;
        assert.fail(`Not shown ${why}: ${what}. The screen:\n${this.text}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.text;
  }

  /** All that is to be seen, also by scrolling back. */
  get text(): string {
    return this.screen.text;
  }

  /** Types characters, as fast as a person or, without a pause between lines, as a paste. */
  type(text: string): void {
    this.#process.write(text);
  }

  /** Makes the window wider or narrower, and waits until the program has drawn something anew. */
  async resize(columns: number, rows: number): Promise<void> {
    const before = this.written.length;
    this.screen.resize(columns, rows);
    const tty = readlinkSync(`/proc/${this.#pid}/fd/0`);
    const size = ["cols", `${columns}`, "rows", `${rows}`];
    const { stderr, status } = spawnSync("stty", ["-F", tty, ...size]);
    assert.equal(status, 0, `${stderr}`);
    await this.#until(() => this.written.length > before, SHOWN_WITHIN, `${columns} columns`);
  }

  press(...keys: (keyof typeof KEYS)[]): void {
    for (const key of keys) this.type(KEYS[key]);
  }

  /** Waits until the program has written this after `act`. */
  async writes(act: () => void, what: RegExp, ms = SHOWN_WITHIN): Promise<void> {
    const before = this.written.length;
    act();
    await this.#until(() => what.test(this.written.slice(before)), ms, `${what}`);
  }

  /** Types a line and Enter, and waits for what comes of it. */
  async enter(line: string, shows: string | RegExp): Promise<string> {
    return await this.showsNext(() => this.type(`${line}\r`), shows);
  }

  /** The exit code; fails after `ms`. */
  async end(ms = SHOWN_WITHIN): Promise<number | null> {
    const { code } = await this.#process.end(ms).catch(() => {
      assert.fail(`Still running after ${ms} ms. The screen:\n${this.text}`);
    });
    return code;
  }

  /** The program's process id, once it has begun. */
  get pid(): number | undefined {
    return this.#pid;
  }

  /** Closes the terminal, as a person does with its window; resolves when the program has ended. */
  async hangUp(ms = SHOWN_WITHIN): Promise<void> {
    await this.#process.kill();
    await until(() => !isRunning(this.#pid!), ms, "the end of the program");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#process.over && this.#pid !== undefined) {
      try {
        process.kill(this.#pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
    await this.#process.kill();
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
