#!/usr/bin/env -S deno run -A
import process from "node:process";
import { askSecret } from "./lib/cli/secret.ts";
import { ask, processOutput, stdinSize } from "./lib/cli/streams.ts";
import { isListening } from "./lib/registry/probe.ts";
import { main } from "./lib/run/main.ts";
import { typed } from "./lib/run/this_program.ts";
import { allAddresses } from "./lib/transport/own_addresses.ts";

// Loaded when needed: --help answers at once.
const open = () => import("./lib/run/open_user.ts");
const openHome = () => import("./lib/run/open_home.ts");
const servers = () => import("./lib/run/home_servers.ts");
const started = () => import("./lib/run/started_file.ts");
const openIdentity = () => import("./lib/run/open_identity.ts");

const words = process.argv.slice(2);

await main(async (signal, onClose) => {
  if (words[0] === "servers") {
    const { serversProgram } = await import("./lib/run/serve_home.ts");
    return await serversProgram(words.slice(1), { signal, onClose });
  }
  const { userProgram } = await import("./lib/cli/user_program.ts");
  return await userProgram(
    words,
    {
      openUser: async (options) => (await open()).openUser(options),
      lookingUser: async (options) => (await open()).lookingUser(options),
      restoreHome: async (home, options) => (await openHome()).restoreHome(home, options),
      servers: async (options) =>
        new (await servers()).HomeServers({ ...options, program: import.meta.url }),
      foldersOf: async (home) => (await servers()).foldersOf(home),
      startedWith: async (home) => (await started()).startedWith(home),
      keepStarted: async (home, given) => (await started()).keepStarted(home, given),
      addresses: allAddresses,
      typed,
      exportIdentity: async (...args) => (await openIdentity()).exportIdentity(...args),
      importIdentity: async (...args) => (await openIdentity()).importIdentity(...args),
      saveNew: async (...args) => (await openIdentity()).saveNew(...args),
      keptName: async (home) => (await open()).keptName(home),
      systemName: async () => (await open()).systemName(),
      machine: async (home, engine) => (await openHome()).machine(home, engine),
      database: async (url) => (await import("./lib/run/look_database.ts")).lookAtDatabase(url),
      hold: async (folder) => (await import("./lib/run/hold.ts")).holdFolder(folder),
      isListening,
      stdin: process.stdin,
      stdinSize,
      ...(process.stdin.isTTY ? { ask: (questions) => ask(questions, signal), askSecret } : {}),
    },
    processOutput(),
    { signal, onClose },
  );
}, { isServer: words[0] === "servers" });
