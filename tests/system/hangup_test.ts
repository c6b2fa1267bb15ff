/** What the programs do when their terminal goes away. */

import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { startedIgnoringHangup } from "../../lib/run/hangup.ts";
import { connect, Group } from "../../mod.ts";
import { closing } from "../support.ts";
import { ours, Process } from "./processes.ts";
import { Folder } from "./world.ts";

const skip = process.platform === "win32" && "there is no SIGHUP";

/** A command line for a shell. */
function quoted(command: readonly string[]): string {
  return command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(" ");
}

/**
 * Ways to start a program that outlasts its terminal. Node undoes what it inherits, so that only
 * nohup itself and an ignoring parent are known there.
 */
const IGNORING: Readonly<Record<string, (command: readonly string[]) => string[]>> = {
  "nohup of bash": (command) => ["bash", "-c", `nohup ${quoted(command)} & echo $! >&2; wait $!`],
  "a shell that ignores it and waits": (command) => [
    "sh",
    "-c",
    `trap '' HUP; ${quoted(command)} & echo $! >&2; wait $!`,
  ],
  ..."Deno" in globalThis
    ? {
      "a shell that ignores it and is replaced": (command: readonly string[]) => [
        "sh",
        "-c",
        `echo $$ >&2; trap '' HUP; exec ${quoted(command)}`,
      ],
    }
    : {},
};

/** The process that a shell says it started. */
function childOf(shell: Process): number {
  return Number(/^(\d+)$/m.exec(shell.errors)![1]);
}

for (const [way, started] of Object.entries(IGNORING)) {
  test(
    `the three programs outlast a SIGHUP when they are started by ${way}`,
    { skip },
    () =>
      closing(async (keep) => {
        const { path } = keep(new Folder());
        const group = keep(await Group.start({ name: "Lab", unlisted: true }));
        const own = ["--home", path];
        const programs: [string[], RegExp][] = [
          [ours("registry.ts", "--port", "0", ...own), /listens on/],
          [ours("group.ts", "Loo", "127.0.0.1:0", "--unlisted", ...own), /listens on/],
          [ours("user.ts", "follow", group.address, ...own), /first$/],
        ];
        const user = keep(await connect({ registries: [] }));
        await user.join(group.address);
        const joining = keep(new Process(ours("user.ts", "join", group.address, ...own)));
        joining.finish();
        assert.equal((await joining.end(15_000)).code, 0, joining.output);
        await user.send("Lab", "first");
        for (const [command, ready] of programs) {
          const all = command.includes("follow") ? [...command, "--after", "0"] : command;
          const shell = keep(new Process(started(all)));
          try {
            await shell.line(ready);
            process.kill(childOf(shell), "SIGHUP");
            if (command.includes("follow")) {
              await user.send("Lab", "second");
              await shell.line(/second$/);
            }
            // One that was ending would end at once with 130.
            process.kill(childOf(shell), "SIGTERM");
            assert.equal((await shell.end(10_000)).code, 0, shell.output);
          } finally {
            try {
              process.kill(childOf(shell), "SIGKILL");
            } catch {
              // It has ended.
            }
          }
        }
      }),
  );
}

test(
  "the three programs end well at a SIGHUP that nobody told them to ignore",
  { skip: skip || (startedIgnoringHangup() && "the tests were told to ignore it, as by nohup") },
  () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const group = keep(await Group.start({ name: "Lab", unlisted: true }));
      const own = ["--home", path];
      const joining = keep(new Process(ours("user.ts", "join", group.address, ...own)));
      joining.finish();
      assert.equal((await joining.end(15_000)).code, 0, joining.output);
      const programs: [string[], RegExp, number][] = [
        [ours("registry.ts", "--port", "0", ...own), /listens on/, 0],
        [ours("group.ts", "Loo", "127.0.0.1:0", "--unlisted", ...own), /listens on/, 0],
        [ours("user.ts", "follow", group.address, "--after", "0", ...own), /joined|Lab/, 0],
      ];
      for (const [command, ready, wanted] of programs) {
        const program = keep(new Process(command));
        await program.line(ready);
        program.signal("SIGHUP");
        assert.deepEqual(await program.end(10_000), { code: wanted, signal: null }, program.output);
        assert.equal(program.errors, "");
      }
    }),
);
