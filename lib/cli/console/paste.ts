/** Which pastes are asked about before they go out, and which cannot. Pure. */

import { Buffer } from "node:buffer";
import { INVITE_SCHEME } from "../../protocol/invite.ts";
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

/** The question before lines go out as one message of which the first would be a command. */
export function commandQuestion(lines: readonly string[], group: string): string {
  return `The first line is a command. Send all ${lines.length} as one message to ${group} (y/N)? `;
}

/**
 * The lines of a command, in one where they are that command and a `zgroup://` link, which a narrow
 * screen cuts into several; otherwise as they are.
 */
export function withWholeLink(lines: readonly string[]): string[] {
  const pieces = lines.map((line) => line.trim()).filter(Boolean);
  const at = pieces.findIndex((piece) => piece.includes(INVITE_SCHEME));
  const isOne = (at === 0 || (at === 1 && pieces[1].startsWith(INVITE_SCHEME))) &&
    pieces.slice(at + 1).every((piece) => !/\s/.test(piece));
  if (!isOne) return [...lines];
  const link = pieces.slice(at).join("");
  return [at === 0 ? link : `${pieces[0]} ${link}`];
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
