/**
 * A group's folder: its key in `group.json`, its log, and what tells that one of them is missing, is
 * another's or is older. What is wrong is told with the way out, which never is a new identity.
 */

import {
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { load, loadOrMake, save } from "../disk/files.ts";
import { FolderUnusable, LogDamaged, LogLost, sentence, UsageError } from "../errors.ts";
import { groupId, newSigningKey, randomToken, signingKey } from "../identity/keys.ts";
import { HEAD_FILE } from "../log/head_record.ts";
import type { Log } from "../log/log.ts";
import { sqliteLog, tryLog } from "../log/sqlite.ts";
import type { Owner } from "../log/sqlite_owner.ts";
import { type GroupFile, keptProblem, type MovedFile, type PortsFile } from "../protocol/kept.ts";
import { shellWord } from "../text/names.ts";
import { SILENT } from "./logging.ts";
import { keptAt } from "./moving.ts";

/** The file of a group's key. */
export const IDENTITY_FILE = "group.json";
export const LOG_FILE = "log.db";
const PORTS_FILE = "ports.json";
const MOVED_FILE = "moved.json";
const LOG_FILES = [LOG_FILE, `${LOG_FILE}-wal`, HEAD_FILE];

/** A log up to this is opened, as a copy, to see what is wrong with it, bytes. */
const LOOKED_INTO = 256 * 1_048_576;

/** Where warnings go. */
type Warn = Owner["warn"];

/** What is kept of a new group of that name. */
export function newGroup(name: string, founder: string): GroupFile {
  return { name, nonce: randomToken(), secretKey: newSigningKey().secretKey, founder };
}

/**
 * What is kept in a folder, made by `make` where there is nothing of a group in it.
 *
 * @throws {LogDamaged} it is not what was written, or missing beside a log; {FolderUnusable} and
 * where the group was moved to another place
 */
export function groupFile(folder: string, make: () => GroupFile): GroupFile {
  const problem = movedProblem(folder);
  if (problem !== undefined) {
    throw new FolderUnusable(`Cannot start a group in ${folder}: ${problem}`);
  }
  return readGroupFile(folder) ??
    loadOrMake<GroupFile>(join(folder, IDENTITY_FILE), () => summed(make()));
}

/** What is kept in a folder; undefined where there is nothing of a group in it. Throws as {@linkcode groupFile}. */
export function readGroupFile(folder: string): GroupFile | undefined {
  const path = join(folder, IDENTITY_FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as { code?: unknown };
    if (code !== "ENOENT" && code !== "ENOTDIR") {
      throw new FolderUnusable(`Cannot read ${path}: ${sentence(cause)}`, { cause });
    }
    const left = LOG_FILES.find((file) => existsSync(join(folder, file)));
    if (left === undefined) return undefined;
    throw withoutKey(folder, path, `it is missing, and there is a ${left}`);
  }
  try {
    return parseGroupFile(text);
  } catch (cause) {
    throw withoutKey(folder, path, sentence(cause), cause);
  }
}

/** The port at which a group was served last; undefined where none is kept. @throws {FolderUnusable} */
export function keptPort(folder: string): number | undefined {
  const file = load<PortsFile>(join(folder, PORTS_FILE), {
    problem: (value) => keptProblem("portsFile", value),
    wayOut: "remove it, and start the group once at the HOST:PORT that its members know",
  });
  return file?.main;
}

/** Where the group of a folder is kept instead; undefined where that is here. @throws {FolderUnusable} */
export function movedTo(folder: string): string | undefined {
  const file = load<MovedFile>(join(folder, MOVED_FILE), {
    problem: (value) => keptProblem("movedFile", value),
    wayOut:
      "remove it if the group was not copied to another place, and is to go on in this folder",
  });
  return file?.to;
}

/** Why the group of a folder is not to be started there, with the way out; undefined where it is. */
export function movedProblem(folder: string): string | undefined {
  const to = movedTo(folder);
  if (to === undefined) return undefined;
  const { name } = readGroupFile(folder) ?? { name: "NAME" };
  return `${keptAt(name, to)}; where it is not there, run the copy once more`;
}

/** Says where the group of a folder is kept instead; here, where that is undefined. */
export function keepMoved(folder: string, to: string | undefined): void {
  const path = join(folder, MOVED_FILE);
  if (to === undefined) rmSync(path, { force: true });
  else save(path, { to } satisfies MovedFile);
}

/** Keeps it for the next start. */
export function keepPort(folder: string, main: number): void {
  save(join(folder, PORTS_FILE), { main });
}

/** What a `group.json` says. @throws {Error} with what is wrong with it */
export function parseGroupFile(text: string): GroupFile {
  if (text.trim() === "") throw new Error("it is empty");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new Error("it is not JSON", { cause });
  }
  const problem = keptProblem("groupFile", json);
  if (problem !== undefined) throw new Error(`it is not what was written (${problem})`);
  const file = json as GroupFile;
  if (file.sum !== undefined && file.sum !== sumOf(file)) {
    throw new Error("it is not what was written");
  }
  return file;
}

/** The text of a `group.json` for a group whose log begins anew. */
export function unfounded({ founded: _, ...file }: GroupFile): string {
  return textOf(file as GroupFile);
}

