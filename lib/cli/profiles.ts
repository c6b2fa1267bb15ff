/**
 * Which folder `start` works in: the home itself, or `profiles/N` in it while the home is in use
 * by another `start`. A lock is a file with the process that holds it; it is free again when that
 * process has ended, however it ended.
 */

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { FolderUnusable } from "../errors.ts";
import { checkedName } from "./group_program.ts";

/** Most profiles that are tried. */
const MOST = 99;

/** A folder that is ours until `release`. */
export interface Profile {
  readonly folder: string;
  /** What tells its user from the first one: `-2`, or empty. */
  readonly suffix: string;
  release(): Promise<void>;
}

/** Takes the first free profile of a home, or the named one. @throws {FolderUnusable} */
export async function takeProfile(home: string, name?: string): Promise<Profile> {
  if (name !== undefined) {
    const profile = await take(join(home, "profiles", encodeURIComponent(checkedName(name))), "");
    if (profile) return profile;
    throw new FolderUnusable(
      `Cannot use the profile "${name}": another program uses it, choose another --profile`,
    );
  }
  for (let n = 1; n <= MOST; n++) {
    const folder = n === 1 ? home : join(home, "profiles", String(n));
    const profile = await take(folder, n === 1 ? "" : `-${n}`);
    if (profile) return profile;
  }
  throw new FolderUnusable(`Cannot start: all ${MOST} profiles of ${home} are in use`);
}

async function take(folder: string, suffix: string): Promise<Profile | undefined> {
  const file = join(folder, "start.lock");
  const own = `${process.pid} ${await bootMark()}\n`;
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((cause) => {
    throw new FolderUnusable(`Cannot use the folder ${folder}: it cannot be made`, { cause });
  });
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await writeFile(file, own, { flag: "wx", mode: 0o600 });
      return { folder, suffix, release: () => rm(file, { force: true }) };
    } catch (cause) {
      if ((cause as { code?: string }).code !== "EEXIST") {
        throw new FolderUnusable(`Cannot use the folder ${folder}: it cannot be written`, {
          cause,
        });
      }
    }
    const holder = await readFile(file, "utf8").catch(() => "");
    if (await isHeld(holder)) return undefined;
    // Moved and not removed: of two who find it stale, one moves it and the other finds nothing.
    const stale = `${file}.${process.pid}`;
    await rename(file, stale).then(() => rm(stale, { force: true }), () => {});
  }
  return undefined;
}

/** Whether the process of a lock runs: the same boot of the machine, and the pid is alive. */
async function isHeld(holder: string): Promise<boolean> {
  const [, pid, boot] = /^(\d+) (\S+)\n$/.exec(holder) ?? [];
  if (pid === undefined || Number(pid) === process.pid) return false;
  if (boot !== await bootMark()) return false;
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM";
  }
}

/** Differs after a restart of the machine, where the system tells; pids begin anew then. */
async function bootMark(): Promise<string> {
  const id = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  return id.trim() || "-";
}
