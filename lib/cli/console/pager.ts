/** A history on the whole screen: older and newer pages come as one goes there. */

import process from "node:process";
import { sentence } from "../../errors.ts";
import type { GroupEntry } from "../../protocol/batch.ts";
import { formatLocal } from "../../text/time.ts";
import { safeLine } from "../../text/filter.ts";
import { displayWidth, foldedRows, truncate } from "../../text/width.ts";
import type { ReadOptions } from "../../user/types.ts";
import type { Style } from "../render.ts";
import type { Key } from "./keys.ts";
import { marked, PageView } from "./page_view.ts";
import { Terminal } from "./terminal.ts";

/** Where a pager's entries come from: a group's log, or what is kept of it on this disk. */
export interface PageSource {
  /** Whose history it is. */
  readonly title: string;
  /** Ascending, as `User.read`. */
  read(range: Pick<ReadOptions, "after" | "before" | "limit" | "last">): AsyncIterable<GroupEntry>;
  /** An entry as lines. */
  line(entry: GroupEntry): string;
  /** The seq that stands at the top when it opens; default the end. */
  readonly from?: number | undefined;
  /** The newest entry that was on the screen, when it is left. */
  seen?(entry: GroupEntry): void;
}

/** What it needs of a terminal. */
type PagerTerminal = Pick<Terminal, "write" | "size" | "stop" | "takeWhole" | "giveBack">;

/** Entries that are asked for at once. */
const PAGE = 200;

type Place = "start" | "end" | "from" | "older" | "newer";

export class Pager {
  /** Resolves when the person leaves. */
  readonly left: Promise<void>;
  readonly #left = Promise.withResolvers<void>();
  readonly #source: PageSource;
  readonly #terminal: PagerTerminal;
  readonly #style: Style;
  readonly #view: PageView<GroupEntry>;
  /** Nothing older, nothing newer is there. */
  #startHeld = false;
  #endHeld = false;
  /** What is being loaded, and what is to be loaded next. */
  #loading: Place | undefined;
  #wanted: Place | undefined;
  /** Something came that was not asked for yet. */
  #more = false;
  /** Page Down was pressed at the end, and leaves if nothing newer is there. */
  #leaving = false;
  #head = 0;
  #newest: GroupEntry | undefined;
  /** Why the last page did not come, or what else is to be said until a key is pressed. */
  #said = "";
  /** What is typed behind `/`. */
  #typed: string | undefined;
  #words = "";
  /** The keys are shown, until the next one. */
  #helps = false;
  /** It has the screen; not while the job is stopped. */
  #shown = false;
  #closed = false;

  constructor(
    source: PageSource,
    terminal: PagerTerminal,
    style: Style,
  ) {
    this.#source = source;
    this.#terminal = terminal;
    this.#style = style;
    this.left = this.#left.promise;
    this.#view = new PageView((entry) => source.line(entry));
    this.resume();
    this.#load(source.from === undefined ? "end" : "from");
  }

  /** Puts it on the screen; also after the job was stopped. */
  resume(): void {
    this.#terminal.takeWhole();
    this.#shown = true;
    this.redraw();
  }

