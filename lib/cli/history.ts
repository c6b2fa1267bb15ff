/** The lines typed before, in `history` of the home, readable by its owner only. */

import { appendFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Lines that are kept. */
export const KEPT = 1_000;

export interface History {
  /** Newest first, as `node:readline` wants them. */
  readonly lines: string[];
  /** Keeps a line; a folder that cannot be written is no reason to disturb anybody. */
  add(line: string): void;
}

/** Reads the history of a home and shortens its file. */
export async function openHistory(home: string): Promise<History> {
  const file = join(home, "history");
  const kept = await readFile(file, "utf8").then((text) => text.split("\n").filter(Boolean))
    .catch(() => []);
  if (kept.length > 2 * KEPT) {
    await writeFile(file, kept.slice(-KEPT).join("\n") + "\n", { mode: 0o600 }).catch(() => {});
  }
  let last = kept.at(-1);
  let writing = mkdir(home, { recursive: true, mode: 0o700 }).then(() => {}, () => {});
  return {
    lines: kept.slice(-KEPT).reverse(),
    add: (line) => {
      if (line.trim() === "" || line === last) return;
      last = line;
      writing = writing.then(() => appendFile(file, line + "\n", { mode: 0o600 })).catch(() => {});
    },
  };
}
