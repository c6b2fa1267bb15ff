/** Where a user's folder keeps things, and what a person is told when they are not there. */

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { OpenWords } from "../disk/sqlite_errors.ts";
import { FolderUnusable } from "../errors.ts";
import { type Known, knownPath } from "./known_file.ts";

/** Where a home keeps what a user knows and what waits to be sent. */
export function storePath(folder: string): string {
  return join(folder, "user.db");
}

/** How the sentences about a folder begin, and what to do. */
export function wordsFor(folder: string): OpenWords {
  return {
    cannot: `Cannot use the folder ${folder}`,
    held: "it is locked by another program that writes, try again",
    wayOut: `put a copy of it back, or bring back what can be: ${restoreLine(folder)}`,
  };
}

/** The command that makes a folder whole again. */
export function restoreLine(folder: string, option = ""): string {
  const home = /^[\w./:\\-]+$/.test(folder) ? folder : `"${folder}"`;
  return `user.ts restore${option} --home ${home}`;
}

/** Whether there is nothing in the place of `user.db`. */
export function isEmpty(folder: string): boolean {
  return (statSync(storePath(folder), { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** The error where there was something. */
export function missing(folder: string, copy: Known | "damaged"): FolderUnusable {
  const gone = existsSync(storePath(folder)) ? "is empty" : "is missing";
  const held = copy === "damaged"
    ? `what was in it is unknown, for ${knownPath(folder)} is damaged, too`
    : `in it were the groups that you know (${copy.groups.length}) and what was not sent`;
  return new FolderUnusable(
    `Cannot use the folder ${folder}: user.db ${gone}; ${held}. Put a copy of it back, or bring ` +
      `back what can be: ${restoreLine(folder)}`,
  );
}
