/** A registry in a process of its own: its options as JSON, then `up ADDRESS`. */

import { writeSync } from "node:fs";
import process from "node:process";
import { Registry } from "../../../mod.ts";
import { obeyInput } from "./input.ts";

const registry = await Registry.start(JSON.parse(process.argv[2]));
obeyInput();
process.on("SIGTERM", () => void registry.close());
writeSync(1, `up ${registry.address}\n`);
await registry.stopped;
process.exit(0);
