/** Standard input, output and error of a program: lines, questions, whole lines at the reader's pace. */

import { fstatSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { WriteStream } from "node:tty";
import { UsageError } from "../errors.ts";
import { MAX_TEXT } from "../protocol/limits.ts";
import { safeLine } from "../text/filter.ts";
import { Progress, type SoFar } from "./progress.ts";
import type { Style } from "./render.ts";

/** Where a screen's lines go. */
export interface Output {
  readonly style: Style;
  /** One or more lines, without the last line feed; resolves when more may come. */
  print(text: string): Promise<void>;
  /** To standard error. */
  complain(text: string): Promise<void>;
  /** What long work has come to, on standard error; undefined when it is over. */
  progress?(soFar: SoFar | undefined): void;
}

/** What a terminal can show; nothing but text when the stream is none. */
function styleOf(stream: WriteStream): Style {
  if (!stream.isTTY) return { colour: false };
  const { NO_COLOR, TERM } = process.env;
  return {
    colour: !NO_COLOR && TERM !== "dumb" && (stream.hasColors?.() ?? true),
    get columns() {
      return stream.columns || 80;
    },
    get rows() {
      return stream.rows || 24;
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
  let progress: Progress | undefined;
  return {
    style: styleOf(process.stdout),
    print: (text) => {
      if (gone) return Promise.reject(gone);
      progress?.close();
      return new Promise((resolve, reject) => {
        process.stdout.write(text + "\n", (error) => error ? reject(error) : resolve());
      });
    },
    complain: (text) => {
      progress?.close();
      return new Promise((resolve) => process.stderr.write(text + "\n", () => resolve()));
    },
    progress(soFar) {
      if (soFar) (progress ??= new Progress()).tell(soFar.done, soFar.total, () => soFar.say());
      else progress?.close();
    },
  };
}

/** Bytes of standard input where it is a file; undefined for a pipe or a terminal. */
export function stdinSize(): number | undefined {
  try {
    const found = fstatSync(0);
    return found.isFile() ? found.size : undefined;
  } catch {
    return undefined; // Closed, or a system that does not tell.
  }
}

/** Longest line that is collected, characters; one message is shorter. */
const MAX_LINE = 1_048_576;

/** Chunks of bytes. */
export type Bytes = AsyncIterable<Uint8Array>;

/** The lines of a stream, without their ends, read only as fast as they are taken. */
export async function* linesOf(input: Bytes): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE) {
      throw new UsageError(`Cannot read the input: a line is longer than ${MAX_LINE} characters`);
    }
    for (const line of lines) yield withoutReturn(line);
  }
  rest += decoder.decode();
  if (rest !== "") yield withoutReturn(rest);
}

/** The whole of a stream as one text, without the last line feed. */
export async function wholeText(input: Bytes): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of input) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > MAX_TEXT) {
      throw new UsageError(
        `Cannot send the input as one message: it is longer than ${MAX_TEXT} bytes, ` +
          "--lines sends each line as one",
      );
    }
  }
  return (text + decoder.decode()).replaceAll("\r\n", "\n").replace(/\n$/, "");
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** One question. `problem` says why an answer cannot be used. */
export interface Question {
  readonly text: string;
  /** What Enter alone means; without it an answer is needed. */
  readonly standard?: string;
  readonly problem?: (answer: string) => string | undefined;
}

/** Asks the person at the terminal; the answers. */
export type Ask = (questions: readonly Question[]) => Promise<string[]>;

/**
 * Asks one after the other, each again until its answer can be used.
 *
 * @throws {UsageError} when the person leaves with Ctrl-D or Ctrl-C
 */
export async function ask(questions: readonly Question[], signal: AbortSignal): Promise<string[]> {
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  const left = new Promise<never>((_, reject) => {
    reader.once("close", () => reject(new UsageError("Cannot go on: a question has no answer")));
    reader.once("SIGINT", () => reader.close());
  });
  left.catch(() => {});
  const answers: string[] = [];
  try {
    for (const { text, standard, problem: problemOf } of questions) {
      const asked = standard ? `${text} [${standard}]: ` : `${text}: `;
      for (;;) {
        const typed = await Promise.race([reader.question(asked, { signal }), left]);
        const answer = typed.trim() || standard || "";
        const isMissing = answer === "" && standard === undefined;
        const problem = isMissing ? "an answer is needed" : problemOf?.(answer);
        if (problem === undefined) {
          answers.push(answer);
          break;
        }
        process.stdout.write(`  That cannot be used: ${safeLine(problem)}.\n`);
      }
    }
    return answers;
  } finally {
    reader.close();
  }
}
