/** Where and of what the figures are. */

import { cpus, release, totalmem } from "node:os";
import { availablePostgres } from "../tests/support/postgres.ts";
import { program } from "../tests/support/postgres_programs.ts";
import { versionOf } from "./processes.ts";
import type { Setting } from "./setting.ts";
import { git } from "./trees.ts";

/** Machine, versions, commit, and how the rounds were run. */
export async function header({ before, peers, rounds, quick }: Setting): Promise<string> {
  const [cpu] = cpus();
  const servers = await Promise.all(
    peers.map(async (peer) => `${peer}-server ${await versionOf(`${peer}-server`)}`),
  );
  if (!availablePostgres()) servers.push(`PostgreSQL ${await versionOf(program("postgres"))}`);
  return [
    `machine   ${cpus().length} × ${cpu?.model ?? "unknown"}, ${
      Math.round(totalmem() / 2 ** 30)
    } GiB, ${Deno.build.os} ${release()}`,
    `versions  Deno ${Deno.version.deno}, ${servers.join(", ") || "nothing else"}`,
    `commit    ${await commit()}; before: ${before?.commit ?? "left out"}`,
    `rounds    ${rounds} of each side in turn, medians${quick ? " (quick)" : ""}; ` +
    "client and server share these cores",
  ].join("\n");
}

async function commit(): Promise<string> {
  try {
    const changed = await git("status", "--porcelain", "--untracked-files=no");
    return `${await git("rev-parse", "--short", "HEAD")}${changed ? " with changes" : ""}`;
  } catch {
    return "unknown";
  }
}
