/** Keys on disk: made on the first start, readable by their owner alone. */

import { linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { FolderUnusable } from "../errors.ts";
import { randomToken } from "./keys.ts";

/**
 * The JSON object of a file, made by `make` when there is none. Two programs that make it at the
 * same time get the same one. The file has mode 0600, its new folders 0700.
 *
 * @throws {FolderUnusable} the file cannot be read, written or parsed
 */
export function loadOrMake<T extends object>(path: string, make: () => T): T {
  return load<T>(path) ?? makeOnce(path, make);
}

/** The JSON object of a file; undefined when there is no file. @throws {FolderUnusable} */
export function load<T extends object>(path: string): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as { code?: string }).code === "ENOENT") return undefined;
    throw new FolderUnusable(`Cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new FolderUnusable(
      `Cannot read ${path}: it is not JSON; put a copy of it back, or move it away to start anew`,
      { cause },
    );
  }
}

function makeOnce<T extends object>(path: string, make: () => T): T {
  const temporary = `${path}.${randomToken(6)}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, JSON.stringify(make(), null, 2) + "\n", { mode: 0o600, flush: true });
    try {
      linkSync(temporary, path); // Fails when another program was first; then its file counts.
    } catch (cause) {
      if ((cause as { code?: string }).code !== "EEXIST") throw cause;
    } finally {
      unlinkSync(temporary);
    }
  } catch (cause) {
    throw new FolderUnusable(`Cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
  return load<T>(path)!;
}
