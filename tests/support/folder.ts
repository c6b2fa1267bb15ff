/** A temporary folder that goes away with what is in it. */

import { cpSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const folders = new Set<Folder>();
process.on("exit", () => {
  for (const folder of folders) folder.remove();
});

/** See the head of this file; gone when it is disposed, or with the process. */
export class Folder implements AsyncDisposable {
  readonly path: string = mkdtempSync(join(tmpdir(), "zgroup-test-"));

  constructor() {
    folders.add(this);
  }

  remove(): void {
    folders.delete(this);
    rmSync(this.path, { recursive: true, force: true });
  }

  // deno-lint-ignore require-await -- the interface is asynchronous
  async [Symbol.asyncDispose](): Promise<void> {
    this.remove();
  }
}

/** Copies a folder with all that is in it, but sockets, which cannot be copied. */
export function copyFolder(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
}