  press(key: Key): void {
    if (this.#closed) return;
    this.#said = "";
    this.#leaving = false;
    if (this.#helps) {
      this.#helps = false;
      return this.redraw();
    }
    const names = "name" in key ? [key.name] : [...key.text];
    for (const name of names) {
      if (this.#typed === undefined) this.#move(name);
      else this.#type(name, "text" in key);
      if (this.#closed) return;
    }
    this.#fill();
    this.#show();
  }

  /** There may be newer entries. */
  arrived(): void {
    this.#more = true;
    if (this.#endHeld) this.#load("newer");
  }

  /** Leaves the screen as it was before. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leaveScreen();
    if (this.#newest) this.#source.seen?.(this.#newest);
    this.#left.resolve();
  }

  redraw(): void {
    if (!this.#shown) return;
    const { columns, rows: all } = this.#terminal.size;
    const height = Math.max(1, all - 1);
    this.#view.resize(columns, height);
    const { visible } = this.#view;
    const newest = visible.at(-1)?.entry;
    if (newest && newest.seq > (this.#newest?.seq ?? 0)) this.#newest = newest;
    // What is shorter than the screen stands at its bottom, as at the prompt.
    const rows = this.#helps
      ? KEYS.flatMap((line) => foldedRows(line, columns)).slice(0, height)
      : visible.map(({ text }) => marked(text, this.#words));
    const shown = [...Array<string>(height - rows.length).fill(""), ...rows];
    const status = this.#typed === undefined ? this.#status() : `/${this.#typed}`;
    const line = truncate(status, columns - 1);
    const cursor = this.#typed === undefined ? "\x1b[?25l" : "\x1b[?25h";
    const end = this.#typed === undefined
      ? `\x1b[7m${line.padEnd(line.length + columns - 1 - displayWidth(line))}\x1b[27m\x1b[K`
      : `${line}\x1b[K`;
    this.#terminal.write(`\x1b[H${shown.map((row) => `${row}\x1b[K\r\n`).join("")}${end}${cursor}`);
  }

  #status(): string {
    const { visible } = this.#view;
    const [first, last] = [visible[0]?.entry, visible.at(-1)?.entry];
    const where = last
      ? `, ${formatLocal(first.at).slice(0, 16)} · ${last.seq.toLocaleString("en-US")} of ` +
        Math.max(this.#head, last.seq).toLocaleString("en-US")
      : this.#endHeld
      ? " · no messages"
      : "";
    const note = this.#said || (this.#loading ? "loading …" : NEXT_KEYS);
    return `q back, ${note} · ${safeLine(this.#source.title)}${where}`;
  }

  #move(name: string): void {
    const page = Math.max(1, this.#terminal.size.rows - 2);
    const way = MOVES.get(name);
    if (way !== undefined) {
      const moved = this.#view.scroll(Math.round(way * page) || Math.sign(way));
      this.#leaving = name === "page-down" && !moved;
    } else if (["home", "g", "<"].includes(name)) this.#go("start");
    else if (["end", "G", ">"].includes(name)) this.#go("end");
    else if (name === "/") this.#typed = "";
    else if (name === "?" || name === "h") this.#helps = true;
    else if (name === "n") this.#find(-1);
    else if (name === "N") this.#find(1);
    else if (name === "ctrl-z") this.#stop();
    else if (["q", "Q", "escape", "ctrl-c", "ctrl-d"].includes(name)) this.close();
  }

  /** A key while what is looked for is typed. */
  #type(name: string, text: boolean): void {
    const typed = this.#typed!;
    if (text) this.#typed = typed + name;
    else if (name === "backspace" && typed !== "") this.#typed = typed.slice(0, -1);
    else if (name === "enter") {
      this.#typed = undefined;
      this.#words = typed;
      this.#view.searchFromHere();
      if (typed !== "") this.#find(-1, true);
    } else if (["backspace", "escape", "ctrl-c"].includes(name)) this.#typed = undefined;
  }

  /** Goes to an older, -1, or newer row that holds the words; to either where `either` is true. */
  #find(step: 1 | -1, either = false): void {
    if (this.#words === "") return void (this.#said = "/ looks for words");
    if (this.#view.find(this.#words, step)) return;
    if (either && this.#view.find(this.#words, 1)) return;
    this.#said = either
      ? `nothing loaded has "${this.#words}"`
      : `nothing ${step < 0 ? "older" : "newer"} with "${this.#words}" is loaded`;
  }

  #go(place: "start" | "end"): void {
    if (place === "start" && this.#startHeld) this.#view.toStart();
    else if (place === "end" && this.#endHeld) this.#view.toEnd();
    else this.#load(place);
  }

  #stop(): void {
    this.#leaveScreen();
    const problem = this.#terminal.stop();
    if (problem === undefined) return;
    this.#said = `Ctrl-Z cannot stop this program: ${problem}`;
    this.resume();
  }

  #leaveScreen(): void {
    this.#terminal.giveBack();
    this.#shown = false;
  }

  /** Asks for what lies within two screens of this one. */
  #fill(): void {
    const near = 2 * this.#terminal.size.rows;
    if (!this.#startHeld && this.#view.above < near) this.#load("older");
    const more = this.#more || !this.#endHeld;
    if (more && this.#view.below < near) this.#load("newer");
  }

  /** Shows what a key or a page has changed, or leaves. */
  #show(): void {
    if (this.#leaving && this.#endHeld) this.close();
    else this.redraw();
  }

  /** One page at a time; a jump goes before what would have been filled. */
  #load(place: Place): void {
    if (this.#loading) {
      if (place !== "older" && place !== "newer" || this.#wanted === undefined) {
        this.#wanted = place;
      }
      return;
    }
    this.#loading = place;
    const { last } = this.#view;
    void this.#read(place).then(() => true, (error: unknown) => {
      this.#said = `${sentence(error)}; q leaves`;
      return false;
    }).then((loaded) => {
      this.#loading = undefined;
      if (this.#closed) return;
      const wanted = this.#wanted;
      this.#wanted = undefined;
      if (this.#view.last !== last) this.#leaving = false; // It shows what is newer.
      if (wanted) this.#load(wanted);
      else if (loaded) this.#fill();
      this.#show();
    });
  }

  async #read(place: Place): Promise<void> {
    const view = this.#view;
    const last = { limit: PAGE, last: true };
    switch (place) {
      case "older": {
        const before = view.first?.seq;
        const older = before === undefined ? [] : await this.#entries({ before, ...last });
        if (older.length === 0 || before === 2) this.#startHeld = true;
        const end = view.last;
        view.addOlder(older);
        if (view.last !== end) this.#endHeld = false;
        return;
      }
      case "newer": {
        this.#more = false;
        const newer = await this.#entries({ after: view.last?.seq ?? 0, limit: PAGE });
        this.#endHeld = newer.length < PAGE && !this.#more;
        const begin = view.first;
        view.addNewer(newer, true);
        if (begin !== undefined && view.first !== begin) this.#startHeld = false;
        return;
      }
      case "from":
      case "start": {
        const from = place === "from" ? this.#source.from! : 1;
        const found = await this.#entries({ after: from - 1, limit: PAGE });
        const [head] = found.length < PAGE ? [] : await this.#entries({ limit: 1, last: true });
        view.clear();
        view.addNewer(found);
        view.toStart();
        this.#startHeld = from <= 1 || found[0]?.seq === 1;
        this.#endHeld = head === undefined;
        return;
      }
      case "end": {
        this.#more = false;
        const found = await this.#entries(last);
        view.clear();
        view.addNewer(found);
        view.toEnd();
        this.#startHeld = found.length < PAGE;
        this.#endHeld = !this.#more;
        return;
      }
    }
  }

  async #entries(range: Parameters<PageSource["read"]>[0]): Promise<GroupEntry[]> {
    const found: GroupEntry[] = [];
    for await (const entry of this.#source.read(range)) {
      if (this.#closed) break;
      found.push(entry);
    }
    this.#head = Math.max(this.#head, found.at(-1)?.seq ?? 0);
    return found;
  }
}

/** What stands on the bottom line. */
const NEXT_KEYS = "Page Up/Down, / find, ? keys";

/** What `?` shows. */
const KEYS = [
  "Page Up, b: a screen back; Page Down, Space: a screen on, at the end back to the prompt",
  "Up, k, Down, j, Enter: a row; u, d: half a screen",
  "Home, g: the first message; End, G: the last",
  "/ and words: finds them; n finds older ones, N newer ones",
  "q, Escape: back",
  "Any key: back to the messages",
];

/** What a key moves, in screens; a row where it is less than one. */
const MOVES: ReadonlyMap<string, number> = new Map([
  ["page-up", -1],
  ["b", -1],
  ["ctrl-b", -1],
  ["page-down", 1],
  [" ", 1],
  ["ctrl-f", 1],
  ["u", -0.5],
  ["ctrl-u", -0.5],
  ["d", 0.5],
  ["up", -0.001],
  ["k", -0.001],
  ["down", 0.001],
  ["j", 0.001],
  ["enter", 0.001],
]);

/** Where more than a screen of a history is shown. */
export interface Paging {
  /** What fits on the screen without it. */
  readonly rows: number;
  page(source: PageSource): Promise<void>;
}

/** The pager of one command and out; undefined where no person sits at a terminal that can do it. */
export function pagingAlone(style: Style, signal: AbortSignal): Paging | undefined {
  const { stdin, stdout, env } = process;
  if (!stdin.isTTY || !stdout.isTTY || env.TERM === "dumb") return undefined;
  return {
    rows: (stdout.rows || 24) - 1,
    page: (source) => pageAlone(source, style, signal),
  };
}

/** A history on the terminal of one command and out; resolves when the person leaves. */
async function pageAlone(source: PageSource, style: Style, signal: AbortSignal): Promise<void> {
  const terminal = new Terminal({
    keys: (keys) => keys.forEach((key) => pager.press(key)),
    resized: () => pager.redraw(),
    resumed: () => pager.resume(),
    ended: () => pager.close(),
  });
  terminal.open();
  const pager = new Pager(source, terminal, style);
  const close = () => pager.close();
  signal.addEventListener("abort", close, { once: true });
  try {
    await pager.left;
  } finally {
    signal.removeEventListener("abort", close);
    terminal.close();
  }
}
