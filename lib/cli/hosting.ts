/** Servers beside a prompt: a group in this process, and where their log lines go. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Run } from "./ports.ts";
import type { Host } from "./session.ts";
import type { UserDoors } from "./user_program.ts";

/** Starts a group in this process, its log lines in a file of the home. */
export function hosting(
  where: { home: string; registries: string[]; transport?: string },
  { openGroup, openLog }: Pick<UserDoors, "openGroup" | "openLog">,
  { onClose }: Pick<Run, "onClose">,
): Host {
  return async (name, address) => {
    const log = openLog({ file: await logFile(where.home) });
    onClose(() => log.close());
    const group = await openGroup({ ...where, name, address, log });
    onClose(() => group.close());
    return group;
  };
}

/** The file that takes the log lines of servers beside a prompt. */
export async function logFile(home: string): Promise<string> {
  await mkdir(join(home, "logs"), { recursive: true, mode: 0o700 });
  return join(home, "logs", "servers.log");
}
