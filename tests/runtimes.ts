/** Deno and Node: where they are, and how each starts our programs. */

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What runs a program. */
export type Runtime = "deno" | "node";

/** What runs this test. */
export const HERE: Runtime = "Deno" in globalThis ? "deno" : "node";

const BESIDE = fileURLToPath(new URL("../", import.meta.url));

/** The folder of the sources, also when `scripts/test_node.ts` tests their package elsewhere. */
export const SOURCES: string = process.env.ZGROUP_TEST_SOURCES ?? BESIDE;

/** The executable of a runtime; undefined when this machine has none. */
export async function executable(runtime: Runtime): Promise<string | undefined> {
  if (runtime === HERE) return process.execPath;
  if (runtime === "node") {
    return await outputOf("npx", ["-y", "-p", "node@24", "node", "-p", "process.execPath"]);
  }
  // Nothing more than its version: Deno would rearrange the node_modules of the folder it is in.
  const deno = process.env.ZGROUP_TEST_DENO ?? "deno";
  return await outputOf(deno, ["--version"]) && deno;
}

/** The first line a command says; undefined when it fails. */
function outputOf(file: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(file, args, { timeout: 60_000 }, (error, stdout) => {
      resolve(error ? undefined : stdout.split("\n")[0]);
    });
  });
}

/**
 * The command line of a program: on Deno from the sources, on Node the installed one where
 * `scripts/test_node.ts` has installed it, else from the sources.
 */
export function programCommand(
  program: "registry" | "group" | "user",
  runtime: Runtime,
  executable: string,
): string[] {
  const source = join(SOURCES, `${program}.ts`);
  if (runtime === "deno") return [executable, "run", "-A", source];
  const bin = join(BESIDE, "node_modules", "zgroup", "bin", `zgroup_${program}.js`);
  if (existsSync(bin)) return [executable, bin];
  return [
    executable,
    "--experimental-strip-types",
    "--disable-warning=ExperimentalWarning",
    "--disable-warning=MODULE_TYPELESS_PACKAGE_JSON",
    source,
  ];
}

/** What sentences call the group's program: in the package by its command. */
export const GROUP_PROGRAM: string = SOURCES === BESIDE ? "group.ts" : "zgroup group";
