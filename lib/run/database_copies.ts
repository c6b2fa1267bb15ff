/** Copies and checks of groups that are kept in a database, beside their servers. */

import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { type Checked, type Log, requirePower, type Watch } from "../log/log.ts";
import {
  type Database,
  type DatabaseSource,
  databaseSource,
  DatabaseTarget,
} from "./database_place.ts";
import { move, type Moved, type Source, type Target } from "./moving.ts";

/** Copies the group of a name to a new file that holds its key, too, as a value of that name. */
export async function backUpFrom(
  database: Database,
  name: string,
  file: string,
  keyValue: string,
  watch: Watch,
): Promise<number> {
  return await reading(database, name, async ({ log, identity }) => {
    const copy = requirePower(log, "copy", `back up to ${file}`);
    const target = resolve(file);
    const part = `${target}.${randomUUID().slice(0, 8)}.part`;
    return (await copy(target, { ...watch, part, values: { [keyValue]: identity } })).head;
  });
}

/** Checks the whole log of a group. @throws {LogDamaged} */
export function verifyIn(database: Database, name: string, watch: Watch): Promise<Checked> {
  return reading(database, name, ({ log }) => requirePower(log, "verify", "check the log")(watch));
}

/** Moves a group out of a database. */
export function moveFrom(
  database: Database,
  name: string,
  target: Target,
  watch: Watch,
): Promise<Moved> {
  return reading(database, name, (source) => move(source, target, watch));
}

/** Puts a group into a database that has none of its name; `log` is open, and nobody else's. */
export async function putInto(
  database: Database,
  group: Pick<Source, "where" | "name" | "identity"> & { readonly log: Log },
  watch: Watch,
): Promise<Moved> {
  const done = () => Promise.resolve();
  const pause = () => Promise.resolve(done);
  const source = { ...group, left: undefined, pause, leave: done };
  return await move(source, await DatabaseTarget.of(database), watch);
}

async function reading<T>(
  database: Database,
  name: string,
  work: (source: DatabaseSource) => Promise<T>,
): Promise<T> {
  const source = await databaseSource(database, name);
  try {
    return await work(source);
  } finally {
    await source[Symbol.asyncDispose]();
  }
}
