/**
 * Copies of a group: its log at one seq, and its key, in one file. Whoever has the file can run the
 * group, so it is readable by its owner only.
 */

import { randomUUID } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { makeFolder, replace, syncFolder } from "../disk/files.ts";
import { rightsProblem } from "../disk/rights.ts";
import { isFull, isHeld } from "../disk/sqlite_errors.ts";
import { DiskFull, FolderUnusable, UsageError } from "../errors.ts";
import { type Checked, type Log, requirePower, type Watch } from "../log/log.ts";
import { askHolder } from "./ask_holder.ts";
import {
  groupRequest,
  type Handle,
  type HolderReplies,
  type HolderRequest,
} from "./group_requests.ts";
import {
  IDENTITY_FILE,
  LOG_FILE,
  parseGroupFile,
  readGroupFile,
  toldOf,
  unfounded,
  withWayOut,
} from "./group_folder.ts";
import { type FolderEngine, folderSource, FolderTarget, isTaken } from "./folder_place.ts";
import { backUpFrom, moveFrom, putInto, verifyIn } from "./database_copies.ts";
import { type Database, DatabaseTarget, withPassword } from "./database_place.ts";
import {
  identityText,
  isFolder,
  requireFile,
  requireIdentity,
  requireSource,
} from "./copy_source.ts";
import { Holder } from "./holder.ts";
import {
  isDatabase,
  move,
  type Moved,
  type Place,
  type Source,
  startAt,
  type Target,
} from "./moving.ts";
import { noteFile } from "./requests.ts";

/** What copies need of the log's engine. */
export interface CopyEngine extends FolderEngine {
  /** Gives a copy another epoch and takes a value out of it. */
  renew(file: string, epoch: string, value: string): string | undefined;
}

/** A log that is open in this process. */
export interface Held extends Pick<Source, "log" | "pause"> {
  readonly folder: string;
}

/** Which group of a place is meant; of a folder there is one. */
interface Of {
  readonly name?: string | undefined;
  /** A database without a standby will do. */
  readonly singleCopy?: boolean;
}

