/** Libraries in C that are loaded before a program, to make its system calls misbehave. */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type Fault, Skipped } from "./fault.ts";

/**
 * Compiles `preload/NAME.c`; the environment that makes a child load it.
 *
 * @throws {Skipped} not Linux, or there is no C compiler
 */
export function preload(fault: Fault, name: string): Record<string, string> {
  if (process.platform !== "linux") throw new Skipped("LD_PRELOAD as used here needs Linux");
  const source = fileURLToPath(new URL(`../preload/${name}.c`, import.meta.url));
  const library = join(fault.folder, `${name}.so`);
  const built = spawnSync("cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], {
    encoding: "utf8",
  });
  if (built.error) throw new Skipped(`no C compiler: ${built.error.message}`);
  if (built.status !== 0) throw new Error(`cc ${name}.c: ${built.stderr}`);
  return { LD_PRELOAD: library };
}
