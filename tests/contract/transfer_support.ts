/** Rooms for logs that move: a folder, or a group of a database, for every engine that can. */

import { basename, join } from "node:path";
import type { Log, LogStart } from "../../lib/log/log.ts";
import { closing } from "../support.ts";
import { ENGINES } from "./log_engines.ts";
import { inFolder } from "./log_support.ts";

/** Where one log is kept. */
export interface Room {
  /** Opens it, as its process does when it starts. */
  open(): Promise<{ log: Log; start: LogStart }>;
}

type Engine = typeof ENGINES[string];

/** Engines whose logs can move. */
export const MOVING: Readonly<Record<string, Engine>> = Object.fromEntries(
  Object.entries(ENGINES).filter(([, { powers }]) => powers.power("transfer") !== undefined),
);

/** Runs `body` with rooms; what was opened in them is closed afterwards. */
export function folders(
  body: (room: (engine: Engine) => Promise<Room>) => Promise<void>,
): Promise<void> {
  return inFolder((folder) =>
    closing(async (keep) => {
      let rooms = 0;
      await body(({ make }) => {
        // Its last part names the group in a database.
        const own = join(folder, `${basename(folder)} ${rooms++}`);
        return Promise.resolve({
          async open() {
            const log = await make(own);
            keep({ [Symbol.asyncDispose]: () => log.close() });
            return { log, start: await log.open() };
          },
        });
      });
    })
  );
}
