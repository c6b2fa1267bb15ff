/** A copy of the project with a defect put into it, and whether a fault program finds it. */

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** A defect: a piece of a file, and what stands there instead. */
export interface Mutation {
  /** The program in `tests/faults/` that must find it. */
  readonly fault: string;
  readonly what: string;
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** How a fault program ended on a defect. */
interface Outcome {
  /** The first line that says so; undefined when it found nothing. */
  readonly violation: string | undefined;
  /** How it ended, in words. */
  readonly end: string;
}

/** The project's folder. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** What the programs and their tests consist of. */
const COPIED = [
  "OPERATE.md",
  "deno.json",
  "deno.lock",
  "group.ts",
  "lib",
  "mod.ts",
  "registry.ts",
  "tests",
  "user.ts",
];
/** A fault program that takes longer is stopped, ms; and killed after some more. */
const ENDS_WITHIN = 180_000;
const STOPS_WITHIN = 10_000;

/** Why a defect cannot be made any more in the sources below `root`; undefined when it can. */
export function staleness(
  root: string,
  { fault, what, file, find }: Mutation,
): string | undefined {
  const times = readFileSync(join(root, file), "utf8").split(find).length - 1;
  return times === 1 ? undefined : `${fault}: "${what}": its text stands ${times} times in ${file}`;
}

/** One copy of the project, mended after each defect. */
export class Mutant {
  /** Goes away with {@linkcode close}. */
  readonly folder: string = mkdtempSync(join(tmpdir(), "zgroup-mutant-"));
  readonly #temporary = join(this.folder, "tmp");
  #pid: number | undefined;

  constructor() {
    chmodSync(this.folder, 0o755); // Servers of PostgreSQL run as another account.
    for (const name of COPIED) {
      cpSync(join(ROOT, name), join(this.folder, name), { recursive: true });
    }
    symlinkSync(join(ROOT, "node_modules"), join(this.folder, "node_modules"), "dir");
    mkdirSync(this.#temporary);
  }

  /** Runs a fault program on a defect. @throws {Error} the result is no program */
  async run(mutation: Mutation, args: readonly string[]): Promise<Outcome> {
    const path = join(this.folder, mutation.file);
    const whole = readFileSync(path, "utf8");
    writeFileSync(path, whole.split(mutation.find).join(mutation.replace));
    try {
      this.#check(mutation);
      return await this.#fault(mutation.fault, args);
    } finally {
      writeFileSync(path, whole);
    }
  }

  /** A defect must be found by what it does: one that does not compile shows nothing. */
  #check({ fault, what, file }: Mutation): void {
    const checked = spawnSync(process.execPath, ["check", "--quiet", join(this.folder, file)], {
      cwd: this.folder,
      encoding: "utf8",
    });
    if (checked.status !== 0) throw new Error(`${fault}: "${what}": ${checked.stderr}`);
  }

  async #fault(name: string, args: readonly string[]): Promise<Outcome> {
    const file = join(this.folder, "tests", "faults", `${name}.ts`);
    // A process group of its own, so that what it started ends with it.
    const child = spawn(process.execPath, ["run", "-A", file, ...args], {
      cwd: this.folder,
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
      env: {
        ...process.env,
        TMPDIR: this.#temporary,
        NO_COLOR: "1",
        DENO_NO_UPDATE_CHECK: "1",
      },
    });
    this.#pid = child.pid;
    let output = "";
    child.stdout!.on("data", (data) => output += data);
    let late = false;
    const stop = () => {
      late = true;
      this.#signal("SIGTERM");
    };
    const timers = [
      setTimeout(stop, ENDS_WITHIN),
      setTimeout(() => this.#signal("SIGKILL"), ENDS_WITHIN + STOPS_WITHIN),
    ];
    const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
    for (const timer of timers) clearTimeout(timer);
    this.#signal("SIGKILL");
    this.#pid = undefined;
    const skipped = /^skipped: .*/m.exec(output)?.[0];
    return {
      violation: /^VIOLATION: .*/m.exec(output)?.[0],
      end: late ? `not done in ${ENDS_WITHIN / 1_000} s` : skipped ?? `ended with ${code}`,
    };
  }

  /** To the fault program and all that it started. */
  #signal(signal: NodeJS.Signals): void {
    try {
      if (this.#pid) process.kill(-this.#pid, signal);
    } catch (error) {
      if ((error as { code?: string }).code !== "ESRCH") throw error;
    }
  }

  /** Ends what runs, and removes the copy. */
  close(): void {
    this.#signal("SIGKILL");
    unmountAll(this.folder);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A fault program that was killed may have left a file system of its own. */
function unmountAll(folder: string): void {
  if (process.platform !== "linux") return;
  for (const line of readFileSync("/proc/self/mounts", "utf8").split("\n")) {
    const [, place = ""] = line.split(" ");
    if (place.startsWith(folder)) spawnSync("umount", ["-l", place]);
  }
}
