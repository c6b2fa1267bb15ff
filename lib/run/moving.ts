/**
 * Moves a group from one place to another, while its members wait. Each place is a folder or a
 * database; the group goes on in one of both, never in two: it is whole in the other one before it
 * is left here, and begins there after that.
 */

import { FolderUnusable, sentence, UsageError } from "../errors.ts";
import { type Log, type LogStart, requirePower, type Watch } from "../log/log.ts";
import { Passage } from "../log/transfer.ts";
import { safeLine } from "../text/filter.ts";
import { shellWord } from "../text/names.ts";

/** Where a group is kept now. */
export interface Source {
  /** The place: a folder's whole path, or a database's URL without a password. */
  readonly where: string;
  readonly name: string;
  /** The text of its `group.json`. */
  readonly identity: string;
  readonly log: Log;
  /** The place to which it was moved before. */
  readonly left: string | undefined;
  /** Lets nobody decide anything until what it answers is called. */
  pause(): Promise<() => Promise<void>>;
  /** Says, for good, that the group is kept there. What throws has said nothing. */
  leave(to: string): Promise<void>;
}

/** Where it is to be kept. */
export interface Target {
  /** As {@linkcode Source.where}. */
  readonly where: string;
  /** Whether a group of that name is kept there by now. */
  taken(name: string): Promise<boolean>;
  /** Makes room for a group, which nobody can start there yet; an empty log. */
  begin(source: Source): Promise<Log>;
  /** Opens what the log became as a start does. @throws {LogDamaged} it is not what it should be */
  prove(start: LogStart): Promise<void>;
  /** The group can be started there. */
  finish(): Promise<void>;
  /** Removes what was begun; harmless before anything was. */
  abandon(): Promise<void>;
  /** Lets go of the place; harmless before `begin`, and again. */
  close(): Promise<void>;
}

/** Where a group is to be moved. */
export interface Place {
  /** A folder's whole path, or the URL of a database. */
  readonly to: string;
  /** A database without a standby will do. */
  readonly singleCopy: boolean;
}

/** A group that is kept somewhere else now. */
export interface Moved {
  readonly head: number;
  /** The command that starts it there. */
  readonly start: string;
}

/**
 * Moves a group. Its source is paused for the last part only, and goes on where this throws, unless
 * it is left by then.
 *
 * @throws {UsageError} there is a group at the target, or the source was left before;
 * {LogDamaged}; what the places throw
 */
export async function move(source: Source, target: Target, watch: Watch): Promise<Moved> {
  const { where } = target;
  await requireFree(source, target);
  const from = requirePower(source.log, "transfer", `copy ${source.where}`);
  let left = false;
  try {
    const log = await target.begin(source);
    // What waits for a database that does not answer ends, too.
    watch.signal?.addEventListener("abort", () => void log.close());
    const to = requirePower(log, "transfer", `copy to ${where}`);
    const passage = new Passage(from, watch);
    const follow = async () => {
      const start = await passage.catchUp(to);
      await passage.compare(to);
      return start;
    };
    await follow();
    const resume = await source.pause();
    try {
      const start = await follow();
      await to.become(start);
      await target.prove(start);
      watch.signal?.throwIfAborted();
      await source.leave(where);
      left = true;
      await target.finish();
      return { head: start.head, start: startAt(source.name, where) };
    } finally {
      if (!left) await resume();
    }
  } catch (cause) {
    if (left) {
      const message = `Cannot end the copy to ${where}: ${sentence(cause)}; run it once more`;
      throw new FolderUnusable(message, { cause });
    }
    await target.abandon();
    throw watch.signal?.aborted ? watch.signal.reason : cause;
  } finally {
    await target.close();
  }
}

/** What was left for a place where it never began may be copied there once more. */
async function requireFree({ name, where: from, left }: Source, target: Target): Promise<void> {
  const { where } = target;
  if (from === where) {
    throw new UsageError(`Cannot copy ${from} to itself: choose another place with --to`);
  }
  if (left !== undefined && left !== where) {
    throw new UsageError(
      `Cannot copy "${safeLine(name)}" from ${from}: ${keptAt(name, left)}; copy it from there, ` +
        `with --from ${shellWord(left)}`,
    );
  }
  if (!await target.taken(name)) return;
  if (left === where) {
    throw new UsageError(`Cannot copy "${safeLine(name)}" from ${from}: ${keptAt(name, left)}`);
  }
  throw new UsageError(
    `Cannot copy to ${where}: there is a group "${safeLine(name)}" in it; choose another place`,
  );
}

/** Whether a place is a database, and not a folder. */
export function isDatabase(place: string): boolean {
  return /^postgres(ql)?:\/\//.test(place);
}

/** Where a group is kept now, and how it is started there. */
export function keptAt(name: string, place: string): string {
  return `it is kept in ${place} now; start it with ${startAt(name, place)}`;
}

/** The command that starts a group at a place. */
export function startAt(name: string, place: string): string {
  const option = isDatabase(place) ? "--log" : "--data";
  return `group.ts "${safeLine(name)}" HOST:PORT ${option} ${shellWord(place)}`;
}
