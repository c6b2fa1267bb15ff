/** A folder that a group is moved to, or from; see `moving.ts`. */

import { existsSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { replace, syncFolder } from "../disk/files.ts";
import { UsageError } from "../errors.ts";
import type { Log, LogStart } from "../log/log.ts";
import { requireSame } from "../log/transfer.ts";
import { IDENTITY_FILE, keepMoved, LOG_FILE, movedTo } from "./group_folder.ts";
import { holdFolder } from "./hold.ts";
import type { Source, Target } from "./moving.ts";

/** What is needed of the log's engine. */
export interface FolderEngine {
  /** The log of a group's folder, as it is started. @throws {LogDamaged}; {UsageError} there is none */
  kept(folder: string): Log;
  /** The log of a folder, whatever is beside it. */
  log(folder: string): Log;
}

/** Whether there is something of a group in a folder. */
export function isTaken(folder: string): boolean {
  return [LOG_FILE, IDENTITY_FILE].some((file) => existsSync(join(folder, file)));
}

/** The group of a folder whose log is open in this process. */
export function folderSource(
  folder: string,
  group: Pick<Source, "name" | "identity" | "log" | "pause">,
): Source {
  return {
    ...group,
    where: resolve(folder),
    left: movedTo(folder),
    leave(to) {
      try {
        keepMoved(folder, to);
        return Promise.resolve();
      } catch (error) {
        keepMoved(folder, undefined);
        return Promise.reject(error);
      }
    },
  };
}

/** A folder that is to be made: until it is whole, it has another name, and says where the group is. */
export class FolderTarget implements Target {
  readonly where: string;
  readonly #engine: FolderEngine;
  readonly #part: string;
  #log: Log | undefined;
  #release: (() => void) | undefined;

  constructor(folder: string, engine: FolderEngine) {
    this.where = resolve(folder);
    this.#engine = engine;
    this.#part = `${this.where}.moving`;
  }

  taken(): Promise<boolean> {
    return Promise.resolve(isTaken(this.where));
  }

  async begin({ where, identity }: Source): Promise<Log> {
    const part = this.#part;
    if (existsSync(this.where) && readdirSync(this.where).length > 0) {
      throw new UsageError(
        `Cannot copy to ${this.where}: it is not empty; name a folder that is to be made`,
      );
    }
    this.#release = holdFolder(part);
    if (!this.#release) {
      throw new UsageError(`Cannot copy to ${this.where}: another copy to it is under way`);
    }
    for (const name of readdirSync(part)) {
      if (!name.startsWith(HELD)) rmSync(join(part, name), { recursive: true });
    }
    keepMoved(part, where);
    replace(join(part, IDENTITY_FILE), (file) => writeFileSync(file, identity));
    this.#log = this.#engine.log(part);
    await this.#log.open();
    return this.#log;
  }

  async prove(start: LogStart): Promise<void> {
    await this.#log!.close();
    const log = this.#log = this.#engine.kept(this.#part);
    requireSame(await log.open(), start);
    await log.close();
  }

  finish(): Promise<void> {
    const part = this.#part;
    if (existsSync(this.where)) rmdirSync(this.where); // Only an empty one.
    this.#letGo();
    for (const name of readdirSync(part)) {
      if (name.startsWith(HELD)) rmSync(join(part, name));
    }
    keepMoved(part, undefined);
    renameSync(part, this.where);
    syncFolder(dirname(this.where));
    return Promise.resolve();
  }

  async abandon(): Promise<void> {
    await this.#log?.close();
    if (!this.#release) return; // It is another's.
    this.#letGo();
    rmSync(this.#part, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.#log?.close();
    this.#letGo();
  }

  #letGo(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

/** How the files begin by which a folder is held. */
const HELD = "start.db";
