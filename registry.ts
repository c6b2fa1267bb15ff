#!/usr/bin/env -S deno run -A
import process from "node:process";
import { registryProgram } from "./lib/cli/registry_program.ts";
import { processOutput } from "./lib/cli/streams.ts";
import { openLog } from "./lib/run/logging.ts";
import { main } from "./lib/run/main.ts";

// Loaded when needed: --help answers at once.
const openRegistry: typeof import("./lib/run/open_registry.ts").openRegistry = async (options) =>
  (await import("./lib/run/open_registry.ts")).openRegistry(options);

await main((signal, onClose, onReopen) =>
  registryProgram(
    process.argv.slice(2),
    { openRegistry, openLog },
    processOutput(),
    { signal, onClose, onReopen },
  ), { isServer: true });
