/** Standard output and error of a program: whole lines, at the reader's pace. */

import process from "node:process";
import type { WriteStream } from "node:tty";
import type { Style } from "./render.ts";

/** Where a screen's lines go. */
export interface Output {
  readonly style: Style;
  /** One or more lines, without the last line feed; resolves when more may come. */
  print(text: string): Promise<void>;
  /** To standard error. */
  complain(text: string): Promise<void>;
}

/** What a terminal can show; nothing but text when the stream is none. */
export function styleOf(stream: WriteStream): Style {
  if (!stream.isTTY) return { colour: false };
  const { NO_COLOR, TERM } = process.env;
  return {
    colour: !NO_COLOR && TERM !== "dumb" && (stream.hasColors?.() ?? true),
    get columns() {
      return stream.columns || 80;
    },
  };
}

/**
 * The process's own streams. A reader that goes away (`| head`) rejects the next print with EPIPE,
 * which `run/main.ts` takes for a quiet end.
 */
export function processOutput(): Output {
  let gone: Error | undefined;
  // The callback of the write reports it; without a listener the event would end the process.
  process.stdout.on("error", (error) => gone = error);
  process.stderr.on("error", () => {});
  return {
    style: styleOf(process.stdout),
    print: (text) => {
      if (gone) return Promise.reject(gone);
      return new Promise((resolve, reject) => {
        process.stdout.write(text + "\n", (error) => error ? reject(error) : resolve());
      });
    },
    complain: (text) =>
      new Promise((resolve) => process.stderr.write(text + "\n", () => resolve())),
  };
}
