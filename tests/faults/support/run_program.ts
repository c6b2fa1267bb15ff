/** One of zgroup's own programs, run to its end. */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What a program said and how it ended. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
}

/** Runs `group.ts`, `user.ts` or `registry.ts` with arguments, for at most a minute. */
export async function runProgram(file: string, ...args: string[]): Promise<Ended> {
  const path = fileURLToPath(new URL(`../../../${file}`, import.meta.url));
  const runtime = "Deno" in globalThis ? ["run", "-A"] : [];
  const child = spawn(process.execPath, [...runtime, path, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    timeout: 60_000,
  });
  let output = "";
  child.stdout.on("data", (data) => output += data);
  child.stderr.on("data", (data) => output += data);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, output };
}
