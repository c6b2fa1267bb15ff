/** What a process takes, as /proc says; zeros where there is none, or the process is gone. */

import { readdirSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** CPU time used so far, seconds, and resident memory, MiB. */
export function usage(pid: number): { readonly cpu: number; readonly memory: number } {
  const stat = textOf(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0] = [fields[11], fields[12]].map(Number);
  const resident = /VmRSS:\s+(\d+)/.exec(textOf(`/proc/${pid}/status`));
  return { cpu: (user + system) / 100 || 0, memory: Number(resident?.[1] ?? 0) / 1_024 };
}

/** Share of one core that a process takes over some seconds, per cent. */
export async function cpuOver(pid: number, seconds: number): Promise<number> {
  const before = cpuOfThreads(pid);
  await setTimeout(seconds * 1_000);
  const after = cpuOfThreads(pid);
  // A thread that has ended takes its time with it.
  let taken = 0;
  for (const [thread, time] of after) taken += time - (before.get(thread) ?? 0);
  return taken / seconds * 100;
}

/** CPU time used so far by each thread, seconds: finer than {@linkcode usage}, which counts ticks. */
function cpuOfThreads(pid: number): Map<string, number> {
  return new Map(
    readdirSync(`/proc/${pid}/task`).map((thread) => {
      const [ran] = textOf(`/proc/${pid}/task/${thread}/schedstat`).split(" ");
      return [thread, Number(ran) / 1e9];
    }),
  );
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
