/** start: how long a person waits for a group to be ready, and for a command to be done. */

import { must } from "../../scripts/run_command.ts";
import { Folder } from "../../tests/support/folder.ts";
import { compare, type Result } from "../results.ts";
import { rounds } from "../rounds.ts";
import { deno, NAME, type SideName, startSide } from "../servers.ts";
import type { Setting } from "../setting.ts";
import type { Tree } from "../trees.ts";

/** See the head of this file; milliseconds. */
export async function* start(setting: Setting): AsyncGenerator<Result> {
  setting.progress("start");
  const names: SideName[] = ["ours", ...(setting.before ? ["before" as const] : [])];
  yield* await ready(setting, names);
  yield* await commands(setting, names);
}

async function ready(setting: Setting, names: readonly SideName[]): Promise<Result[]> {
  const nats = setting.peers.filter((peer) => peer === "nats");
  const sides = [...names, ...nats].map((name) => ({
    name,
    async measure() {
      await using service = await startSide(name, setting.before);
      return service.startedIn;
    },
  }));
  await rounds(sides, 1); // warms up the machine's caches
  const figures = await rounds(sides, setting.rounds);
  return compare("start group to ready", "ms", figures, {}, { lowerIsBetter: true });
}

async function commands(setting: Setting, names: readonly SideName[]): Promise<Result[]> {
  await using stack = new AsyncDisposableStack();
  const users = [];
  for (const name of names) {
    const tree = name === "before" ? setting.before : undefined;
    const service = stack.use(await startSide(name, setting.before));
    const { path } = stack.use(new Folder());
    const options = ["--registry", service.address, "--home", path];
    const user = (...words: string[]) => command(tree, [...words, ...options]);
    await user("join", NAME);
    users.push({ name, user });
  }
  const found: Result[] = [];
  for (const words of [["send", NAME, "hi"], ["list"]]) {
    const sides = users.map(({ name, user }) => ({ name, measure: () => user(...words) }));
    await rounds(sides, 1);
    const figures = await rounds(sides, setting.rounds);
    const row = `start user.ts ${words[0]}`;
    found.push(...compare(row, "ms", figures, {}, { lowerIsBetter: true }));
  }
  return found;
}

/** Runs one command of a tree's `user.ts`; how long that took, ms. */
async function command(tree: Tree | undefined, words: readonly string[]): Promise<number> {
  const command = deno("user.ts", words, { ...(tree ? { tree } : {}) });
  const begin = performance.now();
  await must(command, { cwd: "." });
  return performance.now() - begin;
}
