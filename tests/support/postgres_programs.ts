/** The programs of PostgreSQL: where they are, and the account that runs them. */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** What a cluster is made with. */
const PROGRAMS = ["initdb", "postgres", "pg_basebackup", "pg_rewind"];
/** Where Debian keeps them, a folder a version. */
const DEBIAN = "/usr/lib/postgresql";

/** Who runs servers: the account `postgres` where this process is root, which they refuse; else us. */
interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** Why no server can be run here; undefined where it can. */
export function unavailable(): string | undefined {
  if (process.platform !== "linux") return "the servers of PostgreSQL are run on Linux only";
  if (!folderOfPrograms()) return `PostgreSQL is not installed (${PROGRAMS.join(", ")})`;
  if (process.getuid!() === 0 && account().uid === undefined) {
    return "no account postgres to run it";
  }
  return undefined;
}

/** See {@linkcode Account}. */
export function account(): Account {
  if (process.getuid?.() !== 0) return {};
  const row = readFileSync("/etc/passwd", "utf8").split("\n")
    .find((line) => line.startsWith("postgres:"));
  if (!row) return {};
  const [, , uid, gid] = row.split(":");
  return { uid: Number(uid), gid: Number(gid) };
}

/** The command line that runs another one as that account, with the pid that is started. */
export function asAccount(command: readonly string[]): readonly string[] {
  const { uid, gid } = account();
  if (uid === undefined || gid === undefined) return command;
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", ...command];
}

let folder: string | undefined;

function folderOfPrograms(): string | undefined {
  if (folder !== undefined) return folder;
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN) : [];
  const candidates = [
    ...versions.sort((a, b) => Number(b) - Number(a)).map((version) =>
      join(DEBIAN, version, "bin")
    ),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  return folder = candidates.find((path) => PROGRAMS.every((name) => existsSync(join(path, name))));
}

/** The path of a program. */
export function program(name: string): string {
  return join(folderOfPrograms()!, name);
}

/** Runs a program to its end. @throws {Error} with what it said */
export async function run(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const child = spawn(program(name), args, {
    ...account(),
    cwd: "/",
    env: { ...process.env, LC_ALL: "C", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => said += text);
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${name} failed (${code}): ${said}`);
}
