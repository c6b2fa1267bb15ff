#!/usr/bin/env -S deno run -A
import process from "node:process";
import { askSecret } from "./lib/cli/secret.ts";
import { ask, processOutput, stdinSize } from "./lib/cli/streams.ts";
import { userProgram } from "./lib/cli/user_program.ts";
import { openLog } from "./lib/run/logging.ts";
import { isListening } from "./lib/registry/probe.ts";
import { main } from "./lib/run/main.ts";

// Loaded when needed: --help answers at once.
const open = () => import("./lib/run/open_user.ts");
const openHome = () => import("./lib/run/open_home.ts");
const openIdentity = () => import("./lib/run/open_identity.ts");

await main((signal, onClose) =>
  userProgram(
    process.argv.slice(2),
    {
      openUser: async (options) => (await open()).openUser(options),
      lookingUser: async (options) => (await open()).lookingUser(options),
      restoreHome: async (home, options) => (await openHome()).restoreHome(home, options),
      exportIdentity: async (...args) => (await openIdentity()).exportIdentity(...args),
      importIdentity: async (...args) => (await openIdentity()).importIdentity(...args),
      saveNew: async (...args) => (await openIdentity()).saveNew(...args),
      openGroup: async (options) => (await import("./lib/run/open_group.ts")).openGroup(options),
      openRegistry: async (options) =>
        (await import("./lib/run/open_registry.ts")).openRegistry(options),
      keptName: async (home) => (await open()).keptName(home),
      systemName: async () => (await open()).systemName(),
      machine: async (home, engine) => (await openHome()).machine(home, engine),
      database: async (url) => (await import("./lib/run/look_database.ts")).lookAtDatabase(url),
      hold: async (folder) => (await import("./lib/run/hold.ts")).holdFolder(folder),
      isListening,
      openLog,
      stdin: process.stdin,
      stdinSize,
      ...(process.stdin.isTTY ? { ask: (questions) => ask(questions, signal), askSecret } : {}),
    },
    processOutput(),
    { signal, onClose },
  )
);
