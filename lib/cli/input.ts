/** Standard input that is no person: a file or a pipe. */

import { UsageError } from "../errors.ts";
import { MAX_TEXT } from "../protocol/limits.ts";

/** Longest line that is collected, characters; one message is shorter. */
const MAX_LINE = 1_048_576;

/** Chunks of bytes. */
export type Bytes = AsyncIterable<Uint8Array | string>;

/** The lines of a stream, without their ends, read only as fast as they are taken. */
export async function* linesOf(input: Bytes): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decode(decoder, chunk)).split("\n");
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
    text += decode(decoder, chunk);
    if (text.length > MAX_TEXT) {
      throw new UsageError(
        `Cannot send the input as one message: it is longer than ${MAX_TEXT} bytes, ` +
          "--lines sends each line as one",
      );
    }
  }
  return (text + decoder.decode()).replaceAll("\r\n", "\n").replace(/\n$/, "");
}

function decode(decoder: TextDecoder, chunk: Uint8Array | string): string {
  return typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true });
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
