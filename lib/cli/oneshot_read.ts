/** One-shot commands that show entries: `read` and `follow`. */

import type { Call } from "./oneshot.ts";
import type { GroupEntry } from "./ports.ts";
import { rangeOf } from "./range.ts";
import { Authors, entryJson, entryLine } from "./render.ts";

/** Characters that are collected before they are written. */
const CHUNK = 16_384;

/** `read G …`: what is in the log now. */
export async function read({ user, given, words: [group], json, output, now }: Call) {
  const write = writer(json, output.style);
  let chunk = "";
  let last: GroupEntry | undefined;
  for await (const entry of user.read(group, rangeOf(given, now()))) {
    chunk += (chunk === "" ? "" : "\n") + write(entry);
    last = entry;
    if (chunk.length < CHUNK) continue;
    await output.print(chunk);
    chunk = "";
  }
  if (chunk !== "") await output.print(chunk);
  // A person has seen them; a script that reads must not hide them from the person.
  if (last && !json && output.style.columns !== undefined) user.seen(group, last.seq, last.epoch);
}

/** `follow G …`: until Ctrl-C. */
export async function follow({ user, given, words: [group], json, output, now, signal }: Call) {
  const write = writer(json, output.style);
  const { since, after } = rangeOf(given, now());
  const options = {
    signal,
    ...(since === undefined ? {} : { since }),
    ...(after === undefined ? {} : { after }),
  };
  try {
    for await (const entry of user.follow(group, options)) {
      await output.print(write(entry));
      user.seen(group, entry.seq, entry.epoch);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function writer(json: boolean, style: Call["output"]["style"]): (entry: GroupEntry) => string {
  if (json) return entryJson;
  const authors = new Authors();
  return (entry) => entryLine(entry, style, { label: authors.label(entry) });
}
