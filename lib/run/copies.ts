/**
 * Copies of a group: its log at one seq, and its key, in one file. Whoever has the file can run the
 * group, so it is readable by its owner only.
 */

import { randomUUID } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { FolderUnusable, UsageError } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { type Wish, wishOf } from "./requests.ts";

/** What a copy needs of the log's engine. */
export interface CopyEngine {
  /** The log of a folder. */
  log(folder: string): Log;
  /** The copy in a file, only to be read. */
  copy(file: string): Log;
  /** Gives a copy another epoch and takes a value out of it. */
  renew(file: string, epoch: string, value: string): string | undefined;
}

/** What a check found whole. */
export interface Checked {
  readonly entries: number;
  readonly batches: number;
  readonly head: number;
}

/** The value of a copy that holds the group's key. */
const IDENTITY = "identity";
/** The file of a group's folder that holds it. */
export const IDENTITY_FILE = "group.json";
const LOG_FILE = "log.db";

/** See the head of this file. */
export class Copies {
  readonly #engine: CopyEngine;

  constructor(engine: CopyEngine) {
    this.#engine = engine;
  }

  /** Copies the group of a folder to a new file, while it runs or not. Answers the copy's head. */
  async backup(folder: string, file: string): Promise<number> {
    requireGroup(folder);
    const target = resolve(file);
    const { head } = await this.#hold(
      folder,
      (log) => this.backupOf(log, folder, target),
      { op: "backup", file: target },
    );
    return head;
  }

  /** Copies a log that is open. */
  backupOf(log: Log, folder: string, file: string): Promise<{ head: number }> {
    return log.backup(file, { [IDENTITY]: readFileSync(join(folder, IDENTITY_FILE), "utf8") });
  }

  /** Checks the whole log of a folder, while its group runs or not. @throws {LogDamaged} */
  async verify(folder: string): Promise<Checked> {
    requireGroup(folder);
    return await this.#hold(folder, (log) => log.verify(), { op: "verify" }) as unknown as Checked;
  }

  /** Checks a whole copy. @throws {LogDamaged} with the first bad seq; {UsageError} it is none */
  async verifyFile(file: string): Promise<Checked> {
    const log = this.#engine.copy(file);
    try {
      await log.open();
      return await log.verify();
    } finally {
      await log.close();
    }
  }

  /**
   * Makes a folder of a copy, in which the same group starts, with the same key. Its history is
   * the copy's: what came after it is not there, so that the log gets another epoch and members
   * start over.
   *
   * @throws {LogDamaged} the copy is not whole; {UsageError} the folder is taken, the copy has no key
   */
  async restore(file: string, folder: string, name?: string): Promise<Checked> {
    if (existsSync(join(folder, LOG_FILE)) || existsSync(join(folder, IDENTITY_FILE))) {
      throw new UsageError(`Cannot restore to ${folder}: there is a group in it`);
    }
    const checked = await this.verifyFile(file);
    const part = `${resolve(folder)}.${randomUUID()}`;
    mkdirSync(dirname(part), { recursive: true, mode: 0o700 });
    mkdirSync(part, { mode: 0o700 });
    try {
      const log = join(part, LOG_FILE);
      writeFileSync(log, "", { mode: 0o600 });
      copyFileSync(file, log);
      const identity = this.#engine.renew(log, randomUUID(), IDENTITY);
      requireIdentity(file, identity, name);
      writeFileSync(join(part, IDENTITY_FILE), identity, { mode: 0o600, flush: true });
      const opened = this.#engine.log(part);
      try {
        await opened.open();
      } finally {
        await opened.close();
      }
      if (existsSync(folder)) rmdirSync(folder); // Only an empty one.
      renameSync(part, folder);
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
    return checked;
  }

  /** Works on the log of a folder, or asks the process that holds it. */
  async #hold<T>(
    folder: string,
    work: (log: Log) => Promise<T>,
    wish: Wish,
  ): Promise<T | Record<string, number>> {
    const log = this.#engine.log(folder);
    try {
      await log.open();
      return await work(log);
    } catch (error) {
      if (!(error instanceof FolderUnusable)) throw error;
      return await wishOf(folder, wish);
    } finally {
      await log.close();
    }
  }
}

function requireGroup(folder: string): void {
  if (existsSync(join(folder, LOG_FILE))) return;
  throw new UsageError(`Cannot find a group in ${folder}: there is no log in it`);
}

function requireIdentity(
  file: string,
  identity: string | undefined,
  name: string | undefined,
): asserts identity is string {
  if (identity === undefined) {
    throw new UsageError(`Cannot restore ${file}: it holds a log without the group's key`);
  }
  const held = JSON.parse(identity).name;
  if (name === undefined || name === held) return;
  throw new UsageError(`Cannot restore ${file} as "${name}": it holds the group "${held}"`);
}
