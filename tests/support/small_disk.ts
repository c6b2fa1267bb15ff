/** A file system that can be full. */

import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** A file system of its own, in memory; gone when it is disposed. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  /** Why there is none here. */
  readonly problem: string | undefined;

  /** @param path a folder that is made @param size such as `2m` */
  constructor(path: string, size: string) {
    this.path = path;
    mkdirSync(path);
    this.problem = process.platform !== "linux"
      ? "a file system of its own needs Linux"
      : spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "none", path]).status !== 0
      ? "mounting a tmpfs needs root"
      : undefined;
  }

  remove(): void {
    if (this.problem === undefined) spawnSync("umount", ["-l", this.path]);
  }

  // deno-lint-ignore require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    this.remove();
  }
}

/** A file that takes all the room there is in a folder. */
export function fill(folder: string, name: string): string {
  const file = join(folder, name);
  const fd = openSync(file, "w");
  try {
    for (let size = 65_536; size > 0; size = Math.floor(size / 2)) {
      try {
        while (writeSync(fd, new Uint8Array(size)) === size);
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOSPC") throw error;
      }
    }
  } finally {
    closeSync(fd);
  }
  return file;
}
