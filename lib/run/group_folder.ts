/** What is wrong in a group's folder. */

import { join } from "node:path";
import { load } from "../disk/files.ts";
import { sentence } from "../errors.ts";

/** Sentences about what is missing or damaged in the folder of a group; empty when all is well. */
export function folderProblems(folder: string): string[] {
  const file = join(folder, "group.json");
  try {
    if (load(file)) return [];
    return [`Cannot use the folder ${folder}: group.json is missing; put a copy of it back`];
  } catch (error) {
    return [sentence(error)];
  }
}
