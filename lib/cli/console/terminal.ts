/** The terminal of this process: its keys, its size, and how the whole job is stopped by Ctrl-Z. */

import { readFileSync } from "node:fs";
import process from "node:process";
import { StringDecoder } from "node:string_decoder";
import { ESCAPE_WITHIN, type Key, KeyDecoder } from "./keys.ts";

/** Who is told. */
export interface TerminalUser {
  /** Keys that came together. */
  keys(keys: readonly Key[]): void;
  resized(): void;
  /** The job was stopped and goes on: what the screen shows is not known. */
  resumed(): void;
  /** There are no more keys. */
  ended(): void;
}

/** Size in characters. */
export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export class Terminal {
  /** A terminal that cannot take back what it shows. */
  readonly dumb = process.env.TERM === "dumb";
  /** Whether rows that were wrapped are wrapped anew when the width changes. */
  readonly reflows = reflows(process.env);
  readonly #user: TerminalUser;
  readonly #characters = new StringDecoder("utf8");
  readonly #keys = new KeyDecoder();
  #escape: ReturnType<typeof setTimeout> | undefined;
  #open = false;
  #whole = false;

  constructor(user: TerminalUser) {
    this.#user = user;
  }

  /** Reads keys as they are pressed, without an echo. */
  open(): void {
    this.#open = true;
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#read);
    process.stdin.on("end", this.#end);
    process.stdin.resume();
    process.stdout.on("resize", this.#resized);
    if (process.platform !== "win32") process.on("SIGCONT", this.#resumed);
    process.on("exit", this.#close);
  }

  /** Leaves the terminal as it was; so does the end of the process. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#escape);
    this.giveBack();
    process.off("exit", this.#close);
    process.stdin.off("data", this.#read);
    process.stdin.off("end", this.#end);
    process.stdout.off("resize", this.#resized);
    if (process.platform !== "win32") process.off("SIGCONT", this.#resumed);
    process.stdin.setRawMode(false);
    process.stdin.pause();
  }

  write(text: string): void {
    process.stdout.write(text);
  }

  /** Takes the whole screen, without a cursor; what stands there comes back. */
  takeWhole(): void {
    if (!this.#whole) this.write("\x1b[?1049h\x1b[?25l");
    this.#whole = true;
  }

  giveBack(): void {
    if (this.#whole) this.write("\x1b[?25h\x1b[?1049l");
    this.#whole = false;
  }

  get size(): Size {
    return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
  }

  /**
   * Stops all processes of the job, as the shell expects it of Ctrl-Z, also those that started this
   * one (npx, deno task).
   *
   * @returns why it cannot be done; undefined when it was
   */
  stop(): string | undefined {
    if (process.platform === "win32") return "this system stops no programs";
    const waits = shellWaits();
    if (waits === false) return "no shell with job control waits for it";
    process.stdin.setRawMode(false);
    try {
      // deno task takes SIGTSTP for its own and goes on; nobody can do that with SIGSTOP, which is
      // sent only where a shell waits: it would stop for good what no shell brings back.
      process.kill(0, waits ? "SIGSTOP" : "SIGTSTP");
    } catch {
      process.stdin.setRawMode(true);
      return "Deno was started without --allow-run";
    }
  }

  #read = (chunk: Uint8Array | string): void => {
    const said = typeof chunk === "string" ? chunk : this.#characters.write(chunk as Buffer);
    clearTimeout(this.#escape);
    const keys = this.#keys.read(said);
    if (this.#keys.open) {
      this.#escape = setTimeout(() => this.#user.keys(this.#keys.flush()), ESCAPE_WITHIN);
    }
    if (keys.length > 0) this.#user.keys(keys);
  };

  #close = (): void => this.close();

  #end = (): void => this.#user.ended();

  #resized = (): void => this.#user.resized();

  #resumed = (): void => {
    process.stdin.setRawMode(false); // The runtime believes what it set before.
    process.stdin.setRawMode(true);
    this.#user.resumed();
  };
}

/** xterm and GNU screen keep rows as they were; tmux, whatever it runs in, does not. */
function reflows({ TERM = "", TMUX, STY, XTERM_VERSION }: NodeJS.ProcessEnv): boolean {
  return TMUX !== undefined ||
    (STY === undefined && XTERM_VERSION === undefined && TERM !== "linux");
}

/**
 * Whether the job was started by a process of the same session and another job, which is a shell
 * with job control; undefined where the system does not tell.
 */
function shellWaits(): boolean | undefined {
  try {
    const { job, session } = processStat("self");
    const parent = processStat(processStat(job).parent);
    return parent.job !== job && parent.session === session;
  } catch {
    return undefined;
  }
}

/** Of Linux' `/proc/PID/stat`, whose second field may hold spaces. */
function processStat(pid: string): { parent: string; job: string; session: string } {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const [, parent, job, session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parent, job, session };
}
