/** What the programs do when their terminal goes away. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { startedIgnoringHangup } from "../../lib/run/hangup.ts";
import { connect, Group } from "../../mod.ts";
import { closing, until } from "../support.ts";
import { NO_TERMINAL, Terminal } from "../support/terminal.ts";
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
  "a user's program ends well at a SIGHUP that nobody told it to ignore, and servers go on",
  { skip: skip || (startedIgnoringHangup() && "the tests were told to ignore it, as by nohup") },
  () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const group = keep(await Group.start({ name: "Lab", unlisted: true }));
      const own = ["--home", path];
      const joining = keep(new Process(ours("user.ts", "join", group.address, ...own)));
      joining.finish();
      assert.equal((await joining.end(15_000)).code, 0, joining.output);
      const follow = ours("user.ts", "follow", group.address, "--after", "0", ...own);
      const user = keep(new Process(follow));
      await user.line(/joined|Lab/);
      user.signal("SIGHUP");
      assert.deepEqual(await user.end(10_000), { code: 0, signal: null }, user.output);
      const servers = [
        ours("registry.ts", "--port", "0", ...own),
        ours("group.ts", "Loo", "127.0.0.1:0", "--unlisted", ...own),
      ];
      for (const command of servers) {
        const server = keep(new Process(command));
        await server.line(/listens on/);
        server.signal("SIGHUP");
        await server.line(/SIGHUP: goes on/);
        server.signal("SIGTERM");
        assert.deepEqual(await server.end(10_000), { code: 0, signal: null }, server.output);
        assert.equal(server.errors, "");
      }
    }),
);

test(
  "a server goes on in a new log file at SIGHUP, and ends with the terminal it was started in",
  { skip: NO_TERMINAL },
  () =>
    closing(async (keep) => {
      const { path } = keep(new Folder());
      const log = join(path, "lab.log");
      const logged = (what: RegExp) =>
        until(() => existsSync(log) && what.test(readFileSync(log, "utf8")), 10_000, String(what));
      const place = ["127.0.0.1:0", "--unlisted", "--home", path, "--log-file", log];
      const terminal = keep(new Terminal(ours("group.ts", "Lab", ...place)));
      await terminal.shows(/listens on/);
      await logged(/ Group Lab listens on/);
      renameSync(log, `${log}.1`);
      process.kill(terminal.pid!, "SIGHUP");
      await logged(/^\S+ \S+ SIGHUP: goes on/);
      await terminal.hangUp();
    }),
);
