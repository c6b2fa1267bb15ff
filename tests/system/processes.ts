/** Our programs as processes of the runtime that the test runs on. */

import process from "node:process";
import { fileURLToPath } from "node:url";

export { Process } from "../support/process.ts";

/** The folder of the project. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The command that runs one of our scripts on the runtime of this test. */
export function ours(script: string, ...args: string[]): string[] {
  const path = fileURLToPath(new URL(script, `file://${ROOT}`));
  if ("Deno" in globalThis) return [process.execPath, "run", "-A", path, ...args];
  const typescript = (process.features as { typescript?: unknown }).typescript;
  const strip = typescript ? [] : ["--experimental-strip-types"];
  return [process.execPath, ...strip, path, ...args];
}
