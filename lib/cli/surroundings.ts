/** The real process, for the programs that are otherwise given what they need. */

import { homedir } from "node:os";
import process from "node:process";
import type { Surroundings } from "./home.ts";

/** This process's environment. */
export function surroundings(): Surroundings {
  return { env: process.env, platform: process.platform, userHome: homedir() };
}
