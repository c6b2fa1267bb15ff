/**
 * Copies of a group: its log at one seq, and its key, in one file. Whoever has the file can run the
 * group, so it is readable by its owner only.
 */

import { randomUUID } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makeFolder, replace, syncFolder } from "../disk/files.ts";
import { FolderUnusable, UsageError } from "../errors.ts";
import { type Checked, type Log, requirePower } from "../log/log.ts";
import { askHolder, type HolderReplies, type HolderRequest } from "./requests.ts";

/** What copies need of the log's engine. */
export interface CopyEngine {
  /** The log of a folder. */
  log(folder: string): Log;
  /** Checks a whole copy. @throws {LogDamaged} with the first bad seq; {UsageError} it is none */
  verify(file: string): Promise<Checked>;
  /** Gives a copy another epoch and takes a value out of it. */
  renew(file: string, epoch: string, value: string): string | undefined;
}

/** The value of a copy that holds the group's key. */
const IDENTITY = "identity";
/** The file of a group's folder that holds it. */
export const IDENTITY_FILE = "group.json";
const LOG_FILE = "log.db";

/** Makes copies of groups' logs, checks them, and makes groups of them. */
export class Copies {
  readonly #engine: CopyEngine;

  constructor(engine: CopyEngine) {
    this.#engine = engine;
  }

  /** Copies the group of a folder to a new file, while it runs or not. Answers the copy's head. */
  async backup(folder: string, file: string): Promise<number> {
    const { head } = await this.#held(folder, { op: "backup", file: resolve(file) });
    return head;
  }

  /** Checks the whole log of a folder, while its group runs or not. @throws {LogDamaged} */
  verify(folder: string): Promise<Checked> {
    return this.#held(folder, { op: "verify" });
  }

  /** Checks a whole copy. @throws {LogDamaged} with the first bad seq; {UsageError} it is none */
  verifyFile(file: string): Promise<Checked> {
    return this.#engine.verify(file);
  }

  /** Does with the open log of a folder what is asked. @throws {UsageError} its engine cannot */
  async handle<Request extends HolderRequest>(
    log: Log,
    folder: string,
    request: Request,
  ): Promise<HolderReplies[Request["op"]]>;
  async handle(log: Log, folder: string, request: HolderRequest): Promise<object> {
    if (request.op === "verify") return await requirePower(log, "verify", "check the log")();
    const copy = requirePower(log, "copy", `back up to ${request.file}`);
    const identity = readFileSync(join(folder, IDENTITY_FILE), "utf8");
    return await copy(request.file, { values: { [IDENTITY]: identity } });
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
    const target = resolve(folder);
    const part = `${target}.${randomUUID()}`;
    makeFolder(part);
    try {
      const log = join(part, LOG_FILE);
      replace(log, (copy) => copyFileSync(file, copy));
      const identity = this.#engine.renew(log, randomUUID(), IDENTITY);
      requireIdentity(file, identity, name);
      replace(join(part, IDENTITY_FILE), (file) => writeFileSync(file, identity));
      const opened = this.#engine.log(part);
      try {
        await opened.open();
      } finally {
        await opened.close();
      }
      if (existsSync(target)) rmdirSync(target); // Only an empty one.
      renameSync(part, target);
      syncFolder(dirname(target));
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
    return checked;
  }

  /** Works on the log of a folder, or asks the process that holds it. */
  async #held<Request extends HolderRequest>(
    folder: string,
    request: Request,
  ): Promise<HolderReplies[Request["op"]]> {
    if (!existsSync(join(folder, LOG_FILE))) {
      throw new UsageError(`Cannot find a group in ${folder}: there is no log in it`);
    }
    const log = this.#engine.log(folder);
    try {
      await log.open();
      return await this.handle(log, folder, request);
    } catch (error) {
      if (!(error instanceof FolderUnusable)) throw error;
      return await askHolder(folder, request);
    } finally {
      await log.close();
    }
  }
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
