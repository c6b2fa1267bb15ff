/** Which pastes are asked about before they go out, and which cannot. Pure. */

import { Buffer } from "node:buffer";
import { MAX_TEXT } from "../../protocol/limits.ts";
import { counted } from "../../text/counted.ts";

/** Most that goes out as one message without a question: lines, bytes. */
const LINES = 50;
const BYTES = 8_192;

/** The question before so much goes out as one message; undefined where none is asked. */
export function pasteQuestion(lines: readonly string[], group: string): string | undefined {
  const bytes = bytesOf(lines);
  if (lines.length < 2 || (lines.length <= LINES && bytes <= BYTES)) return undefined;
  return `Send ${counted(lines.length, "line")} (${
    kilobytes(bytes)
  }) as one message to ${group} (y/N)? `;
}

/** Why so much is no message; undefined where it can be one. */
export function tooLong(lines: readonly string[]): string | undefined {
  const bytes = bytesOf(lines);
  if (bytes <= MAX_TEXT) return undefined;
  return `Cannot send ${kilobytes(bytes)} as one message: ${
    MAX_TEXT.toLocaleString("en-US")
  } bytes ` +
    "is the most; it stays in the line: shorten it, or Ctrl-C drops it and send G - --lines takes a file";
}

function bytesOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, -1);
}

function kilobytes(bytes: number): string {
  return `${Math.ceil(bytes / 1_024).toLocaleString("en-US")} KB`;
}
