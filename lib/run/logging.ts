/** Log lines of the servers: collected for a moment and written together, so that they cost little. */

import { writeSync } from "node:fs";
import type { LogOptions, LogSink } from "../cli/program.ts";
import { type Level, LEVELS } from "../structures/logger.ts";
import { safeJson, safeLine } from "../text/filter.ts";
import { formatLocal } from "../text/time.ts";
import { LogFile } from "./log_file.ts";

/** A log that nobody reads. */
export const SILENT: LogSink = { info() {}, warn() {}, close: () => Promise.resolve() };

/** How long a line may wait, ms. */
const DELAY = 50;
/** Lines collected beyond this are written at once, UTF-16 units. */
const FULL = 65_536;

/** What a line begins with, after its time. */
const MARKS: Readonly<Record<Level, string>> = {
  error: "ERROR: ",
  warn: "WARNING: ",
  info: "",
  debug: "",
};

/**
 * A sink on standard output or a file; what would be obeyed is shown. Lines read
 * `2026-11-20 23:57:15 JOIN REQUEST FROM alice#1a2b3c4d (Lab)`.
 *
 * @throws what the system says where the file cannot be opened
 */
export function openLog({ level: most = "info", json = false, file, size }: LogOptions = {}) {
  const kept = file === undefined
    ? undefined
    : new LogFile(file, size === undefined ? {} : { size });
  let collected = "";
  let timer: ReturnType<typeof setTimeout> | undefined;
  let second = 0;
  let stamp = "";
  let broken = false;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const text = collected;
    collected = "";
    if (text && !broken) writeAll(text);
  }
  function writeAll(text: string): void {
    const bytes = new TextEncoder().encode(text);
    const fd = kept?.fd ?? 1;
    for (let done = 0, tries = 0; done < bytes.length && tries < 1_000;) {
      try {
        done += writeSync(fd, bytes, done);
        tries = 0;
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === "EAGAIN") tries++;
        else {
          broken = code === "EPIPE"; // Nobody reads: a server goes on without its log.
          return;
        }
      }
    }
  }
  function line(level: Level, text: string, fields: object | undefined): void {
    const now = Date.now();
    if (json) {
      collected += safeJson({ at: new Date(now).toISOString(), level, text, ...fields }) + "\n";
    } else {
      if (Math.floor(now / 1000) !== second) {
        second = Math.floor(now / 1000);
        stamp = formatLocal(now);
      }
      collected += `${stamp} ${MARKS[level]}${safeLine(text)}\n`;
    }
    if (collected.length > FULL) flush();
    else timer ??= setTimeout(flush, DELAY);
  }
  const at = (level: Level) =>
    LEVELS.indexOf(level) <= LEVELS.indexOf(most)
      ? (text: string, fields?: object) => line(level, text, fields)
      : () => {};
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    reopen() {
      flush();
      kept?.reopen();
    },
    close() {
      flush();
      kept?.close();
      return Promise.resolve();
    },
  } satisfies LogSink;
}
