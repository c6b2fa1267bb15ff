/** With what `start` was given in a folder: it is taken again when nothing is given. */

import { join } from "node:path";
import { load, save } from "../disk/files.ts";
import { keptProblem, type StartedFile } from "../protocol/kept.ts";

/** What was given last; undefined before. @throws {FolderUnusable} */
export function startedWith(home: string): StartedFile | undefined {
  return load<StartedFile>(pathIn(home), {
    problem: (value) => keptProblem("startedFile", value),
    wayOut: "remove it, and say once more where to start",
  });
}

/** From now on this is taken. @throws {FolderUnusable}; {DiskFull} */
export function keepStarted(home: string, started: StartedFile): void {
  save(pathIn(home), started);
}

function pathIn(home: string): string {
  return join(home, "started.json");
}
