/** A screen that is drawn again and again, with one line at its end to type commands into. */

import type { Buffer } from "node:buffer";
import process from "node:process";

const [ENTER, LEAVE] = ["\x1b[?1049h", "\x1b[?1049l"];
const [HOME, REST_OF_SCREEN, REST_OF_LINE] = ["\x1b[H", "\x1b[J", "\x1b[K"];

/** Standard input and output as one; Ctrl-C, and the end of input, are the command `quit`. */
export class Screen {
  #lines: readonly string[] = [];
  #typed = "";
  #left = false;
  readonly #commands: string[] = [];
  #wake: () => void = () => {};

  constructor() {
    process.stdout.write(ENTER);
    process.stdin.setRawMode(true);
    process.stdin.on("data", this.#read).on("end", () => this.#command("quit"));
  }

  /** Draws these lines, as many as there is room for, and what is typed below. */
  show(lines: readonly string[]): void {
    this.#lines = lines;
    this.#draw();
  }

  async *commands(): AsyncIterable<string> {
    for (;;) {
      const next = this.#commands.shift();
      if (next !== undefined) yield next;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** Gives the terminal back, with the last lines left on it; again is harmless. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    process.stdin.off("data", this.#read).pause();
    process.stdin.setRawMode(false);
    process.stdout.write(`${LEAVE}${this.#lines.join("\n")}\n`);
  }

  #draw(): void {
    if (this.#left) return;
    const { rows = 24, columns = 80 } = process.stdout;
    const shown = this.#lines.slice(0, rows - 1).map((line) => line.slice(0, columns));
    const text = [...shown, `> ${this.#typed}`].join(`${REST_OF_LINE}\r\n`);
    process.stdout.write(`${HOME}${text}${REST_OF_SCREEN}`);
  }

  readonly #read = (data: Buffer): void => {
    // Keys that are more than one character mean nothing here.
    // deno-lint-ignore no-control-regex -- they begin with one
    for (const key of data.toString().replace(/\x1b\[?[0-9;]*[A-Za-z~]?/g, "")) {
      if (key === "\x03" || key === "\x04") this.#command("quit");
      else if (key === "\r" || key === "\n") {
        const typed = this.#typed.trim();
        this.#typed = "";
        if (typed) this.#command(typed);
      } else if (key === "\x7f") this.#typed = this.#typed.slice(0, -1);
      else if (key >= " ") this.#typed += key;
    }
    this.#draw();
  };

  #command(text: string): void {
    this.#commands.push(text);
    this.#wake();
  }
}
