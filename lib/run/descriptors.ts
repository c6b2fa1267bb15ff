/** How many connections the system lets a server hold, and what to do when that is few. */

import { readFileSync } from "node:fs";

/** Fewer descriptors than this are soon used up by strangers who only connect. */
const ENOUGH = 4_096;
/** Descriptors for log, registries and whatever a program opens beside its peers. */
const OWN = 128;
/** Fewer connections than this are no server. */
const LEAST = 16;

/**
 * A warning where this process may open fewer than 4,096 descriptors; undefined where it may open
 * more, or the system does not tell. Node and Deno raise the soft limit to the hard one at start.
 */
export function descriptorWarning(limits: string = readLimits()): string | undefined {
  const [soft, hard] = parse(limits);
  if (soft === undefined || soft >= ENOUGH) return undefined;
  const raise = hard >= ENOUGH
    ? "ulimit -n 65536"
    : "ulimit -Hn 65536 (as root), or LimitNOFILE=65536 in the unit of systemd";
  return `Only ${soft} descriptors: that many connections and nobody else gets in; before the ` +
    `start: ${raise}`;
}

/**
 * How many connections a server may hold here: what the system lets open, less what the program
 * needs for itself; undefined where the system sets no limit, or does not tell.
 */
export function connectionLimit(limits: string = readLimits()): number | undefined {
  const [soft = Infinity] = parse(limits);
  return soft === Infinity ? undefined : Math.max(LEAST, soft - OWN);
}

/** The soft limit and the hard one; none where the system does not tell. */
function parse(limits: string): number[] {
  const [, ...both] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  return both.map((limit) => limit === "unlimited" ? Infinity : Number(limit));
}

function readLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
