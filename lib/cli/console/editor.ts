/** The line that is being typed, and the keys that change it: those of readline and Emacs. Pure. */

import { graphemeEnd, graphemeStart } from "../../text/width.ts";

/** Steps back that are kept. */
const UNDONE = 200;

interface State {
  readonly text: string;
  readonly cursor: number;
}

/** A line, its cursor (UTF-16, between two characters), and the lines typed before, newest first. */
export class Editor {
  readonly #history: string[];
  readonly #most: number;
  #text = "";
  #cursor = 0;
  #killed = "";
  #undo: State[] = [];
  /** How far back in the lines typed before, 0 the newest; -1 at the line being typed. */
  #back = -1;
  /** What stood there before going back. */
  #typed: State | undefined;

  constructor(history: readonly string[] = [], most = 1_000) {
    this.#history = [...history];
    this.#most = most;
  }

  get text(): string {
    return this.#text;
  }

  get cursor(): number {
    return this.#cursor;
  }

  get history(): readonly string[] {
    return this.#history;
  }

  /** Puts characters where the cursor is. */
  insert(typed: string): void {
    this.#edit(this.#cursor, this.#cursor, typed);
  }

  /** Puts another line there. */
  set(text: string, cursor = text.length): void {
    this.#keep();
    this.#leave();
    this.#put(text, cursor);
  }

  /** Takes the line away, and keeps it among the lines typed before unless `keep` is false. */
  take(keep = true): string {
    const text = this.#text;
    this.#undo = [];
    this.#leave();
    this.#put("", 0);
    if (keep && text.trim() !== "") {
      const same = this.#history.indexOf(text);
      if (same >= 0) this.#history.splice(same, 1);
      this.#history.unshift(text);
      this.#history.splice(this.#most);
    }
    return text;
  }

  /** Puts what all found begin with in place of what they begin with; false if that adds nothing. */
  complete(found: readonly string[], part: string): boolean {
    const common = commonBegin(found);
    if (common === part || common.length < part.length || found.length === 0) return false;
    this.#edit(this.#cursor - part.length, this.#cursor, common);
    return true;
  }

  /** Does what a key does to a line; false for one that does nothing to any. */
  press(name: string): boolean {
    const action = KEYS.get(name);
    action?.(this);
    return action !== undefined;
  }

  // What keys do.

  moveTo(cursor: number): void {
    this.#cursor = cursor;
  }

  get left(): number {
    return graphemeStart(this.#text, this.#cursor);
  }

  get right(): number {
    return graphemeEnd(this.#text, this.#cursor);
  }

  /** Where the word before the cursor begins; `spaced`: what is between spaces is one. */
  wordStart(spaced = false): number {
    const before = this.#text.slice(0, this.#cursor);
    const word = spaced ? /\S+\s*$/ : /[\p{L}\p{N}\p{M}_]+[^\p{L}\p{N}\p{M}_]*$/u;
    return Math.max(0, before.slice(-MOST_WORD).search(word)) + Math.max(
      0,
      before.length - MOST_WORD,
    );
  }

  wordEnd(): number {
    const word = /^[^\p{L}\p{N}\p{M}_]*[\p{L}\p{N}\p{M}_]*/u;
    const behind = this.#text.slice(this.#cursor, this.#cursor + MOST_WORD);
    return this.#cursor + word.exec(behind)![0].length;
  }

  erase(from: number, to: number): void {
    if (from < to) this.#edit(from, to, "");
  }

  /** Erases, and keeps it for {@linkcode yank}. */
  kill(from: number, to: number): void {
    if (from >= to) return;
    this.#killed = this.#text.slice(from, to);
    this.#edit(from, to, "");
  }

  yank(): void {
    this.insert(this.#killed);
  }

  /** Exchanges the two characters around the cursor, at the end those before it. */
  transpose(): void {
    const end = this.#cursor === this.#text.length ? this.#cursor : this.right;
    const middle = graphemeStart(this.#text, end);
    const start = graphemeStart(this.#text, middle);
    if (start === middle) return;
    this.#edit(start, end, this.#text.slice(middle, end) + this.#text.slice(start, middle));
  }

  undo(): void {
    const before = this.#undo.pop();
    if (before) this.#put(before.text, before.cursor);
  }

  /** Goes to an older line, 1, or a newer one, -1, that begins as what was typed. */
  recall(step: 1 | -1): void {
    const typed = this.#typed ?? { text: this.#text, cursor: this.#cursor };
    const begin = typed.text.slice(0, typed.cursor);
    for (let at = this.#back + step; at < this.#history.length; at += step) {
      if (at < 0) {
        if (this.#back < 0) return;
        this.#leave();
        return this.#put(typed.text, typed.cursor);
      }
      const line = this.#history[at];
      if (!line.startsWith(begin) || line === this.#text) continue;
      [this.#back, this.#typed] = [at, typed];
      return this.#put(line, line.length);
    }
  }

  #edit(from: number, to: number, put: string): void {
    this.#keep();
    this.#leave();
    this.#put(this.#text.slice(0, from) + put + this.#text.slice(to), from + put.length);
  }

  #keep(): void {
    this.#undo.push({ text: this.#text, cursor: this.#cursor });
    if (this.#undo.length > UNDONE) this.#undo.shift();
  }

  /** The line is one's own from here on. */
  #leave(): void {
    this.#back = -1;
    this.#typed = undefined;
  }

  #put(text: string, cursor: number): void {
    this.#text = text;
    this.#cursor = cursor;
  }
}

/** What all begin with. */
function commonBegin([first = "", ...others]: readonly string[]): string {
  let length = first.length;
  for (const other of others) {
    while (!other.startsWith(first.slice(0, length))) length--;
  }
  return first.slice(0, length);
}

/** How far a word is looked for, characters. */
const MOST_WORD = 1_000;

type Action = (editor: Editor) => void;

const KEYS: ReadonlyMap<string, Action> = new Map<string, Action>(
  ([
    ["left ctrl-b", (line) => line.moveTo(line.left)],
    ["right ctrl-f", (line) => line.moveTo(line.right)],
    ["home ctrl-a", (line) => line.moveTo(0)],
    ["end ctrl-e", (line) => line.moveTo(line.text.length)],
    ["alt-b alt-left ctrl-left", (line) => line.moveTo(line.wordStart())],
    ["alt-f alt-right ctrl-right", (line) => line.moveTo(line.wordEnd())],
    ["backspace", (line) => line.erase(line.left, line.cursor)],
    ["delete ctrl-d", (line) => line.erase(line.cursor, line.right)],
    ["ctrl-u", (line) => line.kill(0, line.cursor)],
    ["ctrl-k", (line) => line.kill(line.cursor, line.text.length)],
    ["ctrl-w", (line) => line.kill(line.wordStart(true), line.cursor)],
    ["alt-backspace", (line) => line.kill(line.wordStart(), line.cursor)],
    ["alt-d alt-delete ctrl-delete", (line) => line.kill(line.cursor, line.wordEnd())],
    ["ctrl-y", (line) => line.yank()],
    ["ctrl-t", (line) => line.transpose()],
    ["ctrl-_", (line) => line.undo()],
    ["up ctrl-p", (line) => line.recall(1)],
    ["down ctrl-n", (line) => line.recall(-1)],
  ] as [string, Action][]).flatMap(([names, action]) =>
    names.split(" ").map((name): [string, Action] => [name, action])
  ),
);
