/** What this machine gives a program: versions, a folder to write in, room, descriptors. */

import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import type { Machine } from "../cli/program.ts";
import { sentence } from "../errors.ts";
import { descriptorWarning } from "./descriptors.ts";

/** Looks at this machine, for the folder `home`. */
export function machineFor(home: string, wire: string): Omit<Machine, "hasUser" | "problems"> {
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
    accessSync(existing(home), constants.R_OK | constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return `folder: ${home} cannot be used: ${sentence(error)}`;
  }
}

/** The folder, or the one above it in which it would be made. */
function existing(folder: string): string {
  const path = resolve(folder);
  return existsSync(path) || path === dirname(path) ? path : existing(dirname(path));
}

function roomIn(home: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(existing(home));
    return Number(bavail) * Number(bsize);
  } catch {
    return undefined;
  }
}
