/** The engines of the log, and suites that all of them pass. */

import { mkdirSync, renameSync } from "node:fs";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import type { Log, LogStart, Powers } from "../../lib/log/log.ts";
import { memoryLog } from "../../lib/log/memory.ts";
import { postgresLog } from "../../lib/log/postgres.ts";
import { sqliteLog } from "../../lib/log/sqlite.ts";
import { closing } from "../support.ts";
import { availablePostgres, PostgresCluster } from "../support/postgres.ts";
import { inFolder, powerOf } from "./log_support.ts";

interface Engine {
  /** The log of a folder, not opened. */
  make(folder: string): Log | Promise<Log>;
  /** What it can; without a log. */
  readonly powers: Log;
  /** Why there is none here. */
  readonly skip?: string | undefined;
  /** The log once more, as it starts when its process does. */
  again(log: Log, folder: string): Promise<Log>;
}

let cluster: Promise<PostgresCluster> | undefined;
after(async () => (await cluster)?.close());

/** A folder's log in the database of this file's tests, which has no standby. */
async function postgresOf(folder: string): Promise<Log> {
  const { url } = await (cluster ??= PostgresCluster.start());
  return postgresLog({ url, group: basename(folder), singleCopy: true });
}

/** Every engine. */
export const ENGINES: Readonly<Record<string, Engine>> = {
  sqlite: {
    make: sqliteLog,
    powers: sqliteLog("unused"),
    async again(log, folder) {
      await log.close();
      return sqliteLog(folder);
    },
  },
  // What is in memory is gone with its process: it starts again in the same one.
  memory: { make: memoryLog, powers: memoryLog(), again: (log) => Promise.resolve(log) },
  postgres: {
    make: (folder) => postgresOf(folder),
    powers: postgresLog({ url: "postgres://zgroup@localhost/unused", group: "unused" }),
    skip: availablePostgres(),
    async again(log, folder) {
      await log.close();
      return await postgresOf(folder);
    },
  },
};

/** The log of a copy, whatever engine made it. */
function ofCopy(file: string): Log {
  const folder = `${file} of a log`;
  mkdirSync(folder);
  renameSync(file, join(folder, "log.db"));
  return sqliteLog(folder);
}

/** An open log. */
export interface Opened {
  readonly log: Log;
  readonly start: LogStart;
  readonly folder: string;
  /** Closes the log and opens it again. */
  again(): Promise<{ log: Log; start: LogStart }>;
  /** Opens the log of a copy. */
  ofCopy(file: string): Promise<{ log: Log; start: LogStart }>;
}

/** A suite that every engine passes. */
export function logSuite(
  define: (logTest: (criterion: string, body: (opened: Opened) => Promise<void>) => void) => void,
): void {
  for (const [name, engine] of Object.entries(ENGINES)) define(suiteOf(name, engine));
}

/** A suite that every engine passes which has the power. */
export function powerSuite<Name extends keyof Powers>(
  power: Name,
  define: (
    powerTest: (
      criterion: string,
      body: (opened: Opened & Readonly<Record<Name, Powers[Name]>>) => Promise<void>,
    ) => void,
  ) => void,
): void {
  for (const [name, engine] of Object.entries(ENGINES)) {
    if (engine.powers.power(power) === undefined) continue;
    const logTest = suiteOf(name, engine);
    define((criterion, body) =>
      logTest(
        criterion,
        (opened) => body({ ...opened, [power]: powerOf(opened.log, power) } as never),
      )
    );
  }
}

function suiteOf(name: string, { make, again, skip }: Engine) {
  return (criterion: string, body: (opened: Opened) => Promise<void>): void =>
    void test(
      `${name} log ${criterion}`,
      { skip },
      () =>
        inFolder((folder) =>
          closing(async (keep) => {
            const opened = async (log: Log) => {
              keep({ [Symbol.asyncDispose]: () => log.close() });
              return { log, start: await log.open() };
            };
            const { log, start } = await opened(await make(folder));
            await body({
              log,
              start,
              folder,
              again: async () => await opened(await again(log, folder)),
              ofCopy: async (file) => await opened(ofCopy(file)),
            });
          })
        ),
    );
}