/** The text of a `group.json`. */
export function textOf(file: GroupFile): string {
  return JSON.stringify(summed(file), null, 2) + "\n";
}

/** The log of a group's folder, which must be that of its key. */
export function groupLog(folder: string, file: GroupFile, warn: Warn): Log {
  return sqliteLog(folder, { owner: ownerOf(folder, file, warn) });
}

/** The log of a folder that is there, for who does not serve it. @throws {UsageError} there is none */
export function keptLog(folder: string): Log {
  const file = readGroupFile(folder);
  const begun = LOG_FILES.some((file) => existsSync(join(folder, file)));
  if (file && (begun || file.founded)) return groupLog(folder, file, SILENT.warn);
  throw new UsageError(
    `Cannot find a group in ${folder}: there is no log in it; name the folder it is kept in with --data`,
  );
}

/**
 * What is wrong with a group's folder, in sentences with the way out. Nothing is locked or changed,
 * and the group may run meanwhile, in another process. A log that changes all the time, or is larger
 * than 256 MiB, is not looked into.
 */
export function folderProblems(folder: string): string[] {
  const problems: string[] = [];
  try {
    if (movedTo(folder) !== undefined) return problems;
    const file = readGroupFile(folder);
    if (file) lookInto(folder, file, (text) => problems.push(text));
  } catch (error) {
    problems.push(sentence(withWayOut(folder, error)));
  }
  try {
    keptPort(folder);
  } catch (error) {
    problems.push(sentence(error));
  }
  return problems;
}

/** An error of a folder, with what its owner can do about it. */
export function withWayOut(folder: string, error: unknown): unknown {
  if (!(error instanceof LogDamaged) || error.file === join(folder, IDENTITY_FILE)) return error;
  const lost = error instanceof LogLost;
  const message = lost
    ? `${error.message}; put the missing file back, or else ${restoring(folder)}, or with MOVED ` +
      "in its place to go on with what is left: members start over"
    : `${error.message}: ${restoring(folder)}`;
  return new LogDamaged(error.file, error.seq, message, { cause: error });
}

function restoring(folder: string): string {
  return `move ${folder} to a place MOVED and run "group.ts restore COPY --data ${
    shellWord(folder)
  }" with a ` +
    "backup as COPY";
}

function withoutKey(folder: string, path: string, what: string, cause?: unknown): LogDamaged {
  const message = `Cannot read ${path}: ${what}; put it back from where it is kept, or else ` +
    `${restoring(folder)}: no other file has the group's key`;
  return new LogDamaged(path, 0, message, { cause });
}

function ownerOf(folder: string, file: GroupFile, warn: Warn): Owner {
  const { secretKey, name, nonce, founded = false } = file;
  return {
    id: groupId(signingKey(secretKey).publicKey, name, nonce),
    founded,
    onFounded: () => save(join(folder, IDENTITY_FILE), summed({ ...file, founded: true })),
    warn,
  };
}

/** Opens a copy of a log as a start would, unless the log changes meanwhile. */
function lookInto(folder: string, file: GroupFile, tell: Warn): void {
  const copy = mkdtempSync(join(tmpdir(), "zgroup-look-"));
  try {
    if (!copied(folder, copy)) return;
    const retold = (text: string) => text.replaceAll(copy, folder);
    const owner = ownerOf(copy, file, (text) => tell(retold(text)));
    try {
      tryLog(copy, { owner: { ...owner, onFounded() {} } });
    } catch (error) {
      tell(sentence(withWayOut(folder, toldOf(folder, copy, error))));
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The error about `copy`, told of what it is a copy of. */
export function toldOf(original: string, copy: string, error: unknown): unknown {
  const text = sentence(error).replaceAll(copy, original);
  if (error instanceof LogDamaged) {
    const { file, seq, cause } = error;
    const kind = error instanceof LogLost ? LogLost : LogDamaged;
    return new kind(file.replaceAll(copy, original), seq, text, { cause });
  }
  if (error instanceof FolderUnusable) return new FolderUnusable(text, { cause: error.cause });
  return error;
}

/** Copies the files of a log; false when that cannot be done at one moment, or is too much. */
function copied(folder: string, copy: string): boolean {
  for (let tries = 0; tries < 3; tries++) {
    const before = look(folder);
    if (before.reduce((sum, file) => sum + (file?.size ?? 0), 0) > LOOKED_INTO) return false;
    try {
      for (const [i, file] of LOG_FILES.entries()) {
        const target = join(copy, file);
        rmSync(target, { force: true });
        if (before[i]) copyFileSync(join(folder, file), target, constants.COPYFILE_FICLONE);
      }
    } catch (error) {
      if ((error as { code?: unknown }).code !== "ENOENT") throw error;
      continue; // The write-ahead log is gone when it was carried over.
    }
    if (JSON.stringify(look(folder)) === JSON.stringify(before)) return true;
  }
  return false;
}

function look(folder: string): readonly ({ size: number; time: number } | undefined)[] {
  return LOG_FILES.map((file) => {
    const found = statSync(join(folder, file), { throwIfNoEntry: false });
    return found && { size: found.size, time: found.mtimeMs };
  });
}

function summed(file: GroupFile): GroupFile {
  return { ...file, sum: sumOf(file) };
}

function sumOf({ sum: _, ...file }: GroupFile): number {
  return crc32(JSON.stringify(file));
}
