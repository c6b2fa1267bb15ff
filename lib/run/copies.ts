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
import { setTimeout as pause } from "node:timers/promises";
import { makeFolder, replace, syncFolder } from "../disk/files.ts";
import { rightsProblem } from "../disk/rights.ts";
import { isHeld } from "../disk/sqlite_errors.ts";
import { FolderUnusable, UsageError } from "../errors.ts";
import { type Checked, type Log, requirePower, type Watch } from "../log/log.ts";
import { askHolder } from "./ask_holder.ts";
import { Holder } from "./holder.ts";
import { type Handle, type HolderReplies, type HolderRequest, noteFile } from "./requests.ts";

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
/** A process that holds a folder listens within this, ms. */
const STARTS_WITHIN = 5_000;
/** How often it is looked whether it does, ms. */
const LOOK_EVERY = 50;

/** Makes copies of groups' logs, checks them, and makes groups of them. */
export class Copies {
  readonly #engine: CopyEngine;

  constructor(engine: CopyEngine) {
    this.#engine = engine;
  }

  /** Copies the group of a folder to a new file, while it runs or not. Answers the copy's head. */
  async backup(folder: string, file: string, watch: Watch = {}): Promise<number> {
    const target = resolve(file);
    const part = `${target}.${randomUUID().slice(0, 8)}.part`;
    try {
      const { head } = await this.#held(folder, { op: "backup", file: target, part }, watch);
      return head;
    } catch (error) {
      removeLeft(part);
      throw error;
    }
  }

  /** Checks the whole log of a folder, while its group runs or not. @throws {LogDamaged} */
  verify(folder: string, watch: Watch = {}): Promise<Checked> {
    return this.#held(folder, { op: "verify" }, watch);
  }

  /** Checks a whole copy. @throws {LogDamaged} with the first bad seq; {UsageError} it is none */
  verifyFile(file: string): Promise<Checked> {
    return this.#engine.verify(file);
  }

  /** Does with the open log of a folder what is asked. @throws {UsageError} its engine cannot */
  async handle(
    log: Log,
    folder: string,
    request: HolderRequest,
    watch: Watch,
  ): ReturnType<Handle> {
    if (request.op === "verify") return await requirePower(log, "verify", "check the log")(watch);
    const { file, part } = request;
    const copy = requirePower(log, "copy", `back up to ${file}`);
    const identity = readFileSync(join(folder, IDENTITY_FILE), "utf8");
    return await copy(file, { ...watch, part, values: { [IDENTITY]: identity } });
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

  /** Asks the process that holds a folder, or works on its log where nobody does. */
  async #held<Request extends HolderRequest>(
    folder: string,
    request: Request,
    watch: Watch,
  ): Promise<HolderReplies[Request["op"]]> {
    requireGroup(folder);
    for (const begin = performance.now();;) {
      const answer = await askHolder(folder, request, watch) ??
        await this.#alone(folder, request, watch);
      if (answer) return answer as HolderReplies[Request["op"]];
      if (performance.now() - begin > STARTS_WITHIN) {
        throw new FolderUnusable(
          `Cannot ask the process that holds ${folder}: it takes no requests, so it is another ` +
            "version of zgroup, or hangs; stop it and try again",
        );
      }
      await pause(LOOK_EVERY, undefined, { signal: watch.signal });
    }
  }

  /** Works on the log of a folder, and for others who ask meanwhile; undefined where it is held. */
  async #alone(folder: string, request: HolderRequest, watch: Watch) {
    const log = this.#engine.log(folder);
    const holder = new Holder((request, watch) => this.handle(log, folder, request, watch));
    try {
      await log.open();
      await holder.listen(folder).catch(() => {}); // Others will be told that it is held.
      return await holder.submit(request, watch);
    } catch (error) {
      if (!isHeld(error)) throw error;
      return undefined;
    } finally {
      await holder.close();
      await log.close();
    }
  }
}

/** @throws {FolderUnusable} this user lacks the rights; {UsageError} there is no group */
function requireGroup(folder: string): void {
  const log = join(folder, LOG_FILE);
  const problem = rightsProblem(folder, "read", "write") ?? rightsProblem(log, "read", "write") ??
    rightsProblem(noteFile(folder), "read");
  if (problem) throw new FolderUnusable(`Cannot open ${folder}: ${problem}`);
  if (existsSync(log)) return;
  throw new UsageError(`Cannot find a group in ${folder}: there is no log in it`);
}

/** Removes what a holder began that was killed. */
function removeLeft(part: string): void {
  try {
    rmSync(part, { force: true });
  } catch {
    // Whoever may not write there has begun nothing.
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
