/** What this machine gives a program: versions, a folder to write in, room, descriptors. */

import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import process from "node:process";
import type { Machine } from "../cli/program.ts";
import { sentence } from "../errors.ts";
import { descriptorWarning } from "./descriptors.ts";

/** Looks at this machine, for the folder `home`, which is made if missing. */
export function machineFor(home: string, wire: string): Machine {
  const { versions, platform, arch } = process;
  const runtime = "deno" in versions ? `Deno ${versions.deno}` : `Node ${versions.node}`;
  return {
    versions: `${runtime}, ${platform} ${arch}`,
    wire,
    folderProblem: problemOf(home),
    free: roomIn(home),
    descriptorProblem: descriptorWarning(),
  };
}

function problemOf(home: string): string | undefined {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    accessSync(home, constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `folder: ${home} cannot be used: ${sentence(error)}`;
  }
}

function roomIn(home: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(home);
    return Number(bavail) * Number(bsize);
  } catch {
    return undefined;
  }
}
