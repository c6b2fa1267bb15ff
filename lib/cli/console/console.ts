/** The terminal where commands of the prompt are typed. */

import { columnsOf, displayWidth, foldedRows, truncate } from "../../text/width.ts";
import type { History } from "../home.ts";
import { counted } from "../../text/counted.ts";
import { folded, notice, type Style } from "../render.ts";
import { Bottom } from "./bottom.ts";
import { Editor } from "./editor.ts";
import type { Key } from "./keys.ts";
import { Pager, type PageSource } from "./pager.ts";
import { Questions } from "./questions.ts";
import type { Screen } from "./screen.ts";
import { HistorySearch } from "./search.ts";
import { Terminal } from "./terminal.ts";

/** Lines closer together than this are one paste, ms; nobody presses Enter twice in it. */
const BURST = 15;
/** How often a hint that somebody types is given, ms. */
const TYPING_EVERY = 3_000;
/** Most that is kept to be printed when the pager is left. */
const LATER = 1_000;

/** A key that is no part of a line. */
export type Shortcut =
  | { readonly kind: "group"; readonly number: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 }
  | { readonly kind: "next" }
  | { readonly kind: "page"; readonly direction: "up" | "down" };

export interface ConsoleOptions {
  readonly style: Style;
  readonly history: History;
  /** What can stand at the end of a line, and the part of it that each would replace. */
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
  /** Absent on a terminal that cannot take back what it shows. */
  readonly page?: (source: PageSource) => Promise<void>;
  readonly #interrupted = Promise.withResolvers<void>();
  readonly #options: ConsoleOptions;
  readonly #terminal: Terminal;
  readonly #editor: Editor;
  readonly #questions: Questions;
  readonly #bottom: Bottom;
  #search: HistorySearch | undefined;
  #pager: Pager | undefined;
  #prompt = "> ";
  #status: readonly string[] = [];
  #opened = false;
  /** Lines of a burst that is not over, which the screen does not show yet. */
  #burst: string[] = [];
  /** It answers a question. */
  #burstAnswers = false;
  /** Lines of a paste whose last one waits for Enter. */
  #held: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Printed while a burst is not over, or the pager is open. */
  #later: string[] = [];
  #laterLost = 0;
  readonly #typed: string[][] = [];
  #waiting: ((lines: string[] | undefined) => void) | undefined;
  #closed = false;
  #hinted = 0;

