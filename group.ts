#!/usr/bin/env -S deno run -A
import process from "node:process";
import { groupProgram } from "./lib/cli/group_program.ts";
import { ask, processOutput } from "./lib/cli/streams.ts";
import { openLog } from "./lib/run/logging.ts";
import { main } from "./lib/run/main.ts";

// Loaded when needed: --help answers at once.
const open = () => import("./lib/run/open_group.ts");

await main((signal, onClose, onReopen) =>
  groupProgram(
    process.argv.slice(2),
    {
      openGroup: async (options) => (await open()).openGroup(options),
      copies: async () => (await open()).copies,
      groupFolder: async (home, name) => (await open()).groupFolder(home, name),
      openLog,
      ...(process.stdin.isTTY ? { ask: (questions) => ask(questions, signal) } : {}),
    },
    processOutput(),
    { signal, onClose, onReopen },
  ), { isServer: true });
