/** What a SIGHUP means: whether this process has a terminal, and was started to outlast it. */

import { closeSync, openSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";

/**
 * True where SIGHUP was ignored when this process began. Nothing tells it by itself: Linux says what
 * a process ignores, but Node has set the signal back by now, so there it is the parent that is
 * looked at, and the command that the shell says it ran.
 */
export function startedIgnoringHangup(): boolean {
  try {
    return ignoresHangup("self") || ignoresHangup(process.ppid) ||
      basename(process.env._ ?? "") === "nohup";
  } catch {
    return false; // Deno without a permission: it says so where the program needs it more.
  }
}

/**
 * Whether a terminal controls this process. One that was closed does no longer, and then SIGHUP
 * says so; what a service manager starts never had one, and SIGHUP asks it to open its logs anew.
 */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Whether a process ignores signal 1; false where the system does not tell. */
function ignoresHangup(pid: number | "self"): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
    return (Number.parseInt(mask.slice(-1), 16) & 1) === 1;
  } catch {
    return false;
  }
}