  constructor(options: ConsoleOptions) {
    this.#options = options;
    this.style = options.style;
    this.interrupted = this.#interrupted.promise;
    this.#editor = new Editor(options.history.lines);
    this.#questions = new Questions(this.#editor, () => this.#redraw());
    this.#terminal = new Terminal({
      keys: (keys) => this.#keys(keys),
      resized: () => this.#pager ? this.#pager.redraw() : this.#redraw(),
      resumed: () => this.#resumed(),
      ended: () => this.close(),
    });
    this.#bottom = new Bottom(this.#terminal, options.style);
    if (!this.#terminal.dumb) this.page = (source) => this.#page(source);
  }

  /** Shows the prompt and begins to read. */
  open(): void {
    if (this.#closed) return;
    this.#opened = true;
    this.#terminal.open();
    this.#draw();
  }

  print(text: string): void {
    const lines = text.split("\n").flatMap((line) => foldedRows(line, this.#columns));
    this.#printLines(lines.join("\n"));
  }

  #printLines(text: string): void {
    if (this.#burst.length > 0 || this.#pager) return this.#printLater(text);
    const shown = this.#bottom.shown;
    this.#bottom.hide();
    this.#terminal.write(text + "\n");
    if (shown) this.#draw();
  }

  fail(text: string): void {
    this.print(text);
  }

  status(lines: readonly string[]): void {
    if (lines.join("\n") === this.#status.join("\n")) return;
    this.#status = lines;
    if (!this.#terminal.dumb) this.#redraw();
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

  /** Lines that are in the line being typed again, before what stands there: Enter gives them anew. */
  restore(lines: readonly string[]): void {
    const text = this.#editor.text;
    this.#held = [...lines, ...this.#held];
    if (text === "") this.#editor.set(this.#held.pop() ?? "");
    this.#redraw();
  }

  ask(question: string): Promise<string[] | undefined> {
    return this.#questions.ask(question);
  }

  get rows(): number {
    return this.#terminal.size.rows;
  }

  alert(sequence: string): void {
    this.#terminal.write(sequence);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#pager?.close();
    this.#bottom.hide();
    this.#terminal.close();
    this.#questions.close();
    this.#give(undefined);
  }

  #keys(keys: readonly Key[]): void {
    const before = this.#editor.text;
    for (const key of keys) {
      if (this.#closed) return;
      if (this.#pager) this.#pager.press(key);
      else if (this.#search) this.#searched(this.#search, key);
      else this.#press(key, keys.length > 1);
    }
    // What stands on a dumb terminal cannot be gone back over.
    if (this.#terminal.dumb) this.#editor.press("end");
    this.#redraw();
    if (this.#editor.text !== before) this.#hint();
  }

  /** @param together it came with other keys, as a paste does */
  #press(key: Key, together: boolean): void {
    if ("text" in key) return this.#editor.insert(key.text);
    const { name } = key;
    if (name === "enter") return this.#enter();
    if (name === "ctrl-c") return this.#interrupt();
    if (name === "ctrl-d" && this.#editor.text === "") return this.close();
    if (name === "ctrl-z") return this.#stop();
    if (name === "tab" && together) return this.#editor.insert("\t");
    const shortcut = this.#shortcutOf(name);
    if (shortcut) return this.#options.shortcut(shortcut);
    if (name === "tab") return this.#complete();
    if (name === "ctrl-r") return void (this.#search = new HistorySearch(this.#editor.history));
    if (name === "ctrl-l" && !this.#terminal.dumb) return this.#clear();
    this.#editor.press(name);
  }

  /** A key while a line is searched for. */
  #searched(search: HistorySearch, key: Key): void {
    if ("text" in key) return search.type(key.text);
    const { name } = key;
    if (name === "ctrl-r") return search.older();
    if (name === "ctrl-s") return search.newer();
    if (name === "backspace") return search.backspace();
    this.#search = undefined;
    if (name === "ctrl-c" || name === "escape" || name === "ctrl-g") return;
    if (search.found !== "") this.#editor.set(search.found, search.cursor);
    // Enter takes the line, so that it can be looked at before it goes out.
    if (name === "enter") this.#editor.press("end");
    else this.#press(key, false);
  }

  #shortcutOf(name: string): Shortcut | undefined {
    if (this.#questions.open !== undefined || this.#burst.length > 0) return undefined;
    const [, digit] = /^alt-([1-9])$/.exec(name) ?? [];
    if (digit) return { kind: "group", number: Number(digit) as 1 };
    if (name === "tab" && this.#editor.text === "") return { kind: "next" };
    if (name === "page-up") return { kind: "page", direction: "up" };
    if (name === "page-down") return { kind: "page", direction: "down" };
  }

  #enter(): void {
    if (this.#terminal.dumb) {
      this.#draw();
      this.#terminal.write("\n");
      this.#bottom.forget();
    }
    const asked = this.#questions.open !== undefined;
    if (this.#burst.length === 0) this.#burstAnswers = asked;
    const line = this.#editor.take(!asked);
    this.#burst.push(line);
    if (!asked) this.#options.history.add(line);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#burstOver(), BURST);
  }

  /** A paste whose last line has no end stays at the prompt until Enter. */
  #burstOver(): void {
    if (this.#closed) return;
    const lines = [...this.#held, ...this.#burst];
    const text = !this.#burstAnswers &&
      lines.some((line) => line.trim() !== "" && this.#options.isText(line));
    this.#held = text && this.#editor.text !== "" ? lines : [];
    this.#bottom.hide();
    // A text is shown again as a message.
    const isNone = this.#burstAnswers && !this.#questions.takes(lines);
    if (!text && !this.#terminal.dumb) {
      const echoed = isNone ? [""] : lines;
      this.#terminal.write(echoed.map((line) => `${this.#label()}${line}\n`).join(""));
    }
    this.#burst = [];
    if (isNone) this.restore(lines); // It is no answer: it means no, and stands in the line again.
    if (this.#burstAnswers) this.#questions.answer(isNone ? undefined : lines);
    else if (this.#held.length === 0) this.#give(lines);
    this.#printLatest();
    this.#draw();
  }

  #give(lines: string[] | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting) waiting(lines);
    else if (lines) this.#typed.push(lines);
  }

  /**
   * Ctrl-C: stops what runs; else it clears what is typed; on an empty line it ends the question or
   * the program.
   */
  #interrupt(): void {
    if (this.#questions.open === undefined && this.#options.stop()) return;
    const empty = this.#editor.text === "" && this.#held.length === 0;
    if (empty && this.#questions.open === undefined) {
      this.#interrupted.resolve();
      return this.close();
    }
    this.#editor.set("");
    this.#held = [];
    if (empty) this.#questions.answer(undefined);
  }

  /** Ctrl-Z. */
  #stop(): void {
    this.#bottom.hide();
    const problem = this.#terminal.stop();
    if (problem === undefined) return;
    this.#draw();
    this.print(notice(
      `Ctrl-Z cannot stop this program: ${problem}; type exit, or go on in another terminal`,
      this.style,
    ));
  }

  #resumed(): void {
    this.#bottom.forget();
    if (this.#pager) this.#pager.resume();
    else this.#draw();
  }

  #clear(): void {
    this.#bottom.forget();
    this.#terminal.write("\x1b[H\x1b[2J");
    this.#draw();
  }

  #complete(): void {
    const { text, cursor } = this.#editor;
    const [found, part] = this.#options.complete(text.slice(0, cursor));
    if (this.#editor.complete(found, part) || found.length < 2) return;
    this.print(columnsOf(found, this.#columns).join("\n"));
  }

  #hint(): void {
    const now = Date.now();
    const line = this.#editor.text;
    if (line.length < 2 || this.#questions.open !== undefined) return;
    if (now - this.#hinted < TYPING_EVERY) return;
    this.#hinted = now;
    this.#options.typing(line);
  }

  async #page(source: PageSource): Promise<void> {
    if (this.#pager || this.#closed) return;
    this.#bottom.hide();
    const pager = new Pager(source, this.#terminal, this.style);
    this.#pager = pager;
    try {
      await pager.left;
    } finally {
      this.#pager = undefined;
      if (!this.#closed) {
        this.#printLatest();
        this.#draw();
      }
    }
  }

  #printLater(text: string): void {
    this.#later.push(text);
    if (this.#later.length > LATER) this.#laterLost += this.#later.splice(0, 1).length;
    this.#pager?.arrived();
  }

  #printLatest(): void {
    const lost = this.#laterLost;
    this.#laterLost = 0;
    const more = `${counted(lost, "line")} more came meanwhile; get_messages shows them`;
    const all = [...(lost > 0 ? [notice(more, this.style)] : []), ...this.#later.splice(0)];
    if (all.length > 0) this.#terminal.write(all.join("\n") + "\n");
  }

  /** Shows what changed, where anything is shown. */
  #redraw(): void {
    if (this.#bottom.shown) this.#draw();
  }

  #draw(): void {
    if (!this.#opened || this.#closed || this.#pager || this.#burst.length > 0) return;
    const pasted = counted(this.#held.length, "line");
    const held = `${pasted} pasted: Enter sends all with this one, Ctrl-C drops all`;
    const asked = this.#long ? folded(this.#questions.open!.trim(), this.style, 0).split("\n") : [];
    const status = [...this.#status, ...(this.#held.length > 0 ? [held] : []), ...asked];
    this.#bottom.draw({ status, ...this.#line() });
  }

  /** What stands in the line. */
  #line(): { label: string; text: string; cursor: number } {
    const search = this.#search;
    if (!search) {
      return { label: this.#label(), text: this.#editor.text, cursor: this.#editor.cursor };
    }
    const label = truncate(search.label, Math.max(12, this.#columns - 10));
    return { label, text: search.found, cursor: search.cursor };
  }

  #label(): string {
    if (this.#long) return "> ";
    return this.#questions.open ?? truncate(this.#prompt, Math.max(12, this.#columns >> 1));
  }

  /** Whether a question leaves too little room for an answer behind it. */
  get #long(): boolean {
    return displayWidth(this.#questions.open ?? "") > this.#columns - 10;
  }

  get #columns(): number {
    return this.#terminal.size.columns;
  }
}
