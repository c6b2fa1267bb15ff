/** How this program was started: to start another process of it, and to tell a person what to type. */

import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Rights that the servers need where there are rights. */
const RIGHTS = ["net", "read", "write", "env", "sys"].map((name) => `--allow-${name}`);

/** Options before the script that are for one process only. */
const OWN = /^--(watch|inspect|coverage|hmr)/;

/** A process to be started. */
interface Started {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
}

/** The script of this program, `import.meta.url` as `url`, once more, on the same runtime. */
export function again(url: string, words: readonly string[]): Started {
  const isFile = url.startsWith("file:");
  const script = isFile ? fileURLToPath(url) : url;
  const before = "deno" in process.versions
    ? ["run", ...optionsOfDeno(script)]
    : [...process.execArgv, "--disable-warning=ExperimentalWarning"];
  return {
    file: process.execPath,
    args: [...before, script, ...words],
    // Not where somebody happened to be: that folder may go.
    ...(isFile ? { cwd: dirname(script) } : {}),
  };
}

/** The options that were given to Deno; where nobody tells, those that are needed. */
function optionsOfDeno(script: string): string[] {
  try {
    const [, run, ...rest] = readFileSync("/proc/self/cmdline", "utf8").split("\0");
    const end = rest.findIndex((word) => word === script || resolve(word) === script);
    if (run === "run" && end >= 0) return rest.slice(0, end).filter((word) => !OWN.test(word));
  } catch {
    // Another system, or no right to look.
  }
  return RIGHTS;
}

/** What of a process tells how a person started it. */
export interface Way {
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly argv: readonly string[];
}

/** What a person types to run a command of the user program, in the form that was used here. */
export function typed(command: string, { versions, env, argv }: Way = process): string {
  const isNpx = env.npm_lifecycle_event === "npx";
  const script = (argv[1] ?? "").split(/[\\/]/).at(-1) ?? "";
  if (versions.deno) {
    // A task, and every program under npx, is told where it was started.
    if (!env.INIT_CWD) return `deno run -A ${script} ${command}`;
    const deno = isNpx ? `npx -y deno@${versions.deno}` : "deno";
    return `${deno} task ${command.startsWith("start") ? "" : "user "}${command}`;
  }
  if (script.endsWith(".ts")) return `node --experimental-strip-types ${script} ${command}`;
  if (!isNpx) return `zgroup ${command}`;
  const packages = (env.npm_config_package ?? "").split(/\s+/).filter(Boolean);
  return `npx -y ${packages.map((name) => `-p ${name} `).join("")}zgroup ${command}`;
}