/** The value of a copy that holds the group's key. */
const IDENTITY = "identity";
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

  /** Copies the group of a place to a new file, while it runs or not. Answers the copy's head. */
  async backup(place: string, file: string, watch: Watch = {}, of: Of = {}): Promise<number> {
    if (isDatabase(place)) return await backUpFrom(...kept(place, of), file, IDENTITY, watch);
    const target = resolve(file);
    const part = `${target}.${randomUUID().slice(0, 8)}.part`;
    try {
      const { head } = await this.#held(place, { op: "backup", file: target, part }, watch);
      return head;
    } catch (error) {
      removeLeft(part);
      throw error;
    }
  }

  /** Checks the whole log of a place, while its group runs or not. @throws {LogDamaged} */
  async verify(place: string, watch: Watch = {}, of: Of = {}): Promise<Checked> {
    if (isDatabase(place)) return await verifyIn(...kept(place, of), watch);
    return await this.#held(place, { op: "verify" }, watch);
  }

  /**
   * Checks a whole copy, by making a group of it in a folder that goes away.
   *
   * @throws {LogDamaged} with the first bad seq; {UsageError} it is none
   */
  async verifyFile(file: string): Promise<Checked> {
    requireFile(file);
    const part = mkdtempSync(join(tmpdir(), "zgroup-verify-"));
    try {
      return await this.#make(file, part);
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
  }

  /**
   * Moves the group of a place, while it runs or not, to another place, where it is to be started
   * then. A place is a folder or a database.
   *
   * @throws {UsageError} there is a group at the other place; {LogDamaged}
   */
  async copy(
    name: string | undefined,
    from: string,
    { to, singleCopy }: Place,
    watch: Watch = {},
  ): Promise<Moved> {
    const place = { to: isDatabase(to) ? to : resolve(to), singleCopy };
    if (isDatabase(from)) {
      return await moveFrom(...kept(from, { name, singleCopy }), await this.#target(place), watch);
    }
    const held = readGroupFile(from)?.name;
    if (name !== undefined && held !== undefined && held !== name) {
      throw new UsageError(
        `Cannot copy "${name}" from ${from}: it holds the group "${held}"; copy it as that`,
      );
    }
    const asked = isDatabase(to) ? { ...place, to: await withPassword(to) } : place;
    return await this.#held(from, { op: "move", ...asked }, watch);
  }

  /** Does with the open log of a folder what is asked. @throws {UsageError} its engine cannot */
  async handle({ log, folder, pause }: Held, request: HolderRequest, watch: Watch) {
    if (request.op === "verify") return await requirePower(log, "verify", "check the log")(watch);
    if (request.op === "move") {
      const identity = identityText(folder);
      const { name } = parseGroupFile(identity);
      const source = folderSource(folder, { name, identity, log, pause });
      return await move(source, await this.#target(request), watch);
    }
    const { file, part } = request;
    const copy = requirePower(log, "copy", `back up to ${file}`);
    return await copy(file, { ...watch, part, values: { [IDENTITY]: identityText(folder) } });
  }

  /**
   * Makes a folder of a copy, or of what is left of another folder, in which the same group starts,
   * with the same key. Its history is the copy's: what came after it is not there, so that the log
   * gets another epoch and members start over.
   *
   * @throws {LogDamaged} the copy is not whole; {UsageError} the place is taken, the copy has no key
   */
  async restore(
    source: string,
    folder: string,
    name?: string,
    watch: Watch = {},
    of: Of = {},
  ): Promise<Checked & Moved> {
    if (isDatabase(folder)) {
      return await this.#restoreTo(
        { url: folder, singleCopy: of.singleCopy ?? false },
        source,
        name,
        watch,
      );
    }
    if (isTaken(folder)) {
      throw new UsageError(
        `Cannot restore to ${folder}: there is a group in it; move it away, or choose another ` +
          "folder with --data",
      );
    }
    requireSource(source);
    const target = resolve(folder);
    const part = `${target}.${randomUUID()}`;
    makeFolder(part);
    try {
      const checked = await this.#made(source, part, name);
      const start = startAt(parseGroupFile(identityText(part)).name, target);
      if (existsSync(target)) rmdirSync(target); // Only an empty one.
      renameSync(part, target);
      syncFolder(dirname(target));
      return { ...checked, start };
    } finally {
      rmSync(part, { recursive: true, force: true });
    }
  }

  /** Makes the same in a database, by way of a folder that goes away. */
  async #restoreTo(
    database: Database,
    source: string,
    name: string | undefined,
    watch: Watch,
  ): Promise<Checked & Moved> {
    requireSource(source);
    const part = mkdtempSync(join(tmpdir(), "zgroup-restore-"));
    const log = this.#engine.log(part);
    try {
      const checked = await this.#made(source, part, name);
      await log.open();
      const identity = identityText(part);
      const group = { where: source, name: parseGroupFile(identity).name, identity, log };
      return { ...checked, ...await putInto(database, group, watch) };
    } finally {
      await log.close();
      rmSync(part, { recursive: true, force: true });
    }
  }

  /** Makes the folder `part` of a copy or of another folder. */
  #made(source: string, part: string, name: string | undefined): Promise<Checked> {
    return isFolder(source) ? this.#goOn(source, part, name) : this.#make(source, part, name);
  }

  /** Where a group is to be. */
  async #target({ to, singleCopy }: Place): Promise<Target> {
    if (isDatabase(to)) return await DatabaseTarget.of({ url: to, singleCopy });
    return new FolderTarget(to, this.#engine);
  }

  /** Makes the folder `part` of what is left of another folder, which has at least the key. */
  async #goOn(folder: string, part: string, name: string | undefined): Promise<Checked> {
    const identity = identityText(folder);
    const copy = join(part, "copy.db");
    if (await this.#copied(folder, copy, identity)) {
      const checked = await this.#make(copy, part, name);
      rmSync(copy);
      return checked;
    }
    requireIdentity(folder, identity, name);
    const text = unfounded(parseGroupFile(identity));
    replace(join(part, IDENTITY_FILE), (file) => writeFileSync(file, text));
    return { entries: 0, batches: 0, head: 0 };
  }

  /** Copies the log of a folder, however far it goes; false when it has no entry. */
  async #copied(folder: string, copy: string, identity: string): Promise<boolean> {
    if (!statSync(join(folder, LOG_FILE), { throwIfNoEntry: false })?.size) return false;
    const log = this.#engine.log(folder);
    try {
      const { head } = await log.open();
      if (head === 0) return false;
      await requirePower(log, "copy", `restore ${folder}`)(copy, {
        values: { [IDENTITY]: identity },
      });
      return true;
    } finally {
      await log.close();
    }
  }

  /** Makes the folder `part` of a copy: all that anybody asks whether a copy is whole. */
  async #make(file: string, part: string, name?: string): Promise<Checked> {
    const path = join(part, LOG_FILE);
    try {
      replace(path, (copy) => copyFileSync(file, copy));
      const checked = await this.#verified(this.#engine.log(part));
      const identity = this.#engine.renew(path, randomUUID(), IDENTITY);
      requireIdentity(file, identity, name);
      replace(join(part, IDENTITY_FILE), (file) => writeFileSync(file, identity));
      const log = this.#engine.kept(part);
      try {
        await log.open();
      } finally {
        await log.close();
      }
      return checked;
    } catch (error) {
      if (!isFull(error)) throw toldOf(file, part, toldOf(file, path, error));
      throw new DiskFull(`Cannot check ${file}: ${part} has no room for a copy of it`, {
        cause: error,
      });
    }
  }

  async #verified(log: Log): Promise<Checked> {
    try {
      await log.open();
      return await requirePower(log, "verify", "check the copy")();
    } finally {
      await log.close();
    }
  }

  /** Asks the process that holds a folder, or works on its log where nobody does. */
  async #held<Request extends HolderRequest>(
    folder: string,
    request: Request,
    watch: Watch,
  ): Promise<HolderReplies[Request["op"]]> {
    requireRights(folder);
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
    const log = this.#engine.kept(folder);
    const pause = () => Promise.resolve(() => Promise.resolve()); // Nobody decides anything here.
    const handle: Handle = (request, watch) => this.handle({ log, folder, pause }, request, watch);
    const holder = new Holder(groupRequest, handle);
    try {
      await log.open();
      await holder.listen(folder).catch(() => {}); // Others will be told that it is held.
      return await holder.submit(request, watch);
    } catch (error) {
      if (!isHeld(error)) throw withWayOut(folder, error);
      return undefined;
    } finally {
      await holder.close();
      await log.close();
    }
  }
}

/** @throws {FolderUnusable} this user lacks the rights */
function requireRights(folder: string): void {
  const log = join(folder, LOG_FILE);
  const problem = rightsProblem(folder, "read", "write") ?? rightsProblem(log, "read", "write") ??
    rightsProblem(noteFile(folder), "read");
  if (problem) throw new FolderUnusable(`Cannot open ${folder}: ${problem}`);
}

/** Removes what a holder began that was killed. */
function removeLeft(part: string): void {
  try {
    rmSync(part, { force: true });
  } catch {
    // Whoever may not write there has begun nothing.
  }
}

/** A group in a database, as what works on it is told. */
function kept(url: string, { name, singleCopy = false }: Of): [Database, string] {
  if (name === undefined) throw new UsageError("Cannot find a group without its name: give NAME");
  return [{ url, singleCopy }, name];
}
