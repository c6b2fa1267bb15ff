/** The file of a registry's key. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { load, loadOrMake } from "../disk/files.ts";
import { FolderUnusable } from "../errors.ts";
import { newSigningKey } from "../identity/keys.ts";
import { keptProblem, type KeyFile } from "../protocol/kept.ts";

const WAY_OUT = "put a copy of it back, or move the folder away to start a registry with another " +
  "key, which all who know this one must trust anew";

const EXPECTED = {
  problem: (value: unknown) => keptProblem("keyFile", value),
  wayOut: WAY_OUT,
};

/** The key of a registry's folder, made at its first start. @throws {FolderUnusable}; {DiskFull} */
export function keyFile(folder: string): KeyFile {
  checkKeyFile(folder);
  const make = () => ({ secretKey: newSigningKey().secretKey });
  return loadOrMake(join(folder, "key.json"), make, EXPECTED);
}

/** @throws {FolderUnusable} the key is not what was written, or missing where there are names */
export function checkKeyFile(folder: string): void {
  const file = join(folder, "key.json");
  if (load(file, EXPECTED) !== undefined || !existsSync(join(folder, "names.db"))) return;
  if (load(file, EXPECTED) !== undefined) return; // Another program was first.
  throw new FolderUnusable(`Cannot use the folder ${folder}: key.json is missing; ${WAY_OUT}`);
}
