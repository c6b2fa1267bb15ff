/** Where commands of the prompt are typed: a screen, and the terminal that is one. */

import process from "node:process";
import * as readline from "node:readline";
import { rowsOf, truncate } from "../../text/width.ts";
import type { History } from "../home.ts";
import { counted } from "../../text/counted.ts";
import { paint, type Style } from "../render.ts";

/** A terminal with a prompt, or a script without one. */
export interface Screen {
  readonly style: Style;
  /** True where a person sits in front of it. */
  readonly live: boolean;
  /** Resolves, where it says when, as soon as more may come. */
  print(text: string): void | Promise<void>;
  /** A sentence that something failed; a script ends with exit code 1 then. */
  fail(text: string): void;
  /** Asks: the next line that is typed, or the lines of a paste; undefined when there is none. */
  ask(question: string): Promise<readonly string[] | undefined>;
  /** Lines directly above the prompt that change: what is pending, who is typing. */
  status(lines: readonly string[]): void;
  /** What stands before the line being typed. */
  prompt(text: string): void;
  /** Rows of the terminal; absent where there is none. */
  readonly rows?: number;
  /** Calls for attention: a bell, or a sequence that nobody sees on the screen. */
  alert?(sequence: string): void;
}

/** Lines closer together than this are one paste, ms; nobody presses Enter twice in it. */
const BURST = 15;
/** How often a hint that somebody types is given, ms. */
const TYPING_EVERY = 3_000;

/** A key that is no part of a line. */
export type Shortcut =
  | { readonly kind: "group"; readonly number: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 }
  | { readonly kind: "next" }
  | { readonly kind: "page"; readonly direction: "up" | "down" };

export interface ConsoleOptions {
  readonly style: Style;
  readonly history: History;
  complete(line: string): [string[], string];
  /** Alt-1 to Alt-9, Tab on an empty line, Page Up and Page Down; not while a command asks. */
  shortcut(key: Shortcut): void;
  /** The person is writing. */
  typing(line: string): void;
  /** Whether a line will be shown as a message, so that what was typed need not stay. */
  isText(line: string): boolean;
  /** Ctrl-C, where no command asks: stops what runs; false when nothing does. */
  stop(): boolean;
}

/** What readline says of a key. */
interface PressedKey {
  readonly name?: string;
  readonly meta?: boolean;
}

/** The parts of readline's interface that its type leaves out. */
interface Reader extends readline.Interface {
  prevRows: number;
  line: string;
  cursor: number;
}

/**
 * A terminal with a line being typed at the bottom: what is printed goes above it and does not
 * disturb it. Lines that arrive together (a paste) are handed on together, without asking the
 * terminal for bracketed paste.
 */
