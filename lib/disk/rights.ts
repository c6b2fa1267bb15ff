/** Why a path cannot be used: whose it is, and what to do about it. */

import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, resolve } from "node:path";
import process from "node:process";

/** What is wanted of a path. */
export type Wanted = "read" | "write";

/**
 * Why this process may not read or write what is at a path, and the way out; undefined where
 * nothing is there, or rights are no obstacle.
 */
export function rightsProblem(path: string, ...wanted: readonly Wanted[]): string | undefined {
  for (const want of wanted) {
    const code = refusal(path, want === "read" ? constants.R_OK : constants.W_OK);
    if (code === "EROFS") {
      return `${path} is on a file system that is mounted read-only; make it writable`;
    }
    if (code === "EACCES" || code === "EPERM") return problemOf(path, want);
  }
  return undefined;
}

/** The sentence about what stands in the way: a folder above that may not be entered, or the path. */
function problemOf(path: string, want: Wanted): string {
  const above = foldersAbove(path).find((folder) => refusal(folder, constants.X_OK));
  const [place, what] = above === undefined ? [path, want] : [above, "enter"];
  const owner = ownerOf(place);
  const me = userName(process.getuid?.());
  if (owner === undefined) return `${me} may not ${what} ${place}; give ${me} the right to`;
  const out = owner === me
    ? `give the right back with chmod u+rwX`
    : `do it as ${owner}, with sudo -u ${owner}`;
  return `${place} belongs to ${owner}, and ${me} may not ${what} it; ${out}`;
}

/** The code of the error with which an access is refused. */
function refusal(path: string, mode: number): unknown {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
}

/** From the root down. */
function foldersAbove(path: string): string[] {
  const above = dirname(resolve(path));
  return above === resolve(path) ? [] : [...foldersAbove(above), above];
}

function ownerOf(path: string): string | undefined {
  try {
    return userName(statSync(path).uid);
  } catch {
    return undefined;
  }
}

/** A user's name, else its number as sudo takes it. */
function userName(uid: number | undefined): string {
  try {
    if (uid === undefined || uid === process.getuid?.()) return userInfo().username;
    const line = readFileSync("/etc/passwd", "utf8").split("\n")
      .find((line) => line.split(":")[2] === String(uid));
    if (line) return line.split(":")[0];
  } catch {
    // Its number will do.
  }
  return uid === undefined ? "this user" : `#${uid}`;
}
