/** How many connections the system lets a server hold, and what to do when that is few. */

import { readFileSync } from "node:fs";

/** Fewer descriptors than this are soon used up by strangers who only connect. */
const ENOUGH = 4_096;

/**
 * A warning where this process may open fewer than 4,096 descriptors; undefined where it may open
 * more, or the system does not tell. Node and Deno raise the soft limit to the hard one at start.
 */
export function descriptorWarning(limits: string = readLimits()): string | undefined {
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  if (soft === undefined || soft === "unlimited" || Number(soft) >= ENOUGH) return undefined;
  const raise = hard === "unlimited" || Number(hard) >= ENOUGH
    ? "ulimit -n 65536"
    : "ulimit -Hn 65536 (as root), or LimitNOFILE=65536 in the unit of systemd";
  return `Only ${soft} descriptors: that many connections and nobody else gets in; before the ` +
    `start: ${raise}`;
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
