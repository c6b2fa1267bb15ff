/** Asks on the terminal for what nobody is to see. */

import { Buffer } from "node:buffer";
import process from "node:process";
import { StringDecoder } from "node:string_decoder";
import { Interrupted, UsageError } from "../errors.ts";

const [ENTER, NEW_LINE, CTRL_C, CTRL_D, CTRL_U] = ["\r", "\n", "\x03", "\x04", "\x15"];
const ERASING: ReadonlySet<string> = new Set(["\x7f", "\b"]);

/**
 * A line that is typed, without an echo; the question stands on standard error.
 *
 * @throws {Interrupted} Ctrl-C; {UsageError} Ctrl-D, or the terminal is gone
 */
export function askSecret(question: string): Promise<string> {
  const { stdin, stderr } = process;
  const decoder = new StringDecoder("utf8");
  const answer = Promise.withResolvers<string>();
  let typed: string[] = [];
  const take = (chunk: Buffer) => {
    const keys = [...decoder.write(chunk)];
    for (const [i, key] of keys.entries()) {
      if (key === ENTER || key === NEW_LINE) {
        stdin.off("data", take);
        const rest = keys.slice(i + 1).join(""); // Typed ahead, for who asks next.
        if (rest !== "") stdin.unshift(Buffer.from(rest));
        return answer.resolve(typed.join(""));
      }
      if (key === CTRL_C) answer.reject(new Interrupted("Stopped: nothing was changed"));
      else if (key === CTRL_D) {
        answer.reject(new UsageError("Cannot go on: a question has no answer"));
      } else if (key === CTRL_U) typed = [];
      else if (ERASING.has(key)) typed.pop();
      else if (key >= " ") typed.push(key);
    }
  };
  const gone = () => answer.reject(new UsageError("Cannot go on: a question has no answer"));
  stdin.setRawMode(true);
  stdin.on("data", take);
  stdin.once("end", gone);
  stdin.resume();
  stderr.write(question); // Not before nothing is echoed any more.
  return answer.promise.finally(() => {
    stdin.off("data", take);
    stdin.off("end", gone);
    stdin.pause();
    stdin.setRawMode(false);
    stderr.write("\n");
  });
}
