/** The installed programs, as a person runs them. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Node, npmInstall, withNode } from "./node_app.ts";
import { freePort } from "../tests/support/port.ts";
import { type Ended, run } from "./run_command.ts";

interface Expected {
  readonly args: readonly string[];
  readonly code?: number;
  readonly input?: string;
  /** Standard output. */
  readonly says?: RegExp;
  /** Standard error; nothing by default. */
  readonly complains?: RegExp;
}

const HELP = /^Usage: zgroup \w+.*\n[^]*--home DIR/;
const VERSION = /^zgroup \d+\.\d+\.\d+\n$/;
const NOTHING = /^$/;

const CASES: Readonly<Record<string, readonly Expected[]>> = {
  "zgroup": [
    {
      args: [],
      says: /zgroup start[^]*zgroup user[^]*zgroup group[^]*zgroup registry[^]*talk +send/,
    },
    { args: ["--help"], says: /zgroup start/ },
    { args: ["--version"], says: VERSION },
    { args: ["registry", "--help"], says: HELP },
    { args: ["group", "--version"], says: VERSION },
    { args: ["user", "help"], says: HELP },
    { args: ["help", "send"], says: /^Usage: zgroup user send [^]*\nExample: zgroup user send / },
    { args: ["read", "--help"], says: /^Usage: zgroup user read / },
    { args: ["help", "group"], says: HELP },
    { args: ["dance"], code: 2, complains: /^FAILED: Cannot run "dance"/ },
    { args: ["group", "Lab"], code: 2, complains: /^FAILED: .*\nSee zgroup group --help\n$/ },
  ],
  "zgroup-registry": [
    { args: ["--help"], says: HELP },
    { args: ["--version"], says: VERSION },
    { args: ["--port", "x"], code: 2, complains: /^FAILED: Cannot use --port x/ },
  ],
  "zgroup-group": [
    { args: ["--help"], says: HELP },
    { args: ["--version"], says: VERSION },
    { args: ["Lab", "nowhere"], code: 2, complains: /^FAILED: Cannot use/ },
  ],
  "zgroup-user": [
    { args: ["--help"], says: HELP },
    { args: ["--version"], says: VERSION },
    { args: ["--bogus"], code: 2, complains: /^FAILED: Cannot use --bogus/ },
  ],
};

/** Runs every program of an app's packages on this Node, then a talk. @throws {Error} */
export async function checkPrograms(app: string, node: Node): Promise<void> {
  const bins = join(app, "node_modules", ".bin");
  let count = 0;
  for (const [name, cases] of Object.entries(CASES)) {
    for (const expected of cases) {
      await check(join(bins, name), expected, node, app);
      count++;
    }
  }
  await check(join(bins, "zgroup"), await talk(), node, app);
  console.log(`Node ${node.version}: ${count + 1} command lines answer as they should`);
}

/** Installs the package for all programs of a machine, here of a folder, and runs it. */
export async function checkGlobalInstall(folder: string, node: Node, archive: string) {
  mkdirSync(folder);
  await npmInstall(folder, node, ["--global", `--prefix=${folder}`, archive]);
  await check(join(folder, "bin", "zgroup"), { args: ["--version"], says: VERSION }, node, folder);
  await check(join(folder, "bin", "zgroup"), await talk(), node, folder);
  console.log("npm install --global: zgroup start talks");
}

/** A registry, a group and a user in one. */
async function talk(): Promise<Expected> {
  return {
    args: ["start", "--port", `${await freePort()}`, "--name", "alice"],
    input: "send_message Lobby hello from Node\nget_messages Lobby\nexit\n",
    says: /SUCCESS[^]*\] alice: hello from Node\n/,
  };
}

async function check(bin: string, expected: Expected, node: Node, folder: string): Promise<void> {
  const { args, code = 0, input = "", says = NOTHING, complains = NOTHING } = expected;
  const env = { ...withNode(node), ZGROUP_HOME: join(folder, `home-${node.version}`) };
  const ended = await run([bin, ...args], { cwd: folder, env, input, limit: 20_000 });
  if (ended.code === code && says.test(ended.stdout) && complains.test(ended.stderr)) return;
  throw new Error(`Cannot accept ${bin} ${args.join(" ")} on Node ${node.version}: ${how(ended)}`);
}

function how({ code, stdout, stderr, late }: Ended): string {
  return `${late ? "not done in time" : `exit code ${code}`}\n${stdout}---\n${stderr}`;
}
