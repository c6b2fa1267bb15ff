import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { executable, HERE, programCommand, type Runtime } from "../runtimes.ts";
import { closing } from "../support.ts";
import { Process } from "./processes.ts";
import { ENGINES, type Engines, Folder, over } from "./world.ts";

const OTHER: Runtime = HERE === "deno" ? "node" : "deno";
const there = await executable(OTHER);

/** A program with a folder of its own, on this runtime or the other. */
function start(
  runtime: Runtime,
  program: "registry" | "group" | "user",
  home: string,
  { servers, users }: Engines,
) {
  return (...args: string[]) => {
    const path = runtime === HERE ? process.execPath : there!;
    const running = new Process([...programCommand(program, runtime, path), ...args], {
      env: { ZGROUP_HOME: home, ZGROUP_TRANSPORT: program === "user" ? users : servers },
    });
    running.finish();
    return running;
  };
}

/** Texts of the messages among lines of JSON. */
function texts(output: string): string[] {
  return output.trim().split("\n").map((line) => JSON.parse(line))
    .filter(({ kind }) => kind === "message").map(({ text }) => text);
}

for (const engines of [ENGINES[0], ENGINES[3]]) {
  test(`mixed: a group on Deno with users on Node, and the other way round${over(engines)}`, {
    skip: there === undefined ? `this machine has no ${OTHER}` : false,
  }, () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const registry = keep(
        start(OTHER, "registry", join(path, "registry"), engines)("--port", "0"),
      );
      const [, address] = /on (\S+)/.exec(await registry.line(/listens on/))!;
      const known = ["--registry", address];

      for (const [groupRuntime, userRuntime] of [["deno", "node"], ["node", "deno"]] as const) {
        const name = `On ${groupRuntime}`;
        const folder = join(path, groupRuntime);
        const group = start(groupRuntime, "group", join(folder, "group"), engines);
        await keep(group(name, "127.0.0.1:0", ...known)).line(/listens on/);

        const user = (runtime: Runtime) => start(runtime, "user", join(folder, runtime), engines);
        const command = async (runtime: Runtime, ...args: string[]) => {
          const running = keep(user(runtime)(...args, ...known, "--name", runtime));
          assert.equal((await running.end(20_000)).code, 0, running.output);
          return running.output;
        };
        await command(userRuntime, "join", name);
        const follower = keep(
          user(userRuntime)("follow", name, "--after", "0", "--json", ...known),
        );
        await follower.line(/"kind":"join"/);
        await command(groupRuntime, "join", name);
        const all = [`from ${groupRuntime}: é`, `from ${userRuntime}: 한`];
        await command(groupRuntime, "send", name, all[0]);
        await command(userRuntime, "send", name, all[1]);

        const live = [await follower.line(/"message"/), await follower.line(/"message"/)];
        assert.deepEqual(texts(live.join("\n")), all, "live");
        for (const runtime of [groupRuntime, userRuntime]) {
          assert.deepEqual(texts(await command(runtime, "read", name, "--json")), all, runtime);
        }
      }
    }));
}