export class Console implements Screen {
  readonly style: Style;
  readonly live = true;
  /** Resolves at Ctrl-C on an empty line: nobody waits for what is being done. */
  readonly interrupted: Promise<void>;
  readonly #interrupted = Promise.withResolvers<void>();
  readonly #options: ConsoleOptions;
  /** A terminal that cannot take back what it shows; readline goes by the same word. */
  readonly #dumb = process.env.TERM === "dumb";
  #reader: Reader | undefined;
  #prompt = "> ";
  /** A question of a command, in place of the prompt. */
  #question: string | undefined;
  #status: readonly string[] = [];
  #statusRows = 0;
  #shown = false;
  /** Lines of a burst that is not over, and the rows they take. */
  #burst: string[] = [];
  #burstRows = 0;
  /** It answers a question. */
  #burstAnswers = false;
  #held: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Printed while a burst is not over. */
  #later: string[] = [];
  readonly #typed: string[][] = [];
  #waiting: ((lines: string[] | undefined) => void) | undefined;
  /** Who asked the question that is shown: what is typed next is the answer. */
  #asking: ((lines: string[] | undefined) => void) | undefined;
  /** The line that was begun before a question. */
  #begun = "";
  /** What was typed behind an answer while that was on its way: it answers the next question. */
  #ahead = "";
  /** Ends with the last question that was asked. */
  #answered: Promise<unknown> = Promise.resolve();
  #closed = false;
  #hinted = 0;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.style = options.style;
    this.interrupted = this.#interrupted.promise;
  }

  /** Shows the prompt and begins to read. */
  open(): void {
    if (this.#closed) return;
    const reader = readline.createInterface({
      input: process.stdin,
      output: process.stdout,
      terminal: true,
      prompt: this.#prompt,
      history: this.#options.history.lines,
      historySize: 1_000,
      removeHistoryDuplicates: true,
      completer: (line: string) => line === "" ? [[], line] : this.#options.complete(line),
    }) as Reader;
    this.#reader = reader;
    reader.on("line", (line) => this.#line(line));
    reader.on("SIGINT", () => this.#interrupt());
    reader.on("close", () => this.close());
    process.stdin.on("keypress", this.#keypress);
    process.stdout.on("resize", this.#resized);
    this.#show();
  }

  print(text: string): void {
    if (this.#burst.length > 0) return void this.#later.push(text);
    const shown = this.#shown;
    this.#hide();
    process.stdout.write(text + "\n");
    if (shown) this.#show();
  }

  fail(text: string): void {
    this.print(text);
  }

  status(lines: readonly string[]): void {
    if (lines.join("\n") === this.#status.join("\n")) return;
    this.#status = lines;
    if (!this.#dumb) this.#redraw();
  }

  prompt(text: string): void {
    if (text === this.#prompt) return;
    this.#prompt = text;
    this.#redraw();
  }

  /** What is typed next: one line, or the lines of a paste; undefined at the end. */
  take(): Promise<string[] | undefined> {
    const typed = this.#typed.shift();
    if (typed || this.#closed) return Promise.resolve(typed);
    return new Promise((resolve) => this.#waiting = resolve);
  }

  /** One question after the other. A line that was begun before is put aside meanwhile. */
  ask(question: string): Promise<string[] | undefined> {
    const answer = this.#answered.then(async () => {
      if (this.#closed) return undefined;
      const typing = this.#reader?.line ?? "";
      const isAhead = typing === this.#ahead;
      if (!isAhead) this.#begun = typing;
      this.#change(question, isAhead ? typing : "");
      const typed = await new Promise<string[] | undefined>((give) => this.#asking = give);
      this.#ahead = this.#reader?.line ?? "";
      const line = this.#ahead || this.#begun;
      if (line === this.#begun) this.#begun = "";
      this.#change(undefined, line);
      return typed;
    });
    this.#answered = answer;
    return answer;
  }

  /** Another question, and another line behind it. */
  #change(question: string | undefined, line: string): void {
    const [reader, shown] = [this.#reader, this.#shown];
    this.#hide();
    this.#question = question;
    if (reader && line !== reader.line) [reader.line, reader.cursor] = [line, line.length];
    if (shown) this.#show();
  }

  get rows(): number {
    return process.stdout.rows || 24;
  }

  alert(sequence: string): void {
    process.stdout.write(sequence);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    process.stdin.off("keypress", this.#keypress);
    process.stdout.off("resize", this.#resized);
    this.#hide();
    this.#reader?.close();
    this.#answer(undefined);
    this.#give(undefined);
  }

  #line(line: string): void {
    const before = this.#burst.length === 0 ? this.#reader!.getPrompt() : "";
    if (this.#burst.length === 0) this.#burstAnswers = this.#question !== undefined;
    this.#burst.push(line);
    this.#burstRows += rowsOf(before + line, this.#columns);
    this.#shown = false;
    if (!this.#burstAnswers) this.#options.history.add(line);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#burstOver(), BURST);
  }

  /** A paste whose last line has no end stays at the prompt until Enter. */
  #burstOver(): void {
    if (this.#closed) return;
    const lines = [...this.#held, ...this.#burst];
    const rest = this.#reader!.line;
    const text = !this.#burstAnswers &&
      lines.some((line) => line.trim() !== "" && this.#options.isText(line));
    this.#held = text && rest !== "" ? lines : [];
    if (text || rest !== "") this.#erase(rest);
    this.#burst = [];
    this.#burstRows = 0;
    if (this.#held.length === 0) {
      if (rest !== "" && !text) {
        for (const line of lines) process.stdout.write(`${this.#label()}${line}\n`);
      }
      if (this.#burstAnswers) this.#answer(lines);
      else this.#give(lines);
    }
    for (const printed of this.#later.splice(0)) process.stdout.write(printed + "\n");
    this.#show();
  }

  /** Takes what was typed off the screen: it is shown again as a message. */
  #erase(rest: string): void {
    if (this.#dumb) return;
    const more = rest === "" ? 0 : rowsOf(rest, this.#columns) - 1;
    const rows = this.#burstRows + more + this.#statusRows;
    process.stdout.write(`\x1b[${rows}A\r\x1b[J`);
  }

  #give(lines: string[] | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(lines);
    else if (lines) this.#typed.push(lines);
  }

  #answer(lines: string[] | undefined): void {
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.(lines);
  }

  /**
   * Ctrl-C: stops what runs; else it clears what is typed; on an empty line it ends the question or
   * the program.
   */
  #interrupt(): void {
    if (this.#question === undefined && this.#options.stop()) return;
    const reader = this.#reader!;
    const empty = reader.line === "" && this.#held.length === 0;
    if (empty && this.#question === undefined) {
      this.#interrupted.resolve();
      return this.close();
    }
    this.#hide();
    reader.line = "";
    reader.cursor = 0;
    this.#held = [];
    if (empty) this.#answer(undefined);
    this.#show();
  }

  #keypress = (_: unknown, key: PressedKey | undefined): void => {
    const shortcut = key && this.#shortcutOf(key);
    if (shortcut) return this.#options.shortcut(shortcut);
    const now = Date.now();
    if (key?.name === "return" || now - this.#hinted < TYPING_EVERY) return;
    const line = this.#reader?.line ?? "";
    if (line.length < 2 || this.#question !== undefined) return;
    this.#hinted = now;
    this.#options.typing(line);
  };

  #shortcutOf({ name = "", meta }: PressedKey): Shortcut | undefined {
    if (this.#question !== undefined || this.#burst.length > 0) return undefined;
    if (meta && /^[1-9]$/.test(name)) {
      return { kind: "group", number: Number(name) as 1 };
    }
    if (name === "tab" && this.#reader?.line === "") return { kind: "next" };
    if (name === "pageup") return { kind: "page", direction: "up" };
    if (name === "pagedown") return { kind: "page", direction: "down" };
  }

  #resized = (): void => {
    // Rows that wrap otherwise cannot be counted any more; what stands above stays.
    this.#statusRows = 0;
  };

  #redraw(): void {
    if (!this.#shown || this.#burst.length > 0) return;
    this.#hide();
    this.#show();
  }

  /** Takes status and prompt off the screen; the cursor is where they began. */
  #hide(): void {
    const reader = this.#reader;
    if (!this.#shown || !reader) return;
    this.#shown = false;
    if (this.#dumb) return void process.stdout.write("\n");
    const up = reader.getCursorPos().rows + this.#statusRows;
    process.stdout.write(`${up > 0 ? `\x1b[${up}A` : ""}\r\x1b[J`);
    this.#statusRows = 0;
  }

  #show(): void {
    const reader = this.#reader;
    if (!reader || this.#closed) return;
    this.#shown = true;
    if (this.#dumb) return this.#showDumb(reader);
    const held = this.#held.length === 0 ? [] : [
      `${
        counted(this.#held.length, "line")
      } pasted: Enter sends all with this one, Ctrl-C drops all`,
    ];
    const rows = [...this.#status, ...held].map((row) => truncate(row, this.#columns - 1));
    for (const row of rows) process.stdout.write(paint(this.style, "gray", row) + "\n");
    this.#statusRows = rows.length;
    reader.setPrompt(this.#label());
    reader.prevRows = 0; // nothing of the last prompt is on the screen
    reader.prompt(true);
  }

  #showDumb(reader: Reader): void {
    reader.setPrompt(this.#label());
    reader.prompt(true);
    process.stdout.write(reader.line);
  }

  #label(): string {
    return truncate(this.#question ?? this.#prompt, Math.max(12, this.#columns >> 1));
  }

  get #columns(): number {
    return this.style.columns ?? 80;
  }
}
